"""What the verbs of the command line share: which recipe is meant, how findings look, and how a verb ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from schema.diagnostics import Diagnostic, RecipeError
from schema.load import Instance, Loaded, load
from schema.render import github, text, to_json

T = TypeVar("T")
FINDINGS = 1
USAGE = 2


class Format(StrEnum):
    """How something is told: for eyes, or for programs."""

    TEXT = "text"
    JSON = "json"


class FindingFormat(StrEnum):
    """How findings are written: for eyes, for programs, or as annotations of a pull request."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


class PageFormat(StrEnum):
    """How a comparison is written: for eyes, for programs, or for a comment of a pull request."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


AsFormat = Annotated[Format, typer.Option("--format", help="For eyes, or for programs.")]
"""The option of every verb that tells something. Those below are of the verbs that have one more reader."""
AsFindings = Annotated[
    FindingFormat, typer.Option("--format", help="For eyes, for programs, or as annotations on GitHub.")
]
AsPage = Annotated[PageFormat, typer.Option("--format", help="For eyes, for programs, or as Markdown.")]


def recipe_files(folder: Path) -> list[Path]:
    """The recipes of a project, as paths below its folder."""
    return sorted(path for path in (folder / "recipes").glob("*.y*ml") if path.suffix in (".yaml", ".yml"))


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
    found = recipe_files(Path())
    if not found:
        fail("there is no recipe in `recipes/` here: name a file")
    return found


def load_one(file: Path, sets: Sequence[str] = ()) -> Loaded:
    """A recipe, or the end of the program with everything that is wrong with it."""
    sources: dict[str, str] = {}
    return guarded(lambda: load(located(file), sources, sets), sources)


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
        sys.exit(FINDINGS)


def report(
    diagnostics: Iterable[Diagnostic], sources: dict[str, str], format: FindingFormat = FindingFormat.TEXT
) -> None:
    """Findings in a format: programs read standard output, people standard error."""
    found = list(diagnostics)
    if format is FindingFormat.JSON:
        print(to_json(found))
    elif found and format is FindingFormat.GITHUB:
        print(github(found))
    elif found:
        color = sys.stderr.isatty() and "NO_COLOR" not in os.environ  # no-color.org
        print(text(found, sources, color), file=sys.stderr, flush=True)


def fail(message: str) -> NoReturn:
    """The end of the program: it was called in a way that makes no sense."""
    print(f"recipe: {message}", file=sys.stderr)
    sys.exit(USAGE)


def complete_recipe(incomplete: str) -> list[str]:
    """Recipe files for shell completion, or their names once one is begun."""
    found = recipe_files(Path())
    names = [path.stem for path in found] if incomplete else []
    return [name for name in (*map(str, found), *names) if name.startswith(incomplete)]


def complete_stage(ctx: Any, incomplete: str) -> list[str]:
    """The stages of the recipe that is named before, for shell completion."""
    names = dict.fromkeys(name for instance in _named(ctx) for name in instance.recipe.stages)
    return [name for name in names if name.startswith(incomplete)]


def complete_variant(ctx: Any, incomplete: str) -> list[str]:
    """The variants of the recipe that is named before, for shell completion."""
    return [i.variant for i in _named(ctx) if i.variant is not None and i.variant.startswith(incomplete)]


def _named(ctx: Any) -> tuple[Instance, ...]:
    given = [ctx.params.get("file"), *ctx.args]  # an option without its value leaves the file unparsed
    file = next((str(name) for name in given if name), None)
    try:
        return load(located(Path(file)), {}).instances if file else ()
    except RecipeError:
        return ()
