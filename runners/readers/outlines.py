"""Outlines of COCO, as polygons or run lengths, and the masks that are drawn from them (pycocotools)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from runners.data.dense import SLACK

Pixels = Any
"""An array of shape (height, width) of class numbers."""


def problem(outline: Any, size: tuple[int, int]) -> tuple[str, str] | None:
    """A code and what is wrong with an outline in a picture of a width and height in pixels, if anything."""
    if isinstance(outline, dict):
        return _problem_of_runs(outline, size)
    if not isinstance(outline, list) or not outline:
        return "R0671", "there is no outline in `segmentation`"
    for polygon in outline:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            return "R0671", "a polygon has fewer than three points, or half a point"
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in polygon):
            return "R0671", "a polygon has a value that is no number"
        if min(polygon) < -SLACK or max(polygon[::2]) > size[0] + SLACK or max(polygon[1::2]) > size[1] + SLACK:
            return "R0671", f"a polygon reaches outside the picture of {size[0]} × {size[1]} pixels"
    return None


def _problem_of_runs(runs: dict[str, Any], size: tuple[int, int]) -> tuple[str, str] | None:
    if list(runs.get("size", ())) != [size[1], size[0]]:
        return "R0674", f"its mask has the size {runs.get('size')}, and the picture [{size[1]}, {size[0]}]"
    counts = runs.get("counts")
    if isinstance(counts, str):
        counts = _unpacked(counts)  # what does not cover the picture would be drawn from memory that nobody has filled
    whole = isinstance(counts, list) and all(isinstance(count, int) and count >= 0 for count in counts)
    if not whole or sum(counts or ()) != size[0] * size[1]:
        return "R0671", "the run lengths of its mask do not cover the picture"
    return None


def _unpacked(text: str) -> list[int] | None:
    """The run lengths that COCO packs into text; None where it is no such text.

    A number is written in digits of five bits, the lowest first, as characters from `0` on: 32 says that another one
    follows, 16 in the last one that the number is negative. From the fourth on, it is what is to be added to the one two before.
    """
    counts: list[int] = []
    value, digits = 0, 0
    for character in text:
        digit = ord(character) - ord("0")
        if not 0 <= digit < 64:
            return None
        value |= (digit & 31) << 5 * digits
        digits += 1
        if digit & 32:
            continue
        value -= (1 << 5 * digits) if digit & 16 else 0
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value, digits = 0, 0
    return None if digits else counts


def drawn(things: Iterable[tuple[int, Any]], size: tuple[int, int]) -> Pixels:
    """The class of each pixel: outlines of the numbers given, larger ones first, over 0."""
    import numpy

    masks = [(number, _mask(outline, size)) for number, outline in things]
    pixels = numpy.zeros((size[1], size[0]), dtype=numpy.uint8)
    for number, mask in sorted(masks, key=lambda item: -int(item[1].sum())):
        pixels[mask] = number
    return pixels


def _mask(outline: Any, size: tuple[int, int]) -> Pixels:
    from pycocotools import mask

    width, height = size
    if isinstance(outline, dict) and isinstance(outline["counts"], str):
        return mask.decode({"size": outline["size"], "counts": outline["counts"].encode()}).astype(bool)
    runs = mask.frPyObjects(outline, height, width)
    return mask.decode(mask.merge(runs) if isinstance(runs, list) else runs).astype(bool)


def values(pixels: Pixels) -> list[int]:
    """The values that occur, in rising order."""
    import numpy

    return [int(value) for value in numpy.unique(pixels)]
