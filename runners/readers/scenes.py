"""Pictures with a few drawn shapes, and where they are: boxes, or a mask."""

from __future__ import annotations

import random
from typing import Any

from runners.data.rows import Corners, Place, Read, Row, Source
from runners.readers import made
from runners.readers.coco import BACKGROUND
from runners.readers.shapes import BACKGROUND as BRIGHT
from runners.readers.shapes import COLORS, SHAPES

TRIES = 30
"""How often a free place is looked for; a picture that is full has fewer shapes."""

Array = Any


def read(source: Source) -> Read:
    """`count` rows; the class of a pixel without a shape is `background`."""
    classes = tuple(source.dataset["classes"])
    rows = tuple(_row(source, number, classes) for number in range(int(source.dataset["count"])))
    return Read(rows, classes=(BACKGROUND, *classes) if source.task == "segment" else classes)


def _row(source: Source, number: int, classes: tuple[str, ...]) -> Row:
    import numpy

    dice = random.Random(f"{source.seed}/{number}/scene")
    size = int(source.dataset["size"])
    pixels = numpy.full((size, size, 3), BRIGHT - dice.randint(0, 20), dtype=numpy.uint8)
    values = numpy.zeros((size, size), dtype=numpy.uint8)
    boxes: list[Corners] = []
    holds: list[str] = []
    for _ in range(dice.randint(1, int(source.dataset["most"]))):
        kind = dice.randrange(len(classes))
        inside = _free(dice, kind, size, boxes)
        if inside is None:
            continue
        values[inside] = kind + 1
        shade = dice.randint(-15, 15)
        pixels[inside] = [min(255, max(0, part + shade)) for part in COLORS[kind % len(COLORS)]]
        boxes.append(_box(inside))
        holds.append(classes[kind])
    picture = made.picture(source, f"{number:05d}", pixels)
    if source.task == "detect":
        return Row(Place(picture.path), (), pictures=(picture,), boxes=tuple(boxes), holds=tuple(holds))
    mask = made.mask(source, f"{number:05d}", values)
    present = tuple(dict.fromkeys((BACKGROUND, *holds)))
    return Row(Place(picture.path), (), pictures=(picture,), mask=mask, holds=present)


def _free(dice: random.Random, kind: int, size: int, boxes: list[Corners]) -> Array | None:
    """The pixels of a shape that touches no other."""
    import numpy

    y, x = numpy.mgrid[0:size, 0:size]
    for _ in range(TRIES):
        radius = max(3, size * dice.randint(10, 20) // 100)
        center_x, center_y = (dice.randint(radius + 1, size - radius - 2) for _ in range(2))
        inside = SHAPES[kind % len(SHAPES)](x - center_x, y - center_y, radius)
        if not any(_touch(_box(inside), other) for other in boxes):
            return inside
    return None


def _box(inside: Array) -> Corners:
    """The corners around pixels: the right and bottom edges of the last ones."""
    rows, columns = inside.any(axis=1).nonzero()[0], inside.any(axis=0).nonzero()[0]
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _touch(one: Corners, other: Corners) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]
