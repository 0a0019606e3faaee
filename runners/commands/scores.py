"""recipe scores recipes/quickstart.yaml: what the last run came to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from schema.console import AsFormat, Format, asked_for, complete_recipe, complete_variant, guarded
from schema.diagnostics import Diagnostic, RecipeError

FORMAT_VERSION = 1


def scores(
    file: Annotated[Path, typer.Argument(help="The recipe.", autocompletion=complete_recipe)],
    variant: Annotated[
        str | None, typer.Option(help="An instance of the recipe.", autocompletion=complete_variant)
    ] = None,
    format: AsFormat = Format.TEXT,
) -> None:
    """Show the scores, the confusion matrix, the training curve and what was measured in the last run."""
    loaded, instance = asked_for(file, variant)
    guarded(lambda: _show(loaded.root, instance.label, loaded.file, format))


def _show(root: Path, label: str, file: str, format: Format) -> None:
    from runners import pipeline, results  # what shows is not needed to complain about a recipe

    compiled = pipeline.load(root, label, file)
    if format is Format.JSON:
        document = {"format_version": FORMAT_VERSION, "recipe": label, "stages": results.metrics(compiled)}
        print(json.dumps(document, indent=1, ensure_ascii=False))
        return
    if not results.present(compiled):
        message = f"{label} has nothing to show yet: no scores, no curve and no other numbers"
        raise RecipeError([Diagnostic("R0525", message, f"run it: `recipe run {file}`")])
    if page := results.plots_page(compiled):
        print(f"\nplots: {root / page}")
