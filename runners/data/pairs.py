"""Rows with a text that belongs to what is asked, and with others that do not: what embeddings are trained on.

{"messages": [{"role": "user", "content": "<image>"}], "images": ["1.jpg"], "positive": "a cat", "negatives": ["a dog"]}
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from runners.data.rows import IMAGE_TAG, Place, Row
from schema.diagnostics import Diagnostic


def texts(value: Any, place: Place) -> tuple[str, ...] | Diagnostic:
    """The list of texts in a cell: a list, or one as JSON; none where there is no value."""
    if value is None or value == "":
        return ()
    try:
        listed = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        listed = None
    if not isinstance(listed, list) or not all(isinstance(text, str) for text in listed):
        return place.refuse("R0652", "`negatives` is no list of texts", 'write ["a dog", "a horse"]')
    return tuple(listed)


def check(row: Row) -> Diagnostic | None:
    """What is wrong with the texts of a row, if anything. Where none is written, the row's class is the text."""
    positive = written(row)
    if positive is None:
        return row.place.refuse("R0652", "no text belongs to the row", 'write "positive": "…"')
    for text in (positive, *row.negatives):
        if not text.strip():
            return row.place.refuse("R0652", "a text of the row is empty", "write what an engine can read")
        if IMAGE_TAG in text:
            return row.place.refuse("R0652", f"a text has an `{IMAGE_TAG}`", "pictures belong into what is asked")
    if positive in row.negatives:
        message = "the same text belongs to the row and does not belong to it"
        return row.place.refuse("R0652", message, "remove it from `negatives`")
    return None


def written(row: Row) -> str | None:
    """The text that belongs to a row."""
    return row.positive if row.positive is not None else row.label


def uneven(rows: Sequence[Row]) -> Iterator[tuple[Diagnostic, Sequence[int]]]:
    """R0652: the rows without negatives where others have some, with their indices: the engine breaks on a mixture."""
    bare = [index for index, row in enumerate(rows) if not row.negatives]
    if 0 < len(bare) < len(rows):
        for index in bare:
            message = "this row has no `negatives` and others have some"
            yield rows[index].place.refuse("R0652", message, "give all rows some, or none"), (index,)
