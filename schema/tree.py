"""The tree of a YAML text, every node with its place.

>>> here = Span("a.yaml", 1, 1, 1, 5)
>>> to_data(MapNode(here, {"seed": Entry(here, ScalarNode(here, 42, "42", True))}))
{'seed': 42}
"""

from __future__ import annotations

from dataclasses import dataclass

from schema.diagnostics import Span

Scalar = str | int | float | bool | None
Data = Scalar | list["Data"] | dict[str, "Data"]
Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """One value. `raw` is the text without its quotes; `plain` says that it stood without quotes."""

    span: Span
    value: Scalar
    raw: str
    plain: bool


@dataclass(frozen=True, slots=True)
class SeqNode:
    """A list."""

    span: Span
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapNode:
    """A map, in the order of the text."""

    span: Span
    items: dict[str, Entry]


@dataclass(frozen=True, slots=True)
class Entry:
    """A value and the place of its key."""

    key_span: Span
    value: Node


Node = ScalarNode | SeqNode | MapNode


def to_data(node: Node) -> Data:
    """The tree as dicts, lists and scalars, without places."""
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, MapNode):
        return {key: to_data(entry.value) for key, entry in node.items.items()}
    return [to_data(item) for item in node.items]


def find(node: Node, loc: Loc) -> Node | None:
    """The node at `loc` (keys and list indices from the root), or None."""
    current: Node | None = node
    for step in loc:
        current = child(current, step) if current is not None else None
    return current


def child(node: Node, step: str | int) -> Node | None:
    """The node one step down, or None."""
    if isinstance(node, MapNode):
        entry = node.items.get(str(step))
        return entry.value if entry else None
    if isinstance(node, SeqNode) and isinstance(step, int) and 0 <= step < len(node.items):
        return node.items[step]
    return None


def value_span(node: Node, loc: Loc) -> Span:
    """The place of the value at `loc`.

    Where nothing stands there: the scalar or list that stands in its way, or the key of the map that lacks it.
    """
    current: Node = node
    for step in loc:
        below = child(current, step)
        if below is None:
            return key_span(node, loc) if isinstance(current, MapNode) else current.span
        current = below
    return current.span


def key_span(node: Node, loc: Loc) -> Span:
    """The place of the key at `loc` (of a list item: the item), or of the deepest ancestor that exists.

    The root has no key: its first key stands for it.
    """
    place = _first_key(node)
    current: Node | None = node
    for step in loc:
        entry = current.items.get(str(step)) if isinstance(current, MapNode) else None
        current = entry.value if entry else child(current, step) if current else None
        if current is None:
            break
        place = entry.key_span if entry else current.span
    return place


def _first_key(node: Node) -> Span:
    if isinstance(node, MapNode) and node.items:
        return next(iter(node.items.values())).key_span
    return node.span
