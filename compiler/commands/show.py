"""recipe show recipes/animals-lora.yaml: the plan, for eyes."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from compiler.passes import build
from compiler.plan import Plan, StagePlan
from compiler.render import render
from compiler.render.script import words
from schema.checks_memory import GIB, Kept, kept
from schema.console import AsFormat, Format, complete_recipe, complete_stage, complete_variant, fail, guarded, load_one
from schema.stages import Distill
from schema.toolchain import DEFAULT
from schema.training import TrainingStage

if TYPE_CHECKING:
    from rich.console import Console

FORMAT_VERSION = 1


def show(
    file: Annotated[Path, typer.Argument(autocompletion=complete_recipe)],
    variant: Annotated[
        str | None, typer.Option(help="An instance of the recipe.", autocompletion=complete_variant)
    ] = None,
    stage: Annotated[
        str | None, typer.Option(help="Only this stage, with its whole script.", autocompletion=complete_stage)
    ] = None,
    set: Annotated[list[str] | None, typer.Option(metavar="PATH=VALUE", help="Change a field for this look.")] = None,
    format: AsFormat = Format.TEXT,
) -> None:
    """Show what a recipe does: stages, commands, batch arithmetic, files and the graph."""
    loaded = load_one(file, set or ())
    plan = guarded(lambda: build(loaded, variant), {})
    if format is Format.JSON:
        shown = (_named(plan, stage),) if stage else plan.stages
        print(json.dumps(_document(plan, shown), indent=1, ensure_ascii=False))
        return
    from rich.console import Console  # only here: tables are what this verb is for

    console = Console(highlight=False)
    if stage is not None:
        _one(console, plan, stage)
        return
    _head(console, plan, [i.variant for i in loaded.instances if i.variant])
    _graph(console, plan)
    _stages(console, plan)
    _commands(console, plan)


def _document(plan: Plan, stages: tuple[StagePlan, ...]) -> dict[str, Any]:
    """The same for programs: every field of a stage with its effective value, and its commands as lines of a shell."""
    recipe = plan.instance.recipe
    return {
        "format_version": FORMAT_VERSION,
        "recipe": plan.label,
        "description": recipe.description,
        "hash": plan.recipe_hash,
        "pinned": plan.pinned,
        "hardware": recipe.hardware.model_dump(mode="json"),
        "stages": {stage.name: _stage_document(plan, stage) for stage in stages},
        "files": [f"{plan.pipeline}/{name}" for name in render(plan)],
    }


def _stage_document(plan: Plan, stage: StagePlan) -> dict[str, Any]:
    model = stage.model and {
        "name": stage.model.name,
        "id": stage.model.spec.id,
        "type": stage.model.type,
        "dtype": stage.model.spec.dtype,
        "attention": stage.model.attention,
        "why_attention": stage.model.why_attention,
    }
    return {
        "kind": stage.kind,
        "key": stage.key,
        "toolchain": stage.toolchain,
        "model": model,
        "batch": stage.batch and asdict(stage.batch) | {"accumulation": stage.batch.accumulation},
        "memory": (memory := _memory(plan, stage)) and {part: round(size) for part, size in asdict(memory).items()},
        "reads": {given.role: given.path for given in stage.inputs},
        "hands_over": [f"{stage.out}/{output.name}" for output in stage.outputs],
        "fields": stage.stage.model_dump(mode="json", by_alias=True),
        "script": f"{plan.pipeline}/{stage.name}.sh",
        "commands": [" ".join(words(command)) for command in stage.launch.written],
    }


def _memory(plan: Plan, stage: StagePlan) -> Kept | None:
    """What a training keeps on each GPU, in bytes, where that is known and counts; None of all else."""
    recipe = plan.instance.recipe
    if not isinstance(stage.stage, TrainingStage) or not recipe.hardware.gpus or stage.model is None:
        return None
    memory = kept(stage.stage, stage.model.spec, recipe.hardware.world)
    return memory if memory is not None and memory.total >= GIB else None


def _head(console: Console, plan: Plan, variants: list[str]) -> None:
    recipe, line = plan.instance.recipe, partial(console.print, soft_wrap=True)
    hardware = recipe.hardware
    line(f"[bold]{plan.label}[/bold]  {_escape(recipe.description)}")
    device = f"{_count(hardware.gpus, 'GPU')} each" if hardware.gpus else "CPU only"
    memory = f" of {hardware.gpu_memory}" if hardware.gpu_memory else ""
    line(f"hardware  {_count(hardware.nodes, 'node')}, {device}{memory}, {_count(hardware.threads, 'thread')}")
    for model in {(m.name, m.attention, m.why_attention): m for stage in plan.stages if (m := stage.model)}.values():
        why = f" ({model.why_attention})" if model.why_attention else ""
        line(
            f"model     {model.name}: {model.spec.id}, {model.type}, {model.spec.dtype}, attention {model.attention}{why}"
        )
    others = {stage.name: stage.toolchain for stage in plan.stages if stage.toolchain != DEFAULT}
    if others:
        line(f"toolchain {', '.join(f'{stage}: {name}' for stage, name in others.items())}")
    if variants:
        line(f"variants  {', '.join(variants)}")
    line(f"hash      {plan.recipe_hash}{'' if plan.pinned else '  not pinned'}\n")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _graph(console: Console, plan: Plan) -> None:
    """The stages as a tree below each that nothing precedes; a stage with two inputs stands below the last of them."""
    from rich.tree import Tree

    trees: dict[str, Tree] = {}
    roots: list[Tree] = []
    for stage in plan.stages:
        above = [s.name for s in plan.stages if s.name in {use.name for use in stage.stage.uses}]
        others = f"  [dim]also reads {', '.join(above[:-1])}[/dim]" if above[:-1] else ""
        label = f"[bold]{stage.name}[/bold]  {stage.kind}{others}"
        trees[stage.name] = trees[above[-1]].add(label) if above else Tree(label)
        if not above:
            roots.append(trees[stage.name])
    for root in roots:
        console.print(root)
    console.print()


def _stages(console: Console, plan: Plan) -> None:
    from rich.table import Table

    table = Table("stage", "kind", "reads", "hands over", "key", box=None, header_style="bold", pad_edge=False)
    for stage in plan.stages:
        reads = ", ".join(dict.fromkeys(use.target for use in stage.stage.uses))
        table.add_row(stage.name, stage.kind, reads, ", ".join(o.name for o in stage.outputs), stage.key[:12])
    console.print(table)
    for stage in plan.stages:
        if stage.batch is not None:
            console.print(f"\nbatch of {stage.name}: {stage.batch}")
        if memory := _memory(plan, stage):
            console.print(
                f"memory of {stage.name}: at least {memory} on each GPU; activations come on top", soft_wrap=True
            )
        if isinstance(stage.stage, Distill) and stage.stage.recommended:
            _recommended(console, stage.name, stage.stage)
    console.print(f"\nfiles in {plan.pipeline}: {', '.join(render(plan))}")


def _recommended(console: Console, name: str, stage: Distill) -> None:
    """What the recipe left to the student's family."""
    values = ", ".join(f"{field} {value}" for field, value in stage.recommended.items())
    console.print(f"recommended for {stage.student.family}, and not written in {name}: {values}", soft_wrap=True)


def _commands(console: Console, plan: Plan) -> None:
    from rich.syntax import Syntax

    for stage in plan.stages:
        console.print(f"\n[bold]{stage.name}[/bold]  {plan.pipeline}/{stage.name}.sh")
        for command in stage.launch.written:
            console.print(Syntax(" \\\n  ".join(words(command)), "bash", background_color="default"))


def _one(console: Console, plan: Plan, name: str) -> None:
    from rich.syntax import Syntax

    from compiler.render.script import script

    stage = _named(plan, name)
    console.print(Syntax(script(plan, stage), "bash", background_color="default"))


def _named(plan: Plan, name: str) -> StagePlan:
    names = [stage.name for stage in plan.stages]
    if name not in names:
        fail(f"{plan.label} has no stage `{name}`; its stages: {', '.join(names)}")
    return plan.stage(name)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
