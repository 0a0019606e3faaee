"""recipe hash recipes/animals-lora.yaml --explain"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from compiler.components import Explained, explain, of_recipe
from compiler.passes import build
from compiler.plan import Json, Plan
from schema.console import AsFormat, Format, complete_recipe, complete_variant, guarded, load_one

UNPINNED = "none: not pinned"


def hash(
    file: Annotated[Path, typer.Argument(autocompletion=complete_recipe)],
    variant: Annotated[
        str | None, typer.Option(help="An instance of the recipe.", autocompletion=complete_variant)
    ] = None,
    stages: Annotated[bool, typer.Option("--stages", help="The key of each stage, too.")] = False,
    explained: Annotated[bool, typer.Option("--explain", help="Every component with its digest.")] = False,
    set: Annotated[list[str] | None, typer.Option(metavar="PATH=VALUE", help="Change a field for this look.")] = None,
    format: AsFormat = Format.TEXT,
) -> None:
    """Print the recipe hash: what decides the result, and nothing else."""
    loaded = load_one(file, set or ())
    plan = guarded(lambda: build(loaded, variant), {})
    if format is Format.JSON:
        print(json.dumps(_document(plan, explained), indent=1, ensure_ascii=False))
        return
    if explained:
        print("\n".join(_explanation(plan)))
    else:
        print(plan.recipe_hash)
        for stage in plan.stages if stages else ():
            print(f"{stage.key}  {stage.name}")
    if not plan.pinned:
        why = f"{plan.locked.file} does not cover it" if plan.locked else "there is no lock"
        typer.echo(f"not pinned: {why}, so this names what was asked for, not which bytes were used", err=True)


def _document(plan: Plan, explained: bool) -> Json:
    document: dict[str, Any] = {
        "format_version": 1,
        "recipe_hash": plan.recipe_hash,
        "intent": plan.intent,
        "pinned": plan.pinned,
        "stages": {stage.name: stage.key for stage in plan.stages},
    }
    if explained:
        document["components"] = of_recipe(plan)
        document["explained"] = {name: asdict(found) for name, found in explain(plan).items()}
    return document


def _explanation(plan: Plan) -> Iterator[str]:
    yield f"recipe {plan.label}"
    yield f"  hash       {plan.recipe_hash}"
    yield from (_component(*item) for item in of_recipe(plan).items())
    for name, found in explain(plan).items():
        stage = plan.stage(name)
        yield from ("", f"stage {name} ({stage.kind})", f"  key        {found.key}", f"  own        {found.own}")
        yield from _stage(found, {given.role: given.stage for given in stage.inputs})


def _stage(found: Explained, makers: Mapping[str, str | None]) -> Iterator[str]:
    parts: dict[str, Mapping[str, str]] = {
        "launch": found.launch,
        "code": found.code,
        "toolchain": found.toolchain,
        "inputs": {role: _input(content, makers[role]) for role, content in found.inputs.items()},
    }
    for component, value in found.components.items():
        yield _component(component, value)
        shown = parts.get(component, {})
        width = max(map(len, shown), default=0)
        yield from (f"    {name:{width}}  {part}" for name, part in shown.items())


def _component(name: str, value: str | None) -> str:
    return f"  {name:9}  {value or UNPINNED}"


def _input(content: Json, maker: str | None) -> str:
    """`0f3c… data/train.jsonl` of another stage, or what stands for the content of something outside."""
    if maker is not None:
        return f"{content['stage']}  {maker}/{content['part']}"
    ((state, what),) = content.items()
    return f"{state} {what if isinstance(what, str) else json.dumps(what, ensure_ascii=False)}"
