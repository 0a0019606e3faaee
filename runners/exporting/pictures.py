"""Pictures of rows as the tensors that an export reads, with numpy and Pillow alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from runners.data.rows import Place
from runners.distill.tasks import boxes
from runners.exporting.subject import Looks
from schema.diagnostics import Diagnostic, RecipeError

Tensor = NDArray[np.float32]
Labels = NDArray[Any]
"""(rows,) numbers of classes, or (rows, classes) of whether a row has a class, where any number may be right."""
DIGITS = 6


def read_rows(file: Path, count: int | None) -> list[dict[str, Any]]:
    """The first rows of a split, each with one picture or a clip's frames. Errors: RecipeError R0591 for another row."""
    with file.open("rb") as lines:
        rows = [_row(line, Place(str(file), n)) for n, line in enumerate(lines, 1) if count is None or n <= count]
    if not rows:
        raise RecipeError([Diagnostic("R0591", f"{file} has no rows", "name a split that has rows")])
    return rows


def _row(line: bytes, place: Place) -> dict[str, Any]:
    row = json.loads(line)
    number = len(row.get("images") or ())
    if number != 1 and not row.get("frames"):
        message = f"an export reads one picture, and this row has {number or 'none'}"
        raise RecipeError([place.refuse("R0591", message, "check the export with rows of one picture each")])
    return row  # type: ignore[no-any-return]


def fitted(rows: Sequence[dict[str, Any]], data: Path, looks: Looks) -> Iterator[Any]:
    """The picture of each row of `data`, in RGB and of the export's size; of a clip, the list of its frames.

    Errors: RecipeError R0591 for clips of another length, and where the export reads pictures.
    """
    for number, row in enumerate(rows, 1):
        frames = row.get("frames")
        if (len(frames) if frames else None) != looks.frames:
            wanted = f"clips of {looks.frames} frames" if looks.frames else "single pictures"
            message = (
                f"an export reads {wanted}, and this row has {f'{len(frames)} frames' if frames else 'one picture'}"
            )
            raise RecipeError([Place(str(data), number).refuse("R0591", message, f"name rows of {wanted}")])
        yield [_opened(path, data, looks) for path in frames] if frames else _opened(row["images"][0], data, looks)


def _opened(path: str, data: Path, looks: Looks) -> Image.Image:
    with Image.open(located(path, data)) as opened:
        return fit(opened.convert("RGB"), looks)


def located(path: str, data: Path) -> Path:
    """Where a picture lies: one that was drawn beside the rows, any other in the project."""
    beside = data.parent / path
    return beside if beside.is_file() else Path(path)


def fit(picture: Image.Image, looks: Looks) -> Image.Image:
    """The picture in the size of an export."""
    height, width = looks.size
    if looks.fit == "letterbox":
        return boxes.letterboxed(picture, height)
    if looks.fit == "stretch":
        return _resized(picture, width, height, looks)
    scale = max(height / picture.height, width / picture.width)
    wide, high = max(round(picture.width * scale), width), max(round(picture.height * scale), height)
    left, top = (wide - width) // 2, (high - height) // 2
    return _resized(picture, wide, high, looks).crop((left, top, left + width, top + height))


def _resized(picture: Image.Image, width: int, height: int, looks: Looks) -> Image.Image:
    way = Image.Resampling.BICUBIC if looks.resample == "bicubic" else Image.Resampling.BILINEAR
    return picture if picture.size == (width, height) else picture.resize((width, height), way)


def tensors(seen: Sequence[Any], looks: Looks) -> Tensor:
    """[B, *shape] of rows as `fitted` gives them."""
    pictures = [picture for row in seen for picture in row] if looks.frames else seen
    pixels = np.stack([np.asarray(picture, dtype=np.float32) for picture in pictures]) / np.float32(255)
    mean, std = (np.asarray(values, dtype=np.float32) for values in (looks.mean, looks.std))
    scaled = (pixels - mean) / std
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)).reshape(-1, *looks.shape)


def labels(rows: Sequence[dict[str, Any]], classes: Sequence[str]) -> Labels | None:
    """The classes of each row; None where a row has no label that is a class, or a list of those."""
    told = [row.get("label") for row in rows]
    lists = [label for label in told if isinstance(label, list)]
    if len(lists) == len(told):
        several = [[_class(one, classes) for one in label] for label in lists]
        if any(None in label for label in several):
            return None
        return np.array([[number in label for number in range(len(classes))] for label in several])
    found = [_class(label, classes) for label in told]
    return np.array(found) if None not in found else None


def _class(label: object, classes: Sequence[str]) -> int | None:
    if isinstance(label, int) and not isinstance(label, bool):
        return label if 0 <= label < len(classes) else None
    return classes.index(label) if isinstance(label, str) and label in classes else None


def chosen(logits: Tensor, like: Labels | None) -> Labels:
    """The likeliest class of each row, or, where the labels are such, which classes have a probability of one half."""
    return logits >= 0 if like is not None and like.ndim > 1 else logits.argmax(axis=-1)


def equal(one: Labels, other: Labels) -> float:
    """The share of rows that have the same class, or all the same classes."""
    return round(float((one == other).reshape(len(one), -1).all(axis=1).mean()), DIGITS)


def accuracy(logits: Tensor, wanted: Labels) -> float:
    """The share of rows whose classes are found."""
    return equal(chosen(logits, wanted), wanted)
