"""How new entries of a map are written: their values, and the comments that come with what moves."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from schema.diagnostics import Diagnostic, RecipeError, Span
from schema.migrate.changes import Move, Remove
from schema.migrate.layout import Layout, is_alias
from schema.tree import MapNode, Scalar, ScalarNode, SeqNode

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_UNFIT_IN_FLOW = re.compile(r"[,\[\]{}]")


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that was not in the text."""

    value: Scalar


Tree = dict[str, "New"]
New = Tree | Move | Literal


@dataclass(slots=True)
class Touched:
    """A map, what leaves it, and what comes: name → new entry, and the entries of this map whose place it can take."""

    node: MapNode
    gone: dict[str, Move | Remove] = field(default_factory=dict)
    new: Tree = field(default_factory=dict)
    places: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


@dataclass(frozen=True, slots=True)
class Replacement:
    """Text instead of a range of offsets. Of two insertions at one offset, the deeper comes first."""

    start: int
    end: int
    text: str
    depth: int = 0


def refuse(span: Span) -> NoReturn:
    """R0724: the text is written in a way that cannot be changed piece by piece."""
    help = "write this map out, without anchors, aliases and `?` keys, and migrate again"
    raise RecipeError([Diagnostic("R0724", "this is written in a way that a migration cannot edit", help, (span,))])


def moves(new: New) -> Iterator[Move]:
    """The entries that a new entry is made of."""
    if isinstance(new, Move):
        yield new
    elif isinstance(new, dict):
        for below in new.values():
            yield from moves(below)


def scalar(value: Scalar) -> str:
    """A value as YAML."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value not in ("true", "false", "null"):
        return value
    return json.dumps(value, ensure_ascii=False)


def in_flow(layout: Layout, new: New) -> str:
    """A new entry's value in flow style. Errors: RecipeError R0724, when a text of several lines is in it."""
    if isinstance(new, Literal):
        return scalar(new.value)
    if isinstance(new, Move):
        value = value_in_flow(layout, new)
        return refuse(new.map.items[new.key].key_span) if value is None else value
    return "{" + ", ".join(f"{name}: {in_flow(layout, below)}" for name, below in new.items()) + "}"


def value_in_flow(layout: Layout, move: Move) -> str | None:
    """The value of an entry as it can stand in flow style, or None."""
    entry = move.map.items[move.key]
    extent = layout.extent(entry)
    raw, node = layout.text[extent.value : extent.end], entry.value
    if is_alias(entry):
        return raw
    if isinstance(node, ScalarNode):
        fits = "\n" not in raw and "\r" not in raw and not (node.plain and _UNFIT_IN_FLOW.search(node.raw))
        return (raw or "null") if fits else None
    if "\n" not in raw and "\r" not in raw and not raw.startswith("- "):
        return raw
    if isinstance(node, SeqNode) and "#" not in raw and not raw.startswith("&"):
        return _list_in_flow(layout, node)
    return None


def _list_in_flow(layout: Layout, node: SeqNode) -> str | None:
    """A list of plain values."""
    if not all(isinstance(item, ScalarNode) and item.span.line == item.span.end_line for item in node.items):
        return None
    items = [layout.slice(item.span) for item in node.items]
    return None if any(map(_UNFIT_IN_FLOW.search, items)) else f"[{', '.join(items)}]"


def is_block(layout: Layout, node: MapNode) -> bool:
    """Whether a map is in block style."""
    return layout.opening(node) is None


def leading(layout: Layout, node: MapNode, key: str) -> str:
    """The comment lines above an entry of a map in block style."""
    first = layout.starts[layout.first_line(node, key)]
    return layout.text[first : layout.starts[layout.line(layout.extent(node.items[key]).key)]]


def comments(layout: Layout, node: MapNode, key: str, indent: int) -> str:
    """The comments at an entry of a map in block style, each on a line of its own."""
    behind = layout.trailing(node.items[key])
    return leading(layout, node, key) + (" " * indent + behind + layout.newline if behind else "")


def indentation(layout: Layout, node: MapNode) -> int:
    """The columns before the keys of a map in block style. Errors: RecipeError R0724, when a key shares its line."""
    first = next(iter(node.items.values()))
    key = layout.extent(first).key
    before = layout.text[layout.starts[layout.line(key)] : key]
    return refuse(first.key_span) if before.strip(" ") else len(before)
