"""What the verbs share: which recipe is meant, and how they end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

import typer

from schema.diagnostics import Diagnostic, RecipeError
from schema.load import Instance, Loaded, load
from schema.render import text

T = TypeVar("T")
FINDINGS = 1
USAGE = 2


def complete_recipe(incomplete: str) -> list[str]:
    """Recipe files for shell completion."""
    found = (str(path) for path in sorted(Path("recipes").glob("*.yaml")))
    return [path for path in found if path.startswith(incomplete) or Path(path).stem.startswith(incomplete)]


def complete_stage(context: typer.Context, incomplete: str) -> list[str]:
    """The stages of the recipe that is named before, for shell completion."""
    try:
        loaded = load(located(Path(str(context.params["file"]))), {})
    except (RecipeError, KeyError):
        return []
    return [name for name in loaded.instances[0].recipe.stages if name.startswith(incomplete)]


def located(name: Path) -> Path:
    """The file that is meant: as given, or in `recipes/`, with or without its ending."""
    if name.exists() or len(name.parts) > 1:
        return name
    for candidate in (Path("recipes", name), Path("recipes", f"{name}.yaml")):
        if candidate.exists():
            return candidate
    return name


def asked_for(file: Path, variant: str | None) -> tuple[Loaded, Instance]:
    """A recipe and the instance of it that is meant, or the end of the program with what is wrong."""
    sources: dict[str, str] = {}

    def find() -> tuple[Loaded, Instance]:
        loaded = load(located(file), sources)
        found = loaded.instance(variant)
        if errors := [finding for finding in found.findings if finding.severity == "error"]:
            raise RecipeError(errors)
        return loaded, found

    return guarded(find, sources)


def guarded(action: Callable[[], T], sources: dict[str, str] | None = None) -> T:
    """What an action gives, or the end of the program with its diagnostics on standard error."""
    try:
        return action()
    except RecipeError as error:
        report(error.diagnostics, sources or {})
        raise typer.Exit(FINDINGS) from None


def report(diagnostics: Sequence[Diagnostic], sources: dict[str, str]) -> None:
    """Diagnostics on standard error."""
    color = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    print(text(diagnostics, sources, color), file=sys.stderr, flush=True)


def fail(message: str) -> NoReturn:
    """The end of the program: it was called in a way that makes no sense."""
    typer.echo(f"recipe: {message}", err=True)
    raise typer.Exit(USAGE)
