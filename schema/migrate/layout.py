"""Where the entries of a map stand in a text: offsets, lines, comments, block and flow style."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from schema.diagnostics import Span
from schema.tree import Entry, MapNode, Node, SeqNode

BREAK = re.compile(r"\r\n|\r|\n")
_COMMENT = re.compile(r"[ \t]*#")
_ALIAS = re.compile(r"\*[^\s,\[\]{}]+")
_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*\s+)*")
_COLON = re.compile(r"\s*:")


@dataclass(frozen=True, slots=True)
class Extent:
    """The offsets of an entry's key and value, as they stand at this place: an alias is a value."""

    key: int
    key_end: int
    value: int
    end: int


@dataclass(frozen=True)
class Layout:
    """A text and its tree."""

    text: str
    root: MapNode

    @cached_property
    def starts(self) -> list[int]:
        """The offset of each line; lines count from 0."""
        return [0, *(found.end() for found in BREAK.finditer(self.text))]

    @cached_property
    def newline(self) -> str:
        """The line break of this text."""
        found = BREAK.search(self.text)
        return found[0] if found else "\n"

    @cached_property
    def parents(self) -> dict[int, Entry]:
        """Map → the entry in which it is written out."""
        return {id(entry.value): entry for entry in reversed(self._entries) if not is_alias(entry)}

    @cached_property
    def shared(self) -> set[int]:
        """The maps and lists that an alias stands for, too."""
        return {id(entry.value) for entry in self._entries if is_alias(entry)}

    @cached_property
    def _entries(self) -> list[Entry]:
        """The entries of all maps, each map once."""
        found: list[Entry] = []
        seen: set[int] = set()
        waiting: list[Node] = [self.root]
        while waiting:
            node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, MapNode):
                found += node.items.values()
                waiting += [entry.value for entry in node.items.values()]
            elif isinstance(node, SeqNode):
                waiting += node.items
        return found

    def offset(self, line: int, column: int) -> int:
        """The offset of a place that counts from 1."""
        return self.starts[line - 1] + column - 1

    def line(self, offset: int) -> int:
        """The line of an offset."""
        return bisect_right(self.starts, offset) - 1

    def line_end(self, line: int) -> int:
        """The offset after a line and its break."""
        return self.starts[line + 1] if line + 1 < len(self.starts) else len(self.text)

    def extent(self, entry: Entry) -> Extent:
        """Where an entry stands."""
        key, key_end = self.offsets(entry.key_span)
        if is_alias(entry):
            found = _ALIAS.search(self.text, key_end)
            assert found is not None
            return Extent(key, key_end, found.start(), found.end())
        value, end = self.offsets(entry.value.span)
        return Extent(key, key_end, max(value, key_end), max(end, key_end))

    def offsets(self, span: Span) -> tuple[int, int]:
        """The offsets of a place."""
        return self.offset(span.line, span.column), self.offset(span.end_line, span.end_column)

    def slice(self, span: Span) -> str:
        """The text of a place."""
        return self.text[slice(*self.offsets(span))]

    def opening(self, node: MapNode) -> int | None:
        """The offset of the `{` of a map in flow style; None in block style."""
        at = self.content(node)
        return at if self.text.startswith("{", at) else None

    def content(self, node: MapNode) -> int:
        """Where a map begins behind its anchor."""
        found = _PROPERTIES.match(self.text, self.offset(node.span.line, node.span.column))
        assert found is not None
        return found.end()

    def after_colon(self, entry: Entry) -> int:
        """The offset behind the `:` of an entry."""
        found = _COLON.match(self.text, self.extent(entry).key_end)
        assert found is not None
        return found.end()

    def first_line(self, node: MapNode, key: str) -> int:
        """The line where an entry of a map in block style begins: that of the comments right above it."""
        floor = self._floor(node, key)
        line = self.line(self.extent(node.items[key]).key)
        while line - 1 > floor and _COMMENT.match(self.text, self.starts[line - 1]):
            line -= 1
        return line

    def last_line(self, entry: Entry) -> int:
        """The line where an entry ends."""
        return self.line(self.extent(entry).end)

    def trailing(self, entry: Entry) -> str:
        """The comment behind an entry's value, from its `#`, or nothing."""
        return self.behind(entry).lstrip(" \t")

    def behind(self, entry: Entry) -> str:
        """The comment behind an entry's value with the space before it, or nothing."""
        end = self.extent(entry).end
        rest = BREAK.split(self.text[end : self.line_end(self.line(end))])[0].rstrip(" \t")
        return rest if rest.lstrip(" \t").startswith("#") else ""

    def _floor(self, node: MapNode, key: str) -> int:
        """The last line that belongs to what stands before an entry."""
        names = list(node.items)
        if (number := names.index(key)) > 0:
            return self.last_line(node.items[names[number - 1]])
        above = self.parents.get(id(node))
        return self.line(self.after_colon(above)) if above else -1


def is_alias(entry: Entry) -> bool:
    """Whether an entry's value is written elsewhere: an anchor always stands before its aliases."""
    value, key = entry.value.span, entry.key_span
    return (value.line, value.column) < (key.line, key.column)
