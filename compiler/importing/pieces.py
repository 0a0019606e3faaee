"""Pieces of a word whose variables have their values, and the fields that they become."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

Piece = tuple[str, bool]
"""A text, and whether blanks in it separate words."""


def joined(pieces: Sequence[Piece]) -> str:
    """All of it, as an assignment takes it."""
    return "".join(text for text, _ in pieces)


def split(pieces: Sequence[Piece]) -> Iterator[str]:
    """Join pieces to fields; blanks separate in those that came from a variable without quotes."""
    current: str | None = None
    for text, splits in pieces:
        if not splits:
            current = (current or "") + text
            continue
        first, *others = re.split(r"[ \t\n]+", text)
        if first:
            current = (current or "") + first
        for other in others:
            if current is not None:
                yield current
            current = other or None
    if current is not None:
        yield current
