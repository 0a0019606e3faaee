"""recipe plan recipes/animals-lora.yaml: what would run, and why."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from compiler.rerun.compute import outlook
from compiler.rerun.model import Outlook
from schema.console import FINDINGS, AsFormat, Format, chosen, complete_recipe, complete_variant, report

FILES = typer.Argument(help="Recipes; all of recipes/ when none is named.", autocompletion=complete_recipe)
VARIANT = typer.Option(help="Only this instance of the recipe.", autocompletion=complete_variant)
SET = typer.Option(metavar="PATH=VALUE", help="Change a field for this look.")


def plan(
    files: Annotated[list[Path] | None, FILES] = None,
    variant: Annotated[str | None, VARIANT] = None,
    set: Annotated[list[str] | None, SET] = None,
    format: AsFormat = Format.TEXT,
) -> None:
    """Show what would run, and why: stages with reasons, old and new values, and the lines of the recipe."""
    sources: dict[str, str] = {}
    found = outlook(chosen(files), variant, set or (), sources)
    print(_shown(found, format), end="", flush=True)
    if format is Format.TEXT:  # the other has them in its document
        report(found.diagnostics, sources)
    raise typer.Exit(FINDINGS if found.failed else 0)


def _shown(found: Outlook, format: Format) -> str:
    """The plan in a format; only the one that is asked for is loaded."""
    if format is Format.JSON:
        from compiler.rerun.document import document

        return json.dumps(document(found), indent=1, ensure_ascii=False) + "\n"
    from compiler.rerun.text import tables, text

    if not sys.stdout.isatty():
        return text(found)
    return tables(found, shutil.get_terminal_size().columns, "NO_COLOR" not in os.environ)
