"""Telling classes apart: one picture, one class.

{"messages": [{"role": "user", "content": "<image>Which animal?"}], "images": ["data/cat/1.jpg"], "label": 0}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor

from runners.data.rows import IMAGE_TAG, Place
from runners.distill.tasks import pictures
from runners.distill.tasks.base import Row, Sample, Task
from schema.diagnostics import RecipeError

DIGITS = 6
FILE = "file"
"""Key of a row's picture as it lies on the disk."""


class Rows(Task):
    """Rows that were prepared with `task: classify`, with one picture each."""

    name = "classification"

    def read(self, file: Path) -> list[Row]:
        lines = file.read_bytes().splitlines()
        rows = (self._row(line, Place(str(file), number)) for number, line in enumerate(lines, 1))
        return [{**row, FILE: self.located(row["images"][0], file)} for row in rows]

    def _row(self, line: bytes, place: Place) -> Row:
        row: Row = json.loads(line)
        label, shown = row.get("label"), row.get("images") or []
        if len(shown) != 1:
            message = f"this row has {len(shown)} pictures, and a student sees one"
            raise RecipeError([place.refuse("R0663", message, "prepare rows with one picture each")])
        if not isinstance(label, int) or not 0 <= label < len(self.settings.classes):
            message = f"the label {label!r} is none of the {len(self.settings.classes)} classes"
            raise RecipeError([place.refuse("R0663", message, "prepare the rows with `task: classify`")])
        return row

    def files(self, row: Row) -> list[Path]:
        return [row[FILE]]

    def pictures(self, row: Row, view: int) -> list[Image]:
        return [self._view(row, view)]

    def _view(self, row: Row, view: int) -> Image:
        """View k as it is whenever it is asked for; with one view, the picture as it is."""
        file = self.files(row)[0]
        image = pictures.opened(file)
        if self.settings.views == 1:
            return image
        return pictures.varied(image, pictures.seed_of("view", hashlib.sha256(file.read_bytes()).hexdigest(), view))

    def transform(self, row: Row, train: bool, seed: int) -> Sample:
        if train and self.settings.views > 1:
            image = self._view(row, seed % self.settings.views)
        else:
            image = pictures.opened(self.files(row)[0])
            if train and self.settings.augment:
                image = pictures.varied(image, seed)
        made = self.settings
        return Sample(pictures.numbers(image, made.image_size, made.mean, made.std), row["label"])

    def collate(self, samples: Sequence[Sample]) -> tuple[Tensor, Tensor]:
        return torch.stack([s.inputs for s in samples]), torch.tensor([s.target for s in samples])

    def metrics(self, predictions: Sequence[Any], targets: Sequence[Any]) -> dict[str, float]:
        """Accuracy and F1 (macro) of the likeliest classes."""
        from sklearn.metrics import accuracy_score, f1_score

        chosen = [max(range(len(p)), key=p.__getitem__) for p in predictions]
        labels = list(range(len(self.settings.classes)))
        return {
            "accuracy": round(float(accuracy_score(targets, chosen)), DIGITS),
            "f1_macro": round(
                float(f1_score(targets, chosen, labels=labels, average="macro", zero_division=0.0)), DIGITS
            ),
        }

    def prediction(self, row: Row, decoded: list[float]) -> dict[str, Any]:
        """The form of every prediction; an answer is the name of the likeliest class."""
        classes = self.settings.classes
        name = classes[max(range(len(decoded)), key=decoded.__getitem__)]
        asked = [message["content"] for message in row["messages"] if message["role"] == "user"]
        return {
            "input": {"prompt": asked[-1].replace(IMAGE_TAG, ""), "images": list(row["images"])},
            "label": classes[row["label"]],
            "answer": name,
            "parsed": name,
            "scores": {c: round(p, DIGITS) for c, p in zip(classes, decoded, strict=True)},
        }
