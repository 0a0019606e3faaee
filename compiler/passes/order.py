"""Stages after what they use, each with its inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from graphlib import TopologicalSorter

from compiler.plan import Input, Plan, StagePlan
from schema.datasets.base import LocalDataset
from schema.datasets.hub import HubDataset
from schema.recipe import Recipe
from schema.stage import Stage, Use
from schema.stages import Evaluate, Predict

PRODUCTS = {"model": "model", "adapter": "model", "predictions": "predictions.jsonl"}
"""What a stage hands over → its path in the stage's folder."""


def order(plan: Plan) -> Plan:
    """The stages in the order they run; between equals, the order in which they are written."""
    recipe = plan.instance.recipe
    graph = {
        name: [use.name for use in stage.uses if use.name in recipe.stages] for name, stage in recipe.stages.items()
    }
    stages = tuple(_stage(plan, name, recipe.stages[name]) for name in TopologicalSorter(graph).static_order())
    return replace(plan, stages=stages)


def _stage(plan: Plan, name: str, stage: Stage) -> StagePlan:
    recipe = plan.instance.recipe
    inputs = tuple(_input(plan, recipe, use) for use in stage.uses)
    return StagePlan(name, stage, f"{plan.outputs}/{name}", (*inputs, *_implied(plan, recipe, stage)))


def _implied(plan: Plan, recipe: Recipe, stage: Stage) -> Iterator[Input]:
    """What a stage reads besides its references: the base of an adapter, and the names of the classes."""
    for use in stage.uses:
        used = recipe.stages.get(use.name)
        if used is not None and used.gives == "adapter":
            below = next(u for u in used.uses if u.role == "model")
            yield replace(_input(plan, recipe, below), role="base")
    rows = stage.data if isinstance(stage, Predict) else None
    if isinstance(stage, Evaluate):
        predictions = recipe.stages[stage.predictions]
        assert isinstance(predictions, Predict)
        rows = predictions.data
    if rows is not None:
        prepared = rows.partition(".")[0]
        path = f"{plan.outputs}/{prepared}/classes.json"
        yield Input("classes", path, stage=prepared, dependencies=(path,))


def _input(plan: Plan, recipe: Recipe, use: Use) -> Input:
    if use.name in recipe.stages and "datasets" not in use.accepts:
        return _product(plan, recipe.stages[use.name], use)
    if "datasets" in use.accepts:
        return _dataset(recipe, use)
    spec = recipe.models[use.name]
    pinned = {"model": spec.path or spec.id, "revision": spec.revision}
    return Input(use.role, spec.folder, pinned=pinned, dependencies=(spec.path,) if spec.path else ())


def _product(plan: Plan, stage: Stage, use: Use) -> Input:
    folder = f"{plan.outputs}/{use.name}"
    path = f"{folder}/{use.split}.jsonl" if use.split else f"{folder}/{PRODUCTS[stage.gives]}"
    return Input(use.role, path, stage=use.name, dependencies=(path,))


def _dataset(recipe: Recipe, use: Use) -> Input:
    dataset = recipe.datasets[use.name]
    if isinstance(dataset, LocalDataset):
        return Input(use.role, dataset.path, pinned={"data": dataset.path}, dependencies=(dataset.path,))
    if isinstance(dataset, HubDataset):
        return Input(use.role, dataset.folder, pinned={"data": dataset.id, "revision": dataset.revision})
    return Input(use.role, "", pinned={"data": dataset.kind})
