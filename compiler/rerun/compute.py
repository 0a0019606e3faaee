"""From recipes to decisions, in one place to read: compile in memory, look at what is on record, simulate, explain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from compiler.commands.check import STAMPED
from compiler.passes import build
from compiler.plan import Plan
from compiler.render import render
from compiler.render.dvc import STAMP
from compiler.rerun.contents import Contents
from compiler.rerun.dvc import Record
from compiler.rerun.model import Outlook, PipelineOutlook
from compiler.rerun.reasons import Judge
from compiler.rerun.records import Records
from compiler.rerun.simulate import simulate
from compiler.rerun.steps import steps
from compiler.write import differences
from schema.diagnostics import Diagnostic, RecipeError
from schema.load import Loaded, load
from schema.machine import Machine, load_machine

COMPILED = "compiled"
"""The stage that only checks the others: after `recipe compile` it always succeeds with the same stamp."""


def outlook(files: Iterable[Path], variant: str | None, sets: Sequence[str], sources: dict[str, str]) -> Outlook:
    """What would run of some recipes; what is wrong with one of them keeps nobody from the others.

    Args:
        variant: Only this instance of each.
        sets: `a.b=c` assignments on top of every instance.
        sources: Receives the texts that diagnostics show excerpts of.
    """
    pipelines: list[PipelineOutlook] = []
    found: list[Diagnostic] = []
    for file in files:
        try:
            loaded = load(file, sources, sets)
            pipelines += _of_recipe(loaded, variant, found)
        except RecipeError as error:
            found += error.diagnostics
    return Outlook(tuple(pipelines), tuple(dict.fromkeys(found)))


def _of_recipe(loaded: Loaded, variant: str | None, found: list[Diagnostic]) -> Iterator[PipelineOutlook]:
    """The instances of a recipe, with what is wrong with those that have none."""
    chosen = [loaded.instance(variant)] if variant is not None else loaded.instances
    machine, records = load_machine(loaded.root), Records(loaded.root)
    labels = {instance.label: loaded.file for instance in loaded.instances}
    for instance in chosen:
        try:
            plan = build(loaded, instance.variant)
            found += plan.diagnostics
            yield of_plan(loaded.root, plan, machine, records, labels)
        except RecipeError as error:
            found += error.diagnostics


def of_plan(root: Path, plan: Plan, machine: Machine, records: Records, labels: Mapping[str, str]) -> PipelineOutlook:
    """What `dvc repro` would do with an instance, once it is compiled.

    Raises:
        RecipeError: R0430 what DVC has on record cannot be read.
    """
    files = render(plan)
    rendered = {f"{plan.pipeline}/{name}": text for name, text in files.items()}
    contents = Contents(root, machine, rendered | {f"{plan.outputs}/{STAMP}": STAMPED})
    record = Record(root, plan.pipeline)
    run = {step.name: step for step in steps(files["dvc.yaml"]) if step.name != COMPILED}
    judge = Judge(plan, run, record, records, contents, labels)
    fates = simulate(list(run.values()), record, contents, lambda name: bool(judge.refusals(plan.stage(name))))
    decisions = tuple(judge.decision(plan.stage(name), fate) for name, fate in fates.items())
    compiled = not differences(root / plan.pipeline, files)
    return PipelineOutlook(plan.label, plan.file, plan.recipe_hash, compiled, decisions)
