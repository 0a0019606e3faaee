"""Rows for students that look at places: boxes, masks and clips; and whether boxes can be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runners.data.rows import Corners, Row

PLACED = ("detect", "segment")
"""Tasks whose classes are numbered by the data set."""
TASKS = (*PLACED, "sequence")
IGNORED = 255
"""The value in a mask of pixels that count for nothing."""
SLACK = 1.0
"""Pixels that a box may reach beyond its picture, as annotation tools round; it is cut there."""
DIGITS = 3


def line(row: Row, classes: Sequence[str], task: str) -> dict[str, Any]:
    """A row as it is written: classes by their numbers, boxes as left, top, right and bottom in pixels."""
    paths = [picture.path for picture in row.pictures]
    if task == "sequence":
        asked = {"messages": list(row.messages)} if row.messages else {}
        return asked | {"frames": paths, "label": classes.index(str(row.label))}
    if task == "segment":
        assert row.mask is not None  # its reader gives every row one
        return {"images": paths, "mask": row.mask.path}
    boxes = [[round(value, DIGITS) for value in box] for box in row.boxes]
    return {"images": paths, "boxes": boxes, "labels": [classes.index(name) for name in row.holds]}


def size_of(file: Path) -> tuple[int, int] | None:
    """Width and height of a picture without decoding it; None where it is none, which is told of all pictures later."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            return image.size
    except Exception:  # decoders fail in many ways
        return None


def problem(box: Corners, size: tuple[int, int]) -> str | None:
    """What is wrong with a box in a picture of a width and height in pixels, if anything."""
    left, top, right, bottom = box
    if not all(map(math.isfinite, box)):
        return "has a value that is no number"
    if right <= left or bottom <= top:
        return f"has no area: {right - left:g} × {bottom - top:g} pixels"
    if min(left, top) < -SLACK or right > size[0] + SLACK or bottom > size[1] + SLACK:
        corners = ", ".join(f"{value:g}" for value in box)
        return f"reaches outside the picture of {size[0]} × {size[1]} pixels: [{corners}]"
    return None


def cut(box: Corners, size: tuple[int, int]) -> Corners:
    """The part of a box that lies in its picture."""
    left, top, right, bottom = box
    return max(0.0, left), max(0.0, top), min(float(size[0]), right), min(float(size[1]), bottom)
