"""Coloured shapes drawn on the spot: one shape and colour for each class, moved and scaled by the seed.

Where rows have any number of classes (`task: tag`), a picture shows each with a chance of one half, each in a field of its own.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from runners.data.rows import Read, Row, Source
from runners.readers import made

COLORS = (
    (220, 40, 40), (40, 160, 60), (50, 80, 220), (240, 200, 40), (150, 60, 190), (240, 130, 30), (40, 190, 200),
    (230, 110, 180), (130, 90, 50), (110, 110, 110),
)  # fmt: skip
BACKGROUND = 245

Array = Any
# Inside or not, for integers x and y from the centre, and a radius r; y grows downward.
SHAPES: tuple[Callable[[Array, Array, int], Array], ...] = (
    lambda x, y, r: x * x + y * y <= r * r,  # disc
    lambda x, y, r: (abs(x) <= r) & (abs(y) <= r),  # square
    lambda x, y, r: (abs(y) <= r) & (2 * abs(x) <= y + r),  # triangle
    lambda x, y, r: abs(x) + abs(y) <= r,  # diamond
    lambda x, y, r: ((3 * abs(x) <= r) & (abs(y) <= r)) | ((3 * abs(y) <= r) & (abs(x) <= r)),  # cross
    lambda x, y, r: (x * x + y * y <= r * r) & (4 * (x * x + y * y) >= r * r),  # ring
    lambda x, y, r: (abs(x) <= r) & (3 * abs(y) <= r),  # bar
)


def read(source: Source) -> Read:
    """`per_class` rows for each of `classes`, in their order."""
    classes = tuple(source.dataset["classes"])
    if source.task == "tag":
        return Read(tuple(_scenes(source, classes)), classes=classes)
    per_class = int(source.dataset["per_class"])
    size = int(source.dataset["size"])
    rows = tuple(
        made.row(
            source,
            index * per_class + number,
            _draw(index, f"{source.seed}/{index}/{number}", size),
            _label(source, index, number, classes),
        )
        for index in range(len(classes))
        for number in range(per_class)
    )
    return Read(rows, classes=classes)


def _scenes(source: Source, classes: tuple[str, ...]) -> Iterator[Row]:
    size = int(source.dataset["size"])
    for number in range(len(classes) * int(source.dataset["per_class"])):
        dice = random.Random(f"{source.seed}/{number}")
        shown = [index for index in range(len(classes)) if dice.random() < 0.5]
        row = made.row(source, number, _scene(shown, len(classes), dice, size), "")
        told = [index for index in range(len(classes)) if _flipped(source, dice) != (index in shown)]
        yield replace(row, label=None, labels=tuple(classes[index] for index in told))


def _flipped(source: Source, dice: random.Random) -> bool:
    """Whether a class is told wrongly: half of what `noise` draws anew."""
    return dice.random() < float(source.dataset.get("noise", 0)) / 2


def _scene(shown: list[int], classes: int, dice: random.Random, size: int) -> Array:
    """A picture of several shapes, each in a field of a square grid."""
    import numpy

    side = math.isqrt(classes - 1) + 1
    field = size // side
    y, x = numpy.mgrid[0:size, 0:size]
    pixels = numpy.full((size, size, 3), BACKGROUND - dice.randint(0, 20), dtype=numpy.uint8)
    for index, place in zip(shown, dice.sample(range(side * side), len(shown)), strict=True):
        center_x, center_y = (field * part + field // 2 for part in (place % side, place // side))
        inside = SHAPES[index % len(SHAPES)](x - center_x, y - center_y, field * dice.randint(30, 45) // 100)
        shade = dice.randint(-15, 15)
        pixels[inside] = [min(255, max(0, part + shade)) for part in COLORS[index % len(COLORS)]]
    return pixels


def _label(source: Source, index: int, number: int, classes: tuple[str, ...]) -> str:
    """The class of a picture, or with the probability `noise` any of them."""
    dice = random.Random(f"{source.seed}/{index}/{number}/label")
    return dice.choice(classes) if dice.random() < source.dataset.get("noise", 0) else classes[index]


def _draw(index: int, seed: str, size: int) -> Array:
    import numpy

    dice = random.Random(seed)
    radius = size * dice.randint(22, 40) // 100
    reach = max(0, size // 2 - radius)
    center_x, center_y = (size // 2 + dice.randint(-reach, reach) for _ in range(2))
    y, x = numpy.mgrid[0:size, 0:size]
    inside = SHAPES[index % len(SHAPES)](x - center_x, y - center_y, radius)
    shade = dice.randint(-15, 15)
    pixels = numpy.full((size, size, 3), BACKGROUND - dice.randint(0, 20), dtype=numpy.uint8)
    pixels[inside] = [min(255, max(0, part + shade)) for part in COLORS[index % len(COLORS)]]
    return pixels
