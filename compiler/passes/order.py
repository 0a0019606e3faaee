"""Stages after what they use, each with its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from graphlib import TopologicalSorter

from compiler.plan import Input, Plan, StagePlan
from schema.datasets import Dataset
from schema.datasets.hub import fetched
from schema.lock import Asset, Built, Local
from schema.pins import content, dataset_folder, model_folder, of_hub, of_model
from schema.recipe import Recipe
from schema.stage import Stage, Use
from schema.stages import Distill, Evaluate, Export, Predict, Prepare

PRODUCTS = {
    "model": "model",
    "adapter": "model",
    "student": "student",
    "export": "export",
    "predictions": "predictions.jsonl",
    "embeddings": "embeddings",
}
"""What a stage hands over → its path in the stage's folder."""


def order(plan: Plan) -> Plan:
    """The stages in the order they run; between equals, the order in which they are written."""
    recipe = plan.instance.recipe
    graph = {
        name: [use.name for use in stage.uses if use.name in recipe.stages and use.names_stage]
        for name, stage in recipe.stages.items()
    }
    stages = tuple(_stage(plan, name, recipe.stages[name]) for name in TopologicalSorter(graph).static_order())
    return replace(plan, stages=stages)


def _stage(plan: Plan, name: str, stage: Stage) -> StagePlan:
    recipe = plan.instance.recipe
    inputs = tuple(_input(plan, recipe, use) for use in stage.uses)
    return StagePlan(name, stage, f"{plan.outputs}/{name}", (*inputs, *_implied(plan, recipe, stage)))


def _implied(plan: Plan, recipe: Recipe, stage: Stage) -> Iterator[Input]:
    """What a stage reads besides its references: the base of an adapter, a prompt in a file, and the names of the classes."""
    for use in stage.uses:
        used = recipe.stages.get(use.name)
        if used is not None and used.gives == "adapter":
            yield replace(_input(plan, recipe, _base(recipe, used)), role="base")
    if isinstance(stage, Prepare) and (prompt := recipe.datasets[stage.dataset].prompt_file):
        yield _file(plan, "prompt", prompt, "file")
    for named in stage.files:
        yield _file(plan, named.role, named.file, "file")
    rows = stage.data if isinstance(stage, Predict | Distill | Export) else None
    if isinstance(stage, Evaluate):
        predictions = recipe.stages[stage.predictions]
        assert isinstance(predictions, Predict)
        rows = predictions.data
    if rows is not None:
        prepared = rows.partition(".")[0]
        path = f"{plan.outputs}/{prepared}/classes.json"
        yield Input("classes", path, stage=prepared, dependencies=(path,))


def _base(recipe: Recipe, adapted: Stage) -> Use:
    """The reference to the model below an adapter: an adapter may go on in that of a stage before."""
    below = next(use for use in adapted.uses if use.role == "model")
    deeper = recipe.stages.get(below.name)
    return _base(recipe, deeper) if deeper is not None and deeper.gives == "adapter" else below


def _input(plan: Plan, recipe: Recipe, use: Use) -> Input:
    if use.name in recipe.stages and "datasets" not in use.accepts:
        return _product(plan, recipe.stages[use.name], use)
    if "datasets" in use.accepts:
        return _dataset(plan, recipe.datasets[use.name], use.role)
    spec = recipe.models[use.name]
    return Input(
        use.role,
        model_folder(spec, plan.lock),
        pinned={"model": spec.path or spec.id, "revision": spec.revision},
        lock=_content(of_model(spec, plan.lock)),
        dependencies=(spec.path,) if spec.path else (),
    )


def _product(plan: Plan, stage: Stage, use: Use) -> Input:
    folder = f"{plan.outputs}/{use.name}"
    path = f"{folder}/{use.split}.jsonl" if use.split else f"{folder}/{PRODUCTS[stage.gives]}"
    return Input(use.role, path, stage=use.name, dependencies=(path,))


def _dataset(plan: Plan, dataset: Dataset, role: str) -> Input:
    if dataset.local is not None:
        return _file(plan, role, dataset.local, "data")
    if fetched(dataset):
        pinned = {"data": dataset.id, "revision": dataset.revision}
        pin = of_hub(dataset, plan.lock)
        return Input(role, dataset_folder(dataset, plan.lock), pinned=pinned, lock=_content(pin))
    return Input(role, "", pinned={"data": dataset.kind})


def _file(plan: Plan, role: str, path: str, what: str) -> Input:
    """A file or folder of the project."""
    pin = plan.lock.local.get(path) if plan.lock else None
    return Input(role, path, pinned={what: path}, lock=_content(pin), dependencies=(path,))


def _content(pin: Asset | Built | Local | None) -> Mapping[str, str] | None:
    return content(pin) if pin else None
