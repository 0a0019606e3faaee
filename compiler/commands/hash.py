"""recipe hash recipes/animals-lora.yaml --stages"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from compiler.passes import build
from schema.console import complete_recipe, complete_variant, guarded, load_one


def hash(
    file: Annotated[Path, typer.Argument(autocompletion=complete_recipe)],
    variant: Annotated[
        str | None, typer.Option(help="An instance of the recipe.", autocompletion=complete_variant)
    ] = None,
    stages: Annotated[bool, typer.Option("--stages", help="The key of each stage, too.")] = False,
    set: Annotated[list[str] | None, typer.Option(metavar="PATH=VALUE", help="Change a field for this look.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Print the recipe hash: what decides the result, and nothing else."""
    loaded = load_one(file, set or ())
    plan = guarded(lambda: build(loaded, variant), {})
    if as_json:
        keys = {stage.name: stage.key for stage in plan.stages}
        document = {
            "format_version": 1,
            "recipe_hash": plan.recipe_hash,
            "intent": plan.intent,
            "pinned": False,
            "stages": keys,
        }
        print(json.dumps(document, indent=1))
        return
    print(plan.recipe_hash)
    for stage in plan.stages if stages else ():
        print(f"{stage.key}  {stage.name}")
    typer.echo("not pinned: there is no lock, so this names what was asked for, not which bytes were used", err=True)
