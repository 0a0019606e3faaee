"""A class for each pixel: one picture, one mask of the same size.

{"images": ["data/streets/1.jpg"], "mask": "data/streets/masks/1.png"}
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import torch
from PIL import Image, ImageOps
from torch import Tensor

from runners.data.dense import IGNORED
from runners.distill.tasks import pictures, reading
from runners.distill.tasks.base import Row, Sample, Task

DIGITS = 6
MASK = "mask file"
"""Key of a row's mask as it lies on the disk."""


class Rows(Task):
    """Rows that were prepared with `task: segment`."""

    name = "segmentation"

    def read(self, file: Path) -> list[Row]:
        found: list[Row] = []
        for row, place in reading.rows(file):
            if not isinstance(row.get("mask"), str):
                raise reading.refused(place, "has no `mask`", "segment")
            picture = self.located(reading.one_picture(row, place), file)
            found.append({**row, reading.FILE: picture, MASK: self.located(row["mask"], file)})
        return found

    def files(self, row: Row) -> list[Path]:
        return [row[reading.FILE]]

    def pictures(self, row: Row, view: int) -> list[Image.Image]:
        return [pictures.opened(row[reading.FILE])]

    def transform(self, row: Row, train: bool, seed: int) -> Sample:
        made, dice = self.settings, random.Random(seed)
        image = pictures.opened(row[reading.FILE])
        with Image.open(row[MASK]) as opened:
            mask = opened.resize((made.image_size, made.image_size), Image.Resampling.NEAREST)
        varied = train and made.augment
        flipped = varied and dice.random() < 0.5
        if varied:
            image = pictures.lit(image, dice)
        if flipped:
            image, mask = ImageOps.mirror(image), ImageOps.mirror(mask)
        target = torch.from_numpy(numpy.array(mask).astype(numpy.int64))
        return Sample(pictures.numbers(image, made.image_size, made.mean, made.std), target, flipped)

    def collate(self, samples: Sequence[Sample]) -> tuple[Tensor, Tensor]:
        return torch.stack([s.inputs for s in samples]), torch.stack([s.target for s in samples])

    def metrics(self, predictions: Sequence[Any], targets: Sequence[Any]) -> dict[str, float]:
        """Mean intersection over union, and mean Dice, of the classes that occur; over all pixels of all pictures."""
        from torchmetrics.classification import MulticlassConfusionMatrix

        measure = MulticlassConfusionMatrix(len(self.settings.classes), ignore_index=IGNORED)
        for found, wanted in zip(predictions, targets, strict=True):
            measure.update(found.long().cpu(), wanted.cpu())
        counts = measure.compute().double()
        common, wanted, said = counts.diag(), counts.sum(1), counts.sum(0)
        present = (wanted + said) > 0
        union = (common / (wanted + said - common))[present].mean()
        dice = (2 * common / (wanted + said))[present].mean()
        return {"miou": round(float(union), DIGITS), "dice": round(float(dice), DIGITS)}

    def prediction(self, row: Row, decoded: Tensor) -> dict[str, Any]:
        """The classes that were found and how many of the pixels each has, of the mask of the student's size."""
        classes = self.settings.classes
        counts = torch.bincount(decoded.flatten().long(), minlength=len(classes)).tolist()
        shares = {name: round(count / decoded.numel(), DIGITS) for name, count in zip(classes, counts, strict=True)}
        answer = [name for name, share in shares.items() if share > 0]
        return {
            "input": {"prompt": "", "images": list(row["images"])},
            "label": row["mask"],
            "answer": answer,
            "parsed": answer,
            "scores": shares,
            "counts": _counts(row[MASK], decoded, len(classes)),
        }


def _counts(file: Path, decoded: Tensor, classes: int) -> list[list[int]]:
    """How many pixels of each class (rows) were said to be of each (columns), as the student sees the mask."""
    with Image.open(file) as opened:
        wanted = numpy.array(opened.resize((decoded.shape[1], decoded.shape[0]), Image.Resampling.NEAREST))
    said = decoded.numpy()[wanted != IGNORED].astype(int)
    pairs = wanted[wanted != IGNORED].astype(int) * classes + said
    found: list[list[int]] = numpy.bincount(pairs, minlength=classes**2).reshape(classes, classes).tolist()
    return found
