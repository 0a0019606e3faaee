"""A draft as the text of a recipe that is pleasant to read, with what is not in it as its last comment."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from compiler.importing.draft import Draft, Number, Path, quoted
from compiler.importing.left import Left
from compiler.importing.rows import PLACEHOLDER
from compiler.importing.settle import Imported
from schema.stages import KINDS
from schema.yaml_core import resolve

WIDTH = 118
SCHEMA = "# yaml-language-server: $schema=../schema/recipe-v1.schema.json\n"
NOT_THERE = "Not in the recipe: decide about each"
IN_OTHER_WORDS = "In the recipe in other words, or decided by it"

_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@+-]*(?: [A-Za-z0-9_./@+-]+)*\Z")
_ORDER = ("kind", "id", "path", "external", "dataset", "adapter", "model", "data", "classes", "task")
TRAININGS = ("sft", "classify", "grpo", "dpo")
"""Kinds of stages that are written on several lines."""


def write(imported: Imported, source: str, below_recipes: bool) -> str:
    """The recipe's text. `source` is the file's name for readers, `below_recipes` whether it stands in `recipes/`."""
    draft = imported.draft
    data = draft.data()
    head = [SCHEMA if below_recipes else "", f"# Imported from {_printable(source)}."]
    head[1] += " What is not in here stands at the end.\n" if imported.left else "\n"
    sections = [
        _lines(key, data[key], 0, (), imported) for key in ("version", "name", "description", "seed") if key in data
    ]
    parts = ["".join(head) + "".join(line for lines in sections for line in lines)]
    for key in ("models", "datasets", "hardware", "stages"):
        if key in data:
            parts.append("".join(_section(key, data[key], imported)))
    for title, said in ((NOT_THERE, False), (IN_OTHER_WORDS, True)):
        left = [item for item in imported.left if item.said == said]
        if left:
            parts.append("".join(_left(title, left)))
    return "\n".join(parts)


def _section(key: str, value: Mapping[str, Any], imported: Imported) -> Iterator[str]:
    """A section of the recipe; a stage of several lines has blank lines around it."""
    if key == "hardware":
        yield from _lines(key, value, 0, (), imported)
        return
    yield f"{key}:\n"
    blocks = [list(_lines(name, entry, 2, (key,), imported)) for name, entry in value.items()]
    for number, block in enumerate(blocks):
        long_neighbour = number and (len(block) > 1 or len(blocks[number - 1]) > 1)
        if key == "stages" and long_neighbour:
            yield "\n"
        yield from block


def _lines(key: str, value: Any, indent: int, above: Path, imported: Imported) -> Iterator[str]:
    """A key and its value: on one line where that is short, and a training stage always on several."""
    path = (*above, key)
    space = " " * indent
    comment = _comment(imported.draft, path, value, imported)
    line = f"{space}{_key(key)}: {_flow(value)}"
    trains = isinstance(value, dict) and value.get("kind") in TRAININGS
    fits = len(line) + len(comment) <= WIDTH and "#" not in "".join(_inner(imported, path, value))
    if not isinstance(value, dict) or not value or (fits and not trains):
        yield f"{line}{comment}\n"
        return
    yield f"{space}{_key(key)}:{comment}\n"
    for name, item in _ordered(value):
        yield from _lines(name, item, indent + 2, path, imported)


def _inner(imported: Imported, path: Path, value: Any) -> Iterator[str]:
    """The comments of what stands inside a value; they need lines of their own."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield _comment(imported.draft, (*path, name), item, imported)
            yield from _inner(imported, (*path, name), item)


def _comment(draft: Draft, path: Path, value: Any, imported: Imported) -> str:
    """What a reader wants to know of a value."""
    placed = draft.placed.get(path)
    if value == PLACEHOLDER and placed is not None and placed.given is None and path[0] == "datasets":
        return "  # look here: is this where the data is?" if _is_placeholder(imported) else ""
    if placed is not None and placed.default and path[-1] not in ("global", "micro", "data"):
        return "  # the engine's default"
    if path[0] == "stages" and path[2:] == ("batch",):
        planned = imported.plan.stage(str(path[1])).batch
        return f"  # accumulation is derived: {planned.accumulation}" if planned else ""
    if path[0] == "datasets" and len(path) == 2 and value.get("kind") == "hub":
        return "  # rows in messages form; if not, say `columns`"
    return ""


def _is_placeholder(imported: Imported) -> bool:
    return any(PLACEHOLDER in item.reason for item in imported.left)


def _ordered(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Fields as a recipe is usually written: what it is, then the order of the language."""
    kind = next((k for k in KINDS if value.get("kind") == k.model_fields["kind"].annotation.__args__[0]), None)  # type: ignore[union-attr]
    fields = [f.alias or name for name, f in kind.model_fields.items()] if kind else []
    order = [*_ORDER, *(name for name in fields if name not in _ORDER)]
    return sorted(value.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order))


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        items = _ordered(value) if "kind" in value or "id" in value else list(value.items())
        return "{" + ", ".join(f"{_key(key)}: {_flow(item)}" for key, item in items) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _key(key: Any) -> str:
    return _scalar(str(key))


def _scalar(value: Any) -> str:
    if isinstance(value, Number):
        return value.text
    if isinstance(value, str) and _PLAIN.match(value) and _stays_text(value):
        return value
    return quoted(value)


def _stays_text(text: str) -> bool:
    try:
        return resolve(text) == text
    except ValueError:
        return False


def _left(title: str, left: Sequence[Left]) -> Iterator[str]:
    """A comment with one entry for each piece of the input, by place."""
    yield f"# {title}:\n"
    for item in left:
        place = f"{PurePath(item.place.file).name}:{item.place.line}:{item.place.column}"
        told = f"{place}  {_printable(item.whole)}"
        for number, line in enumerate([*_wrapped(told), *_wrapped(_printable(item.reason))]):
            yield f"#   {line}\n" if number == 0 else f"#     {line}\n"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH - 8, break_long_words=False, break_on_hyphens=False) or [""]


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
