"""Clips of a drawn disc that moves: the class is the direction."""

from __future__ import annotations

import random
from typing import Any

from runners.data.rows import Place, Read, Row, Source
from runners.readers import made
from runners.readers.shapes import BACKGROUND, COLORS

DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1))
"""Right, left, down, up, and the diagonals; y grows downward."""


def read(source: Source) -> Read:
    """`per_class` clips for each of `classes`, in their order."""
    classes = tuple(source.dataset["classes"])
    per_class = int(source.dataset["per_class"])
    rows = tuple(
        _row(source, kind, kind * per_class + number, label)
        for kind, label in enumerate(classes)
        for number in range(per_class)
    )
    return Read(rows, classes=classes)


def _row(source: Source, kind: int, number: int, label: str) -> Row:
    frames = _clip(kind, f"{source.seed}/{number}/motion", int(source.dataset["size"]), int(source.dataset["frames"]))
    pictures = tuple(made.picture(source, f"{number:05d}-{part:03d}", frame) for part, frame in enumerate(frames))
    return Row(Place(pictures[0].path), source.of_clip, pictures=pictures, label=label, clip=True)


def _clip(kind: int, seed: str, size: int, frames: int) -> list[Any]:
    """The frames: a disc that goes half of the picture's size, from a place that the seed chooses."""
    import numpy

    dice = random.Random(seed)
    radius = size * dice.randint(12, 18) // 100
    ground, color = BACKGROUND - dice.randint(0, 20), dice.choice(COLORS)
    way = size // 2
    starts = [_start(dice, step, way, radius, size) for step in DIRECTIONS[kind]]
    y, x = numpy.mgrid[0:size, 0:size]
    clip = []
    for number in range(frames):
        center_x, center_y = (
            start + step * way * number // (frames - 1) for start, step in zip(starts, DIRECTIONS[kind], strict=True)
        )
        pixels = numpy.full((size, size, 3), ground, dtype=numpy.uint8)
        pixels[(x - center_x) ** 2 + (y - center_y) ** 2 <= radius**2] = color
        clip.append(pixels)
    return clip


def _start(dice: random.Random, step: int, way: int, radius: int, size: int) -> int:
    """Where a coordinate starts so that the disc stays in the picture."""
    first, last = radius, size - 1 - radius
    if step > 0:
        last -= way
    elif step < 0:
        first += way
    return dice.randint(first, max(first, last))
