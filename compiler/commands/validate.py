"""recipe validate recipes/animals-lora.yaml"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compiler import validation
from schema.console import AsFindings, FindingFormat, complete_recipe

FILES = typer.Argument(help="Recipes; all of recipes/ when none is named.", autocompletion=complete_recipe)


def validate(
    files: Annotated[list[Path] | None, FILES] = None,
    format: AsFindings = FindingFormat.TEXT,
) -> None:
    """Find everything that is wrong with recipes. Exit code 1 when something is."""
    raise typer.Exit(validation.run(files or [], format))
