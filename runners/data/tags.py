"""Rows with any number of classes: ["cat", "dog"], or in a cell of a table "cat|dog" where `|` is the `label_separator`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from runners.data.rows import Place, Row
from schema.diagnostics import Diagnostic

LIST = 'write a list, as ["cat", "dog"], and [] where no class is there'


def parse(value: Any, separator: str | None, place: Place) -> tuple[str, ...] | Diagnostic:
    """The classes of a row in their order, or why they are none. An empty cell with a separator has no classes."""
    listed = _listed(value, separator)
    if listed is None:
        what = "missing" if value is None or value == "" else f"no list: {str(value)[:80]!r}"
        help = LIST if separator else f"{LIST}; or name what stands between them: `columns.label_separator`"
        return place.refuse("R0650", f"the classes are {what}", help)
    names = [name.strip() if isinstance(name, str) else name for name in listed]
    strange = [name for name in names if not isinstance(name, str | int) or isinstance(name, bool) or name == ""]
    if strange:
        return place.refuse("R0650", f"a class is {strange[0]!r}, which is no name", "write names as texts, none empty")
    texts = [str(name) for name in names]
    twice = next((name for name in texts if texts.count(name) > 1), None)
    if twice is not None:
        return place.refuse("R0650", f"the class `{twice}` is named twice", "name each class once")
    return tuple(texts)


def _listed(value: Any, separator: str | None) -> list[Any] | None:
    if isinstance(value, list):
        return value
    if separator is not None and (value is None or isinstance(value, str | int)):
        text = "" if value is None else str(value)
        return text.split(separator) if text.strip() else []
    try:
        found = json.loads(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if isinstance(found, list) else None


def unlearned(rows: Sequence[Row], splits: Mapping[str, Sequence[int]], classes: Sequence[str]) -> list[Diagnostic]:
    """R0651: for each class without a row in `train`, what is wrong."""
    seen = {name for index in splits["train"] for name in rows[index].classes}
    help = "add rows of it, hold out less, or try another `seed`"
    return [
        next(row for row in rows if name in row.classes).place.refuse(
            "R0651", f"all rows of the class `{name}` are held out: nothing shows it to the model", help
        )
        for name in classes
        if name not in seen
    ]
