"""What has to be in order before a recipe is moved."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from compiler.compilation import compiled, find_stale
from compiler.move import edit
from compiler.move.names import Move, recipe_texts
from compiler.render import MANIFEST
from schema.console import recipe_files
from schema.diagnostics import Diagnostic, RecipeError, Span
from schema.load import Loaded, load
from schema.source import read_source, scan
from schema.tree import MapNode, ScalarNode


def refuse(root: Path, move: Move, loaded: Loaded, sources: dict[str, str]) -> None:
    """Look at everything before anything is changed.

    Raises:
        RecipeError: R0405 compiled files are stale, R0441 the name stands elsewhere, R0442 the new name is taken,
            R0445 a recipe names paths that would move.
    """
    found = [*_taken(root, move), *_named(root, move, sources)]
    try:
        edit.recipe_bytes(root / move.old_file, shown(root, move.old_file), move.new)
    except RecipeError as error:
        found += error.diagnostics
    if not found:
        found = [d for recipe in _compiled_ones(root, move, loaded, sources) for d in _stale(root, recipe)]
    if found:
        raise RecipeError(found)


def _compiled_ones(root: Path, move: Move, loaded: Loaded, sources: dict[str, str]) -> Iterator[Loaded]:
    """The recipe and those that extend it, as far as they have pipelines."""
    for recipe in [loaded, *(load(path, sources) for path in dependents(root, move))]:
        if is_compiled(root, recipe.instances[0].recipe.name):
            yield recipe


def _stale(root: Path, recipe: Loaded) -> tuple[Diagnostic, ...]:
    try:
        return tuple(find_stale(root, recipe, compiled(recipe)))
    except RecipeError as error:
        return error.diagnostics


def shown(root: Path, file: str) -> str:
    """A file of the project as messages name it, from the working folder."""
    return os.path.relpath(root / file)


def is_compiled(root: Path, name: str) -> bool:
    """Whether a recipe of that name has a pipeline, of whichever instance."""
    folder = root / "pipelines" / name
    return (folder / MANIFEST).exists() or any(folder.glob(f"*/{MANIFEST}"))


def dependents(root: Path, move: Move) -> list[Path]:
    """The other recipes that extend this one, directly or through a base, by its old or its new name."""
    graph = {os.path.normpath(path): path for path in recipe_texts(root)}
    reached = {os.path.normpath(root / file) for file in (move.old_file, move.new_file)}
    own, size = set(reached), 0
    while len(reached) > size:
        size = len(reached)
        reached |= {
            name for name, path in graph.items() if {edit.leads_to(path, b) for b in edit.bases(path)} & reached
        }
    recipes = {os.path.normpath(path) for path in recipe_files(root)}
    return [Path(os.path.relpath(name)) for name in sorted((reached - own) & recipes)]


def _taken(root: Path, move: Move) -> Iterator[Diagnostic]:
    """R0442: something is called like that already."""
    pairs = [(old, new) for old, new in (*move.files, *move.folders) if old != new]
    there = [new for _, new in pairs if os.path.lexists(root / new)]
    if there:
        help = "choose another name, or move away what is there"
        yield Diagnostic("R0442", f"`{move.new}` is taken: there is {', '.join(there)}", help)
    own = os.path.normpath(root / move.old_file)
    for path in recipe_files(root):
        place = _name_of(path, root) if os.path.normpath(path) != own else None
        if place and place[0] == move.new:
            help = "choose another name, or give that recipe another one"
            yield Diagnostic("R0442", f"`{move.new}` is the name of another recipe", help, (place[1],))


def _name_of(path: Path, root: Path) -> tuple[str, Span] | None:
    """A recipe's name and its place, as far as it can be read."""
    tree = _tree(path, root, {})
    entry = tree.items.get("name") if tree else None
    if entry is None or not isinstance(entry.value, ScalarNode):
        return None
    return entry.value.raw, entry.value.span


def _named(root: Path, move: Move, sources: dict[str, str]) -> Iterator[Diagnostic]:
    """R0445: paths of the results in recipes; another path can be another key, so that is not for us to change."""
    for path in recipe_texts(root):
        tree = _tree(path, root, sources)
        for place in edit.references(tree, move) if tree else ():
            message = f"{place.file} reads what would move with `{move.old}`"
            help = f"write the new path there, below `{move.folders[1][1]}`, and compile it; then call this again"
            yield Diagnostic("R0445", message, help, (place,))


def _tree(path: Path, root: Path, sources: dict[str, str]) -> MapNode | None:
    """What can be read of a recipe; what is wrong with it is for `recipe validate`."""
    display = os.path.relpath(path)
    try:
        text = read_source(path, display).text
    except RecipeError:
        return None
    sources[display] = text
    return scan(text, display).root
