"""What a migration does to a file, as data: entries of maps move, go, or come.

A transform names maps by their nodes in the tree of the file. A map that stands behind an anchor is one node, wherever it
is used, so a change of it counts everywhere, as in the text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from schema.diagnostics import Span
from schema.tree import MapNode, Node, Scalar, ScalarNode


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """An entry of a map goes to another place below that map, with its value as it is written and its comments."""

    map: MapNode
    key: str
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Remove:
    """An entry of a map goes. Comments at it go to its heir, a new entry; without one they stay, and the entry among them."""

    map: MapNode
    key: str
    heir: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Put:
    """A value comes to a place below a map, or replaces the one that is there. `near` is an entry whose place it takes."""

    map: MapNode
    to: tuple[str, ...]
    value: Scalar
    near: str = ""


Change = Move | Remove | Put


@dataclass(frozen=True, slots=True)
class Edit:
    """One line for a person, with its place in the old text, and the changes of that file that it stands for."""

    note: str
    span: Span
    changes: tuple[Change, ...]


def applied(root: MapNode, changes: Iterable[Change]) -> Any:
    """The data of a tree after its changes: what an edited text has to say."""
    copies: dict[int, Any] = {}
    data = _copy(root, copies)
    for change in changes:
        target = copies[id(change.map)]
        if isinstance(change, Remove):
            del target[change.key]
            continue
        value = change.value if isinstance(change, Put) else target.pop(change.key)
        for step in change.to[:-1]:
            target = target.setdefault(step, {})
        target[change.to[-1]] = value
    return data


def _copy(node: Node, copies: dict[int, Any]) -> Any:
    """As `to_data`, but what is one node is one object."""
    if isinstance(node, ScalarNode):
        return node.value
    if id(node) not in copies:
        if isinstance(node, MapNode):
            copies[id(node)] = {key: _copy(entry.value, copies) for key, entry in node.items.items()}
        else:
            copies[id(node)] = [_copy(item, copies) for item in node.items]
    return copies[id(node)]
