"""Texts and documents that name a recipe, with its new name: only what has to change does."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from compiler.move.names import Move
from schema.diagnostics import Diagnostic, RecipeError, Span
from schema.lock import HEAD
from schema.source import parse, read_source, scan
from schema.tree import MapNode, Node, ScalarNode, SeqNode, to_data

BOM = b"\xef\xbb\xbf"
_BREAK = re.compile(r"\r\n|\r|\n")


def spliced(text: str, edits: Iterable[tuple[Span, str]]) -> str:
    """A text with other words in some places, each within a line."""
    starts = [0, *(match.end() for match in _BREAK.finditer(text))]
    for span, words in sorted(edits, reverse=True):
        start = starts[span.line - 1]
        text = text[: start + span.column - 1] + words + text[start + span.end_column - 1 :]
    return text


def recipe_bytes(path: Path, display: str, new: str) -> bytes:
    """A recipe under another name; comments and layout stay.

    Raises:
        RecipeError: it cannot be read; R0441 its name does not stand in it as a text of its own.
    """
    text = read_source(path, display).text
    tree = parse(text, display)
    place = _own_name(display, tree)
    edited = spliced(text, [(place, _scalar(new))])
    found = scan(edited, display)
    if found.root is None or found.diagnostics or _data(found.root) != {**_data(tree), "name": new}:
        help = "write `name: NAME` on a line of its own, without an anchor"
        raise RecipeError([Diagnostic("R0441", "this name cannot be changed by itself", help, (place,))])
    return (BOM if path.read_bytes().startswith(BOM) else b"") + edited.encode()


def _data(tree: MapNode) -> dict[str, Any]:
    found = to_data(tree)
    assert isinstance(found, dict)
    return found


def _own_name(display: str, tree: MapNode) -> Span:
    entry = tree.items.get("name")
    if entry is None:
        message, help = f"{display} has its name from a base", "write `name: NAME` into the recipe itself, and compile"
        raise RecipeError([Diagnostic("R0441", message, help, (Span(display, 1, 1, 1, 1),))])
    return entry.value.span


def _scalar(name: str) -> str:
    """A name as YAML, in quotes where it would be read as a number or nothing."""
    plain = parse(f"name: {name}\n", "").items["name"].value
    return name if isinstance(plain, ScalarNode) and plain.value == name else f'"{name}"'


def lock_bytes(path: Path, move: Move) -> bytes:
    """A recipe's lock, whose first line names the recipe."""
    content = path.read_bytes()
    head = HEAD.format(recipe=move.old_file).encode()
    return HEAD.format(recipe=move.new_file).encode() + content[len(head) :] if content.startswith(head) else content


def bases(path: Path) -> list[ScalarNode]:
    """The names of the files that a file extends, as far as it can be read."""
    try:
        root = scan(read_source(path, str(path)).text, str(path)).root
    except RecipeError:
        return []
    entry = root.items.get("extends") if root else None
    listed = entry.value.items if entry and isinstance(entry.value, SeqNode) else ()
    return [name for name in listed if isinstance(name, ScalarNode) and name.raw and "\0" not in name.raw]


def leads_to(path: Path, base: ScalarNode) -> str:
    """The file that a name under `extends` of a file means."""
    return os.path.normpath(path.parent / base.raw)


def extending_bytes(path: Path, move: Move, root: Path) -> bytes | None:
    """A file that extends the recipe, under its new name; None where it does not."""
    old = os.path.normpath(root / move.old_file)
    meant = [base for base in bases(path) if leads_to(path, base) == old]
    if not meant:
        return None
    content = path.read_bytes()
    text = content.removeprefix(BOM).decode()
    name = PurePosixPath(move.new_file).name
    edits = [(base.span, _beside(base, name)) for base in meant]
    return (BOM if content.startswith(BOM) else b"") + spliced(text, edits).encode()


def _beside(base: ScalarNode, name: str) -> str:
    """The name of a file beside another one, written as that is."""
    words = base.raw[: -len(PurePosixPath(base.raw).name)] + name
    return words if base.plain else json.dumps(words)


def references(node: Node, move: Move) -> Iterator[Span]:
    """The places where a recipe names a path of the moved recipe's results or compiled files; notes do not count."""
    if isinstance(node, MapNode):
        for key, entry in node.items.items():
            if not key.startswith("x-"):
                yield from references(entry.value, move)
    elif isinstance(node, SeqNode):
        for item in node.items:
            yield from references(item, move)
    elif any(PurePosixPath(os.path.normpath(node.raw or ".")).is_relative_to(old) for old, _ in move.folders):
        yield node.span


def record(document: Any, move: Move) -> Any:
    """A run record whose stage, log and inputs are where they are after the move; what ran stays as it was told."""
    inputs = document.get("inputs")
    moved = {
        role: {**given, "path": move.after(str(given["path"]))}
        if isinstance(given, dict) and "path" in given
        else given
        for role, given in (inputs.items() if isinstance(inputs, dict) else ())
    }
    log = document.get("log")
    stage = f"{move.new}/{str(document['stage']).removeprefix(f'{move.old}/')}"
    return {**document, "stage": stage, "inputs": moved, **({"log": move.after(log)} if isinstance(log, str) else {})}
