"""recipe scores recipes/quickstart.yaml: what the last run came to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from schema.console import asked_for, complete_recipe, complete_variant, guarded
from schema.diagnostics import Diagnostic, RecipeError


def scores(
    file: Annotated[Path, typer.Argument(help="The recipe.", autocompletion=complete_recipe)],
    variant: Annotated[
        str | None, typer.Option(help="An instance of the recipe.", autocompletion=complete_variant)
    ] = None,
) -> None:
    """Show the scores, the confusion matrix, the training curve and what was measured in the last run."""
    loaded, instance = asked_for(file, variant)
    guarded(lambda: _show(loaded.root, instance.label, loaded.file))


def _show(root: Path, label: str, file: str) -> None:
    from runners import pipeline, results  # what shows is not needed to complain about a recipe

    compiled = pipeline.load(root, label, file)
    if not results.scores(compiled):
        evaluates = any(step.kind in results.SCORING for step in compiled.steps)
        message = f"{label} has no scores yet" if evaluates else f"{label} has no stage that evaluates or measures"
        help = f"run it: `recipe run {file}`" if evaluates else "add a stage of kind `evaluate`"
        raise RecipeError([Diagnostic("R0525", message, help)])
    results.present(compiled)
    if page := results.plots_page(compiled):
        print(f"\nplots: {root / page}")
