"""recipe migrate recipes/animals-lora.yaml"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compiler import migration
from schema.console import complete_recipe

FILES = typer.Argument(help="Recipes; all of recipes/ when none is named.", autocompletion=complete_recipe)
CHECK = typer.Option("--check", help="Write nothing; exit code 1 when something would be migrated.")
DIFF = typer.Option("--diff", help="Write nothing; show how the files would change.")


def migrate(
    files: Annotated[list[Path] | None, FILES] = None,
    check: Annotated[bool, CHECK] = False,
    diff: Annotated[bool, DIFF] = False,
) -> None:
    """Bring recipes of an old version of the language to the present one, and show what becomes of their hashes."""
    raise typer.Exit(migration.run(files or [], check, diff))
