"""recipe validate recipes/animals-lora.yaml"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compiler.passes import CHECKING, build
from schema.console import FINDINGS, Format, chosen, complete_recipe, report
from schema.diagnostics import Diagnostic, RecipeError
from schema.load import load


def validate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Recipes; all of recipes/ when none is named.", autocompletion=complete_recipe),
    ] = None,
    format: Annotated[Format, typer.Option(help="How findings are written.")] = Format.TEXT,
) -> None:
    """Find everything that is wrong with recipes. Exit code 1 when something is."""
    sources: dict[str, str] = {}
    recipes = chosen(files)
    found = [diagnostic for file in recipes for diagnostic in findings(file, sources)]
    report(found, sources, format)
    if any(diagnostic.severity == "error" for diagnostic in found):
        raise typer.Exit(FINDINGS)
    if format is Format.TEXT:
        print(f"{len(recipes)} recipe{'s' if len(recipes) > 1 else ''} valid")


def findings(file: Path, sources: dict[str, str]) -> list[Diagnostic]:
    """Everything that is wrong with a recipe and its variants, up to the options of its engines."""
    try:
        loaded = load(file, sources)
    except RecipeError as error:
        return list(error.diagnostics)
    found: dict[Diagnostic, None] = {}
    for instance in loaded.instances:
        try:
            found |= dict.fromkeys(build(loaded, instance.variant, CHECKING).diagnostics)
        except RecipeError as error:
            found |= dict.fromkeys(error.diagnostics)
    return list(found)
