"""Rows of prepared data for students that look at places, and what is said of those that are not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from runners.data.rows import Place
from runners.distill.tasks.base import Row
from schema.diagnostics import RecipeError

FILE = "file"
"""Key of a row's picture as it lies on the disk."""


def rows(file: Path) -> Iterator[tuple[Row, Place]]:
    """Each row with its place."""
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        yield json.loads(line), Place(str(file), number)


def one_picture(row: Row, place: Place) -> str:
    """The path of the one picture of a row. Errors: RecipeError R0663 when there are more or none."""
    shown = row.get("images") or []
    if len(shown) != 1:
        message = f"this row has {len(shown)} pictures, and a student sees one"
        raise RecipeError([place.refuse("R0663", message, "prepare rows with one picture each")])
    return str(shown[0])


def refused(place: Place, what: str, task: str) -> RecipeError:
    """That a row is none of a task."""
    return RecipeError([place.refuse("R0663", f"this row {what}", f"prepare the rows with `task: {task}`")])
