"""What the verbs share: which recipes are meant, and how diagnostics and the end of the program look."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NoReturn, TypeVar

import typer

from schema.diagnostics import Diagnostic, RecipeError
from schema.load import Loaded, load
from schema.render import github, text, to_json

T = TypeVar("T")
FINDINGS = 1
USAGE = 2


class Format(StrEnum):
    """How findings are written: for eyes, for programs, or as annotations of a pull request."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def complete_recipe(incomplete: str) -> list[str]:
    """Recipe files for shell completion."""
    return [
        str(path)
        for path in recipe_files(Path.cwd())
        if str(path).startswith(incomplete) or path.stem.startswith(incomplete)
    ]


def recipe_files(folder: Path) -> list[Path]:
    """The recipes below a project's folder, relative to the working directory where they can be."""
    found = sorted(path for path in (folder / "recipes").glob("*.y*ml") if path.suffix in (".yaml", ".yml"))
    return [path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path for path in found]


def located(name: Path) -> Path:
    """The file that is meant: as given, or in `recipes/`, with or without its ending."""
    if name.exists() or len(name.parts) > 1:
        return name
    for candidate in (Path("recipes", name), Path("recipes", f"{name}.yaml")):
        if candidate.exists():
            return candidate
    return name


def chosen(files: Sequence[Path] | None) -> list[Path]:
    """The recipes that are named, or all of the project."""
    if files:
        return [located(file) for file in files]
    found = recipe_files(Path.cwd())
    if not found:
        fail("there is no recipe in `recipes/` here: name a file")
    return found


def load_one(file: Path, sets: Sequence[str] = ()) -> Loaded:
    """A recipe, or the end of the program with everything that is wrong with it."""
    sources: dict[str, str] = {}
    return guarded(lambda: load(located(file), sources, sets), sources)


def guarded(action: Callable[[], T], sources: dict[str, str]) -> T:
    """What an action gives, or the end of the program with its diagnostics on standard error."""
    try:
        return action()
    except RecipeError as error:
        report(error.diagnostics, sources, Format.TEXT)
        raise typer.Exit(FINDINGS) from None


def report(diagnostics: Iterable[Diagnostic], sources: dict[str, str], format: Format) -> None:
    """Findings in a format: programs read standard output, people standard error."""
    found = list(diagnostics)
    if format is Format.JSON:
        print(to_json(found))
    elif found and format is Format.GITHUB:
        print(github(found))
    elif found:
        print(text(found, sources, colored(sys.stderr)), file=sys.stderr)


def colored(stream: object) -> bool:
    """Whether to colour: a terminal that did not refuse (no-color.org)."""
    return bool(getattr(stream, "isatty", lambda: False)()) and "NO_COLOR" not in os.environ


def fail(message: str) -> NoReturn:
    """The end of the program: it was called in a way that makes no sense."""
    typer.echo(f"recipe: {message}", err=True)
    raise typer.Exit(USAGE)
