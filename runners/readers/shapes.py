"""Coloured shapes drawn on the spot: one shape and colour for each class, moved and scaled by the seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from runners.data.rows import Read, Source
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
