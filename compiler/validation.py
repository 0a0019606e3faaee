"""Find everything that is wrong with recipes: what `recipe validate` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from compiler import own_rewards
from compiler.passes import CHECKING, build
from schema.console import FINDINGS, FindingFormat, chosen, report
from schema.diagnostics import Diagnostic, RecipeError
from schema.load import load


def run(files: Sequence[Path], format: FindingFormat = FindingFormat.TEXT) -> int:
    """Report on recipes, or on all of the project when none is named; the exit code."""
    sources: dict[str, str] = {}
    recipes = chosen(files)
    found = [diagnostic for file in recipes for diagnostic in findings(file, sources)]
    report(found, sources, format)
    if any(diagnostic.severity == "error" for diagnostic in found):
        return FINDINGS
    if format is FindingFormat.TEXT:
        print(f"{len(recipes)} recipe{'s' if len(recipes) > 1 else ''} valid")
    return 0


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
    return list(found | own_rewards.findings(loaded, sources))
