"""The way of a move, as steps in an order in which each can be the last before the machine stops.

The recipe goes first: from then on no pipeline under the old name can run, because DVC misses the recipe, and none under
the new one, because its check finds other files than the recipe compiles to. Compiling comes last and puts that right.
Every step finds out what is left to do, so that calling it again does the rest.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from compiler import compilation
from compiler.move import edit
from compiler.move.names import Move, recipe_texts
from compiler.move.refuse import dependents, is_compiled, shown
from compiler.write import LOCK, remove_leftovers
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import read_json, write_atomically, write_json
from schema.load import load

RECORD = "run.json"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is to be done: in words, and the act. Both are about paths relative to the root."""

    words: str
    act: Callable[[], None]


def steps(root: Path, move: Move) -> Iterator[Step]:
    """What is left to do. Look at all of it, or do each before asking for the next: both tell the same."""
    for kind in (_recipe, _lock, _extending, _folders, _records, _dvc_locks, _root_files, _compile):
        yield from kind(root, move)


def _recipe(root: Path, move: Move) -> Iterator[Step]:
    old, new = root / move.old_file, root / move.new_file
    if old.exists():
        yield Step(f"{move.old_file} → {move.new_file}, with `name: {move.new}`", partial(_move_recipe, old, new, move))


def _move_recipe(old: Path, new: Path, move: Move) -> None:
    content = edit.recipe_bytes(old, os.path.relpath(old), move.new)
    write_atomically(new, content)
    if old != new:
        old.unlink()


def _lock(root: Path, move: Move) -> Iterator[Step]:
    old, new = (root / name for name in move.files[1])
    if old.exists() and old != new:
        yield Step(f"{move.files[1][0]} → {move.files[1][1]}", partial(_move_lock, old, new, move))


def _move_lock(old: Path, new: Path, move: Move) -> None:
    write_atomically(new, edit.lock_bytes(old, move))
    old.unlink()


def _extending(root: Path, move: Move) -> Iterator[Step]:
    """Other recipes name it under `extends`."""
    for path in recipe_texts(root):
        content = edit.extending_bytes(path, move, root) if move.old_file != move.new_file else None
        if content is not None:
            words = f"{path.relative_to(root)}: `extends` names {Path(move.new_file).name}"
            yield Step(words, partial(write_atomically, path, content))


def _folders(root: Path, move: Move) -> Iterator[Step]:
    for old, new in move.folders:
        if os.path.lexists(root / old):
            yield Step(f"{old} → {new}", partial(_move_folder, root, old, new))


def _move_folder(root: Path, old: str, new: str) -> None:
    """One act of the file system. Raises RecipeError R0446 where something made the old folder anew meanwhile."""
    if os.path.lexists(root / new):
        message = f"{old} and {new} are both there: something was put there while a move was cut off"
        raise RecipeError([Diagnostic("R0446", message, "keep the one that is right, and call this again")])
    (root / old).rename(root / new)


def _present(root: Path, pair: tuple[str, str]) -> Path:
    """A folder where it is now."""
    return root / (pair[1] if os.path.lexists(root / pair[1]) else pair[0])


def _records(root: Path, move: Move) -> Iterator[Step]:
    """Run records say which stage ran, and where its inputs lay."""
    outputs = _present(root, move.folders[1]) if move.folders else None
    for file in sorted([*outputs.glob(f"*/{RECORD}"), *outputs.glob(f"*/*/{RECORD}")]) if outputs else ():
        document: Any = read_json(file)
        title = f"{move.old}/{file.parent.relative_to(outputs).as_posix()}" if outputs else ""
        if isinstance(document, dict) and document.get("stage") == title:
            place = root / move.after(file.relative_to(root).as_posix())
            words = f"{place.relative_to(root)}: the run of {move.new}/{title.partition('/')[2]}"
            yield Step(words, partial(write_json, place, edit.record(document, move)))


def _dvc_locks(root: Path, move: Move) -> Iterator[Step]:
    """DVC's record of what ran: commands and paths; digests stay."""
    pipelines = _present(root, move.folders[0]) if move.folders else root / "pipelines" / move.old
    for file in (pipelines / LOCK, *sorted(pipelines.glob(f"*/{LOCK}"))):
        yield from _in_text(root, move, file, root / move.after(file.relative_to(root).as_posix()))


def _root_files(root: Path, move: Move) -> Iterator[Step]:
    """Stages that are about the repository as a whole, and what DVC has recorded of them."""
    for name in ("dvc.yaml", LOCK):
        yield from _in_text(root, move, root / name, root / name)


def _in_text(root: Path, move: Move, file: Path, place: Path) -> Iterator[Step]:
    text = _text(file)
    edited = move.in_text(text)
    if edited != text:
        yield Step(
            f"{place.relative_to(root)}: the new paths", partial(write_atomically, place, edited.encode(*CODING))
        )


CODING = ("utf-8", "surrogateescape")
"""Bytes that are no text stay as they are."""


def _text(file: Path) -> str:
    return file.read_bytes().decode(*CODING) if file.is_file() else ""


def _compile(root: Path, move: Move) -> Iterator[Step]:
    """The recipe, and those that extend it, whose pipelines name its file."""
    if is_compiled(root, move.old) or is_compiled(root, move.new):
        yield Step(f"recipe compile {move.new_file}", partial(_compile_one, Path(shown(root, move.new_file)), move))
    for path in dependents(root, move):
        loaded = load(path, {})
        if is_compiled(root, loaded.instances[0].recipe.name):
            yield Step(f"recipe compile {loaded.file}", partial(_compile_one, path, move))


def _compile_one(path: Path, move: Move) -> None:
    if compilation.run([path]) != 0:
        message = f"`{move.old}` is called `{move.new}` now, but {path} does not compile"
        raise RecipeError([Diagnostic("R0444", message, "mend it, and call this again")])


def tidy(root: Path, move: Move) -> None:
    """Take away what a move that was killed had begun to write."""
    folders = {root, root / ".recipe", (root / move.new_file).parent, *(path.parent for path in recipe_texts(root))}
    for top in (f"outputs/{move.new}", f"pipelines/{move.new}"):
        folders |= {root / top, *(root / top).glob("*/"), *(root / top).glob("*/*/")}
    for folder in folders:
        remove_leftovers(folder)
