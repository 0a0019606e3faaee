"""recipe compile recipes/animals-lora.yaml"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compiler import compilation
from schema.console import complete_recipe, fail

FILES = typer.Argument(help="Recipes; all of recipes/ when none is named.", autocompletion=complete_recipe)
CHECK = typer.Option("--check", help="Write nothing; exit code 1 when compiled files are stale.")
OUT = typer.Option(help="Write below this folder instead of the project's pipelines/.")
LOCKED = typer.Option("--locked", help="Refuse a recipe whose lock is missing or does not cover it.")
SET = typer.Option(metavar="PATH=VALUE", help="Change a field; only together with --out.")


def compile(
    files: Annotated[list[Path] | None, FILES] = None,
    check: Annotated[bool, CHECK] = False,
    out: Annotated[Path | None, OUT] = None,
    set: Annotated[list[str] | None, SET] = None,
    locked: Annotated[bool, LOCKED] = False,
) -> None:
    """Compile recipes, with their variants, to pipelines/NAME/."""
    if set and out is None:
        fail("--set is for looking: a committed pipeline says what its recipe says. Add --out FOLDER")
    raise typer.Exit(compilation.run(files or [], check, out, set or (), locked))
