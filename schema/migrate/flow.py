"""Changes of a map in flow style: entries between `{` and `}`, separated by commas."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from schema.migrate.block import comments_above
from schema.migrate.layout import BREAK, Extent, Layout
from schema.migrate.written import Replacement, Touched, in_flow, moves


def flow(layout: Layout, touched: Touched) -> Iterator[Replacement]:
    """The replacements that a map in flow style needs."""
    node, keys = touched.node, list(touched.node.items)
    placed: dict[str, list[str]] = defaultdict(list)
    front: list[str] = []
    back: list[str] = []
    for name, new in touched.new.items():
        written = f"{name}: {in_flow(layout, new)}"
        at = next((key for key in keys if key in touched.places[name] and key in touched.gone), None)
        if at is not None:
            placed[at].append(written)
        elif any(moves(new)):  # from the map around it: first, so that an anchor stays before its aliases
            front.append(written)
            yield from comments_above(layout, node, new)
        else:
            back.append(written)
    yield from _gone(layout, touched, placed)
    left = [key for key in keys if key not in touched.gone or placed[key]]
    if not left:
        opening = layout.opening(node)
        assert opening is not None
        yield Replacement(opening + 1, opening + 1, ", ".join(front + back))
        return
    if front:
        first = layout.extent(node.items[left[0]]).key
        yield Replacement(first, first, ", ".join(front) + ", ", 1)
    if back:
        last = layout.extent(node.items[left[-1]]).end
        yield Replacement(last, last, ", " + ", ".join(back))


def _gone(layout: Layout, touched: Touched, placed: dict[str, list[str]]) -> Iterator[Replacement]:
    """Entries that go, with a comma each; those that something takes the place of keep theirs."""
    items = touched.node.items
    keys = list(items)
    kept = [number for number, key in enumerate(keys) if key not in touched.gone or placed[key]]
    behind = kept[-1] if kept else -1
    for number, key in enumerate(keys):
        extent = layout.extent(items[key])
        if placed[key]:
            yield Replacement(extent.key, extent.end, ", ".join(placed[key]))
        elif key in touched.gone and number < behind:
            following = layout.extent(items[keys[number + 1]]).key
            yield Replacement(*_one_gone(layout, extent, following), "")
    if behind < len(keys) - 1:
        yield from _end_gone(layout, touched, keys, behind)


def _end_gone(layout: Layout, touched: Touched, keys: Sequence[str], behind: int) -> Iterator[Replacement]:
    """The last entries go, all behind one that stays. Where a comment is between them, it stays, and so does a comma."""
    extents = [layout.extent(touched.node.items[key]) for key in keys]
    start = extents[behind].end if behind >= 0 else extents[0].key
    if "#" not in layout.text[start : extents[-1].end]:
        yield Replacement(start, extents[-1].end, "")
        return
    for number in range(behind + 1, len(keys)):
        last = number == len(keys) - 1
        end = extents[number].end if last else _with_comma(layout.text, extents[number].end)
        yield Replacement(extents[number].key, end, "")


def _one_gone(layout: Layout, extent: Extent, following: int) -> tuple[int, int]:
    """The range of an entry with its comma. The break of a line that it ends stays, and so does a comment behind it."""
    text = layout.text
    gap = text[extent.end : following]
    begins_line = not text[layout.starts[layout.line(extent.key)] : extent.key].strip()
    if "#" not in gap and (begins_line or not BREAK.search(gap)):
        return extent.key, following
    start = extent.key if begins_line else len(text[: extent.key].rstrip(" "))
    return start, _with_comma(text, extent.end)


def _with_comma(text: str, end: int) -> int:
    return text.index(",", end) + 1
