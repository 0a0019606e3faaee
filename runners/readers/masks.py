"""Pictures and masks of the same names: images/a/1.jpg and masks/a/1.png, whose values are the numbers of classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runners.data import dense
from runners.data.dense import IGNORED
from runners.data.rows import Picture, Place, Read, Row, Source
from runners.readers import files, outlines
from schema.diagnostics import Diagnostic

MODES = ("P", "L", "1")
"""Pillow's names of files with one value of at most 8 bits for each pixel."""


def read(source: Source) -> Read:
    """A row for each picture that has a good mask, by name."""
    shown = {part: f"{source.path}/{source.dataset[part]}" for part in ("images", "masks")}
    folders = {part: files.below(source, part, str(source.dataset[part])) for part in shown}
    refused: list[Diagnostic] = []
    pictures = files.pictures(folders["images"], shown["images"], refused)
    masks = files.pictures(folders["masks"], shown["masks"], refused)
    of_picture = files.stems(pictures, shown["images"], refused)
    of_mask = files.stems(masks, shown["masks"], refused)
    for stem in sorted(of_mask.keys() - of_picture.keys()):
        name = f"{shown['masks']}/{of_mask[stem]}"
        refused.append(Place(name).refuse("R0673", f"{name} belongs to no picture", "add the picture, or remove it"))
    rows: list[Row] = []
    for stem, name in of_picture.items():
        picture = Picture(f"{shown['images']}/{name}", pictures[name])
        if stem not in of_mask:
            message = f"{picture.path} has no mask in {shown['masks']}"
            refused.append(Place(picture.path).refuse("R0673", message, "add one, or write `on_bad: skip`"))
            continue
        mask = Picture(f"{shown['masks']}/{of_mask[stem]}", masks[of_mask[stem]])
        row = _row(picture, mask, source.dataset["classes"])
        rows.append(row) if isinstance(row, Row) else refused.append(row)
    lost = len(pictures) - len(rows)
    return Read(tuple(rows), tuple(refused), tuple(source.dataset["classes"]), lost=lost)


def _row(picture: Picture, mask: Picture, classes: list[str]) -> Row | Diagnostic:
    place = Place(mask.path)
    try:
        mode, pixels = _pixels(mask.file)
    except Exception:  # decoders fail in many ways
        return place.refuse("R0604", f"the mask {mask.path} cannot be read", "replace it, or write `on_bad: skip`")
    if mode not in MODES:
        help = "save it as an indexed PNG (Pillow's mode P or L) whose values are the numbers of the classes"
        return place.refuse("R0675", f"{mask.path} has colours and not one value a pixel (its mode is {mode})", help)
    height, width = pixels.shape
    size = dense.size_of(picture.file)
    if size is not None and size != (width, height):
        message = f"{mask.path} has {width} × {height} pixels, and its picture {size[0]} × {size[1]}"
        return place.refuse("R0674", message, "make them one size, or write `on_bad: skip`")
    values = [value for value in outlines.values(pixels) if value != IGNORED]
    if values and values[-1] >= len(classes):
        y, x = next(zip(*(pixels == values[-1]).nonzero(), strict=True))
        message = f"unknown class {values[-1]} in {mask.path}, first at x {x}, y {y}"
        return place.refuse("R0672", message, f"`classes` has {len(classes)} names, from 0; 255 is left out")
    return Row(place, (), pictures=(picture,), mask=mask, holds=tuple(classes[value] for value in values))


def _pixels(file: Path) -> tuple[str, Any]:
    """Pillow's mode, and the values as an array of shape (height, width)."""
    import numpy
    from PIL import Image

    with Image.open(file) as image:
        return image.mode, numpy.asarray(image).astype(numpy.uint8)
