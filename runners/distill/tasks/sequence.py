"""Telling clips apart: the frames of one clip, one class.

{"frames": ["data/gestures/wave/1/0001.jpg", "data/gestures/wave/1/0003.jpg"], "label": 0}
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor

from runners.data.rows import IMAGE_TAG, Place
from runners.distill.tasks import classification, pictures, reading
from runners.distill.tasks.base import Row, Sample
from schema.diagnostics import RecipeError

FRAMES = "files"
"""Key of a row's frames as they lie on the disk."""


class Rows(classification.Rows):
    """Rows that were prepared with `task: sequence`. The teacher sees each frame; its features are averaged."""

    name = "sequence"

    def read(self, file: Path) -> list[Row]:
        rows = [self._clip(row, place, file) for row, place in reading.rows(file)]
        lengths = {len(row[FRAMES]) for row in rows}
        if len(lengths) > 1:
            message = f"clips have {min(lengths)} to {max(lengths)} frames, and a batch has one length"
            raise RecipeError([Place(str(file)).refuse("R0663", message, "prepare them with one number of `frames`")])
        return rows

    def _clip(self, row: Row, place: Place, file: Path) -> Row:
        frames, label = row.get("frames"), row.get("label")
        if not isinstance(frames, list) or not frames:
            raise reading.refused(place, "has no `frames`", "sequence")
        if not isinstance(label, int) or not 0 <= label < len(self.settings.classes):
            raise reading.refused(place, f"has the unknown class {label!r}", "sequence")
        return {**row, FRAMES: [self.located(str(frame), file) for frame in frames]}

    def files(self, row: Row) -> list[Path]:
        return list(row[FRAMES])

    def pictures(self, row: Row, view: int) -> list[Image]:
        return [pictures.opened(file) for file in row[FRAMES]]

    def transform(self, row: Row, train: bool, seed: int) -> Sample:
        """All frames in the same light. They are not mirrored: another direction may be another class."""
        made = self.settings
        frames = [pictures.opened(file) for file in row[FRAMES]]
        if train and made.augment:
            frames = [pictures.lit(frame, random.Random(seed)) for frame in frames]
        seen = [pictures.numbers(frame, made.image_size, made.mean, made.std) for frame in frames]
        return Sample(torch.stack(seen), row["label"])

    def collate(self, samples: Sequence[Sample]) -> tuple[Tensor, Tensor]:
        return torch.stack([s.inputs for s in samples]), torch.tensor([s.target for s in samples])

    def prediction(self, row: Row, decoded: list[float]) -> dict[str, Any]:
        """The form of every prediction; the pictures are the frames."""
        classes = self.settings.classes
        name = classes[max(range(len(decoded)), key=decoded.__getitem__)]
        asked = [message["content"] for message in row.get("messages", ()) if message["role"] == "user"]
        return {
            "input": {"prompt": asked[-1].replace(IMAGE_TAG, "") if asked else "", "images": list(row["frames"])},
            "label": classes[row["label"]],
            "answer": name,
            "parsed": name,
            "scores": {c: round(p, classification.DIGITS) for c, p in zip(classes, decoded, strict=True)},
        }
