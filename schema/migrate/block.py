"""Changes of a map in block style: whole lines go, come, or move with another indentation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from schema.migrate.changes import Move, Remove
from schema.migrate.layout import Layout
from schema.migrate.written import (
    Literal,
    New,
    Replacement,
    Touched,
    comments,
    in_flow,
    indentation,
    is_block,
    leading,
    moves,
    scalar,
    value_in_flow,
)
from schema.tree import MapNode

WIDTH = 120
"""Columns of a line in flow style."""
STEP = 2


def block(layout: Layout, touched: Touched) -> Iterator[Replacement]:
    """The replacements that a map in block style needs."""
    node, indent = touched.node, indentation(layout, touched.node)
    keys = list(node.items)
    if not touched.new and all(key in touched.gone for key in keys):
        yield _empty(layout, node)
    placed: dict[str, list[str]] = defaultdict(list)
    for name, new in touched.new.items():
        at = next((key for key in keys if key in touched.places[name]), None)
        if at is not None:
            placed[at].append(_entry(layout, name, new, indent, _inherited(layout, touched, name, indent)))
        elif any(moves(new)):  # from the map around it: first, so that an anchor stays before its aliases
            start = layout.starts[layout.first_line(node, keys[0])]
            yield _insert(layout, start, _entry(layout, name, new, indent), indent)
        else:
            end = layout.line_end(layout.last_line(node.items[keys[-1]]))
            yield _insert(layout, end, _entry(layout, name, new, indent), indent)
    for key in keys:
        yield from _at(layout, touched, key, "".join(placed[key]), indent)


def _at(layout: Layout, touched: Touched, key: str, written: str, indent: int) -> Iterator[Replacement]:
    """What happens at an entry: it goes, and something takes its place or comes after it."""
    end = layout.line_end(layout.last_line(touched.node.items[key]))
    gone = touched.gone.get(key)
    if gone is None:
        if written:
            yield _insert(layout, end, written, indent)
        return
    kept = (
        _commented(layout, touched.node, key, indent) if isinstance(gone, Remove) and not _heir(touched, gone) else ""
    )
    yield Replacement(layout.starts[layout.first_line(touched.node, key)], end, kept + written, indent)


def _heir(touched: Touched, gone: Remove) -> bool:
    """Whether the comments of an entry that goes have a new entry that they belong to."""
    return bool(touched.places[gone.heir]) if gone.heir in touched.new else False


def _commented(layout: Layout, node: MapNode, key: str, indent: int) -> str:
    """An entry that goes and has comments, as one comment: they would be about nothing without it."""
    entry = node.items[key]
    extent = layout.extent(entry)
    if not (leading(layout, node, key) or layout.trailing(entry)):
        return ""
    lines = layout.text[extent.key : layout.line_end(layout.last_line(entry))].splitlines()
    written = "".join(f"{' ' * indent}# {line}{layout.newline}" for line in lines)
    return leading(layout, node, key) + written


def _inherited(layout: Layout, touched: Touched, name: str, indent: int) -> str:
    """The comments of entries that a new one stands for."""
    gone = [key for key, gone in touched.gone.items() if isinstance(gone, Remove) and gone.heir == name]
    return "".join(comments(layout, touched.node, key, indent) for key in gone)


def _insert(layout: Layout, at: int, lines: str, depth: int) -> Replacement:
    """Whole lines at the beginning of a line, or at the end of a text whose last line has no break."""
    unbroken = at == len(layout.text) and not layout.text.endswith(("\n", "\r"))
    return Replacement(at, at, (layout.newline if unbroken else "") + lines, depth)


def _empty(layout: Layout, node: MapNode) -> Replacement:
    """A map that loses its last entry is still a map, and not null."""
    start, content = layout.offset(node.span.line, node.span.column), layout.content(node)
    properties = layout.text[start:content].rstrip()
    at = start + len(properties) if properties else layout.after_colon(layout.parents[id(node)])
    return Replacement(at, at, " {}")


def _entry(layout: Layout, name: str, new: New, indent: int, above: str = "") -> str:
    """The lines of a new entry; `above` are comments about it as a whole."""
    margin, newline = " " * indent, layout.newline
    if isinstance(new, Literal):
        return f"{above}{margin}{name}: {scalar(new.value)}{newline}"
    if isinstance(new, Move):
        return above + _chunk(layout, new, name, indent)
    moved = sorted(moves(new), key=lambda move: layout.extent(move.map.items[move.key]).key)
    line = f"{margin}{name}: {in_flow(layout, new)}" if _fits_a_line(layout, moved) else ""
    if not line or len(line) > WIDTH:
        return f"{above}{margin}{name}:{newline}" + "".join(_entry(layout, k, n, indent + STEP) for k, n in new.items())
    if not moved:
        return above + line + newline
    first = moved[0]
    behind = layout.behind(first.map.items[first.key])
    return leading(layout, first.map, first.key) + above + line + behind + newline


def _fits_a_line(layout: Layout, moved: Sequence[Move]) -> bool:
    """Whether entries can share a line: only the first has comments, and one behind it only when it is alone."""
    if any(value_in_flow(layout, move) is None for move in moved):
        return False
    if any(leading(layout, move.map, move.key) for move in moved[1:]):
        return False
    return len(moved) < 2 or not any(layout.trailing(move.map.items[move.key]) for move in moved)


def _chunk(layout: Layout, move: Move, name: str, indent: int) -> str:
    """The lines of an entry with its comments, at another indentation and under another name."""
    entry = move.map.items[move.key]
    extent = layout.extent(entry)
    start = layout.starts[layout.first_line(move.map, move.key)]
    end = layout.line_end(layout.last_line(entry))
    chunk = layout.text[start : extent.key] + name + layout.text[extent.key_end : end]
    margin = " " * (indent - indentation(layout, move.map))
    shifted = "".join(margin + line if line.strip() else line for line in chunk.splitlines(keepends=True))
    return shifted if shifted.endswith(("\n", "\r")) else shifted + layout.newline


def comments_above(layout: Layout, node: MapNode, new: New) -> Iterator[Replacement]:
    """Comments of entries that move from a map in block style into one in flow style stand above that one."""
    for move in moves(new):
        if is_block(layout, move.map) and move.map is not node:
            start = layout.starts[layout.line(layout.extent(layout.parents[id(node)]).key)]
            written = comments(layout, move.map, move.key, indentation(layout, move.map))
            if written:
                yield Replacement(start, start, written)
