"""Changes of a tree as edits of its text: what is not changed keeps its bytes, comments stay at what they are about.

An entry that moves into a new map gives it its place: a line in flow style where nothing speaks against it, a block where
entries have comments or several lines. The result is read again and compared with what the changes say about the data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from schema.diagnostics import Diagnostic, RecipeError
from schema.migrate.block import block
from schema.migrate.changes import Change, Move, Put, Remove, applied
from schema.migrate.flow import flow
from schema.migrate.layout import Layout, is_alias
from schema.migrate.written import Literal, Replacement, Touched, is_block, refuse, scalar
from schema.source import parse
from schema.tree import Entry, MapNode, to_data


def edited(text: str, root: MapNode, changes: Sequence[Change]) -> str:
    """A text after changes of its tree.

    Raises:
        RecipeError: R0720, R0721 or R0724, where a change cannot be made.
    """
    if not changes:
        return text
    result = _Editor(Layout(text, root)).run(changes)
    try:
        found = to_data(parse(result, root.span.file))
    except RecipeError:
        found = None
    if _exact(found) != _exact(applied(root, changes)):
        refuse(changes[0].map.span)
    return result


def _exact(data: object) -> str:
    """For comparisons: true is not 1."""
    return json.dumps(data, sort_keys=True)


class _Editor:
    """Sorts changes by the map that they touch, then has each map written."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.touched: dict[int, Touched] = {}
        self.over: list[Replacement] = []

    def run(self, changes: Sequence[Change]) -> str:
        for change in changes:
            if not isinstance(change, Put):
                self._map(change.map).gone[change.key] = change
        for change in changes:
            if not isinstance(change, Remove):
                self._arrive(change)
        return self._joined([*self.over, *self._replacements()])

    def _replacements(self) -> Iterator[Replacement]:
        for touched in self.touched.values():
            if touched.gone or touched.new:
                yield from (block if is_block(self.layout, touched.node) else flow)(self.layout, touched)

    def _joined(self, replacements: Sequence[Replacement]) -> str:
        text, pieces, at = self.layout.text, [], 0
        for one in sorted(replacements, key=lambda one: (one.start, one.end, -one.depth)):
            if one.start < at:
                refuse(self.layout.root.span)
            pieces += [text[at : one.start], one.text]
            at = one.end
        return "".join([*pieces, text[at:]])

    def _map(self, node: MapNode) -> Touched:
        return self.touched.setdefault(id(node), Touched(node))

    def _arrive(self, change: Move | Put) -> None:
        """Find the map where something arrives, as deep as there is one."""
        node, (name, *rest) = change.map, change.to
        while rest and self._stays(node, name):
            node, name, rest = self._below(node.items[name], change), rest[0], rest[1:]
        if self._stays(node, name):
            self._replace(node.items[name], change)
            return
        touched = self._map(node)
        if node is change.map:
            touched.places[name].add(change.key if isinstance(change, Move) else change.near)
        tree = touched.new
        for step in rest:
            below = tree.setdefault(name, {})
            assert isinstance(below, dict)
            tree, name = below, step
        tree[name] = change if isinstance(change, Move) else Literal(change.value)

    def _stays(self, node: MapNode, name: str) -> bool:
        return name in node.items and name not in self._map(node).gone

    def _below(self, entry: Entry, change: Move | Put) -> MapNode:
        """The map of an entry on the way to a place."""
        where = ".".join(change.to)
        name = self.layout.slice(entry.key_span)
        if not isinstance(entry.value, MapNode):
            message = f"`{name}` has to be a map: `{where}` belongs into it"
            raise RecipeError([Diagnostic("R0720", message, "write fields with their values", (entry.key_span,))])
        if is_alias(entry) or id(entry.value) in self.layout.shared:
            message = f"`{name}` is shared through an anchor, and `{where}` belongs to one of the places"
            help = f"write `{name}` out where it is used, and migrate again"
            raise RecipeError([Diagnostic("R0724", message, help, (entry.key_span,))])
        return entry.value

    def _replace(self, entry: Entry, change: Move | Put) -> None:
        """Something is there already: a value is replaced, an entry that moves has no room."""
        if isinstance(change, Move):
            message = f"`{change.key}` and `{'.'.join(change.to)}`, which it became, are both written"
            places = (change.map.items[change.key].key_span, replace(entry.key_span, label="and here"))
            raise RecipeError([Diagnostic("R0721", message, "remove one of them", places)])
        extent = self.layout.extent(entry)
        gap = " " if extent.value == self.layout.after_colon(entry) else ""
        self.over.append(Replacement(extent.value, extent.end, gap + scalar(change.value)))
