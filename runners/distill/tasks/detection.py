"""Finding things: one picture, a box and a class for each thing in it.

{"images": ["data/roads/1.jpg"], "boxes": [[10.0, 20.0, 110.0, 80.0]], "labels": [0]}     corners in pixels
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor

from runners.data.rows import Place
from runners.distill.tasks import boxes, pictures, reading
from runners.distill.tasks.base import Row, Sample, Task

DIGITS = 6
SHOWN = 0.25
"""The score from which a box counts as an answer; all that are kept stand in `scores`."""


class Rows(Task):
    """Rows that were prepared with `task: detect`. The teacher sees the same gray-edged square as the student."""

    name = "detection"

    @property
    def shown(self) -> str:
        """What the teacher sees is another picture for each size of the square."""
        return f":square-{self.settings.image_size}"

    def read(self, file: Path) -> list[Row]:
        return [self._row(row, place, file) for row, place in reading.rows(file)]

    def _row(self, row: Row, place: Place, file: Path) -> Row:
        found, labels = row.get("boxes"), row.get("labels")
        if not isinstance(found, list) or not isinstance(labels, list) or len(found) != len(labels):
            raise reading.refused(place, "has no `boxes` and `labels`", "detect")
        if strange := [label for label in labels if label not in range(len(self.settings.classes))]:
            raise reading.refused(place, f"has the unknown class {strange[0]!r}", "detect")
        return {**row, reading.FILE: self.located(reading.one_picture(row, place), file)}

    def files(self, row: Row) -> list[Path]:
        return [row[reading.FILE]]

    def pictures(self, row: Row, view: int) -> list[Image]:
        return [boxes.letterboxed(pictures.opened(row[reading.FILE]), self.settings.image_size)]

    def transform(self, row: Row, train: bool, seed: int) -> Sample:
        made, dice = self.settings, random.Random(seed)
        image = pictures.opened(row[reading.FILE])
        corners = torch.tensor(row["boxes"], dtype=torch.float32).reshape(-1, 4)
        flipped = train and made.augment and dice.random() < 0.5
        if train and made.augment:
            image = pictures.lit(image, dice)
        if flipped:
            image, corners = boxes.mirrored(image, corners)
        how = boxes.fit(image.size, made.image_size)
        square = boxes.letterboxed(image, made.image_size)
        target = {"boxes": how.boxes(corners), "labels": torch.tensor(row["labels"], dtype=torch.long)}
        return Sample(pictures.numbers(square, made.image_size, made.mean, made.std), target, flipped)

    def collate(self, samples: Sequence[Sample]) -> tuple[Tensor, dict[str, Tensor]]:
        """Targets as ultralytics' loss takes them: the picture of each box, its class, and centre and size as shares."""
        corners = torch.cat([s.target["boxes"] for s in samples]) / self.settings.image_size
        centres, sizes = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
        numbers = torch.cat([torch.full((len(s.target["labels"]),), n) for n, s in enumerate(samples)])
        targets = {
            "batch_idx": numbers.float(),
            "cls": torch.cat([s.target["labels"] for s in samples]).float(),
            "bboxes": torch.cat([centres, sizes], 1),
        }
        return torch.stack([s.inputs for s in samples]), targets

    def metrics(self, predictions: Sequence[Any], targets: Sequence[Any]) -> dict[str, float]:
        """Mean average precision at an overlap of one half, and over ten overlaps."""
        return precision(predictions, targets)[0]

    def prediction(self, row: Row, decoded: Mapping[str, list[Any]]) -> dict[str, Any]:
        """Boxes in pixels of the picture as it is; those of a high score are the answer."""
        from PIL import Image as pillow

        with pillow.open(row[reading.FILE]) as image:
            how = boxes.fit(image.size, self.settings.image_size)
        corners = how.back(torch.tensor(decoded["boxes"], dtype=torch.float32).reshape(-1, 4))
        found = [
            {
                "box": [round(value, 2) for value in box],
                "class": self.settings.classes[label],
                "score": round(score, DIGITS),
            }
            for box, label, score in zip(corners.tolist(), decoded["labels"], decoded["scores"], strict=True)
        ]
        gold = zip(row["boxes"], row["labels"], strict=True)
        answer = [thing for thing in found if float(str(thing["score"])) >= SHOWN]
        return {
            "input": {"prompt": "", "images": list(row["images"])},
            "label": [{"box": box, "class": self.settings.classes[label]} for box, label in gold],
            "answer": answer,
            "parsed": answer,
            "scores": found,
        }


def precision(
    predictions: Sequence[Mapping[str, Any]], targets: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, float], dict[int, float]]:
    """Mean average precision as COCO measures it (pycocotools), and that over ten overlaps of each class that occurs.

    Boxes are corners [N, 4] with scores [N] and class numbers [N], for each picture; targets have no scores.
    """
    from torchmetrics.detection import MeanAveragePrecision

    measure = MeanAveragePrecision(box_format="xyxy", backend="pycocotools", class_metrics=True)
    measure.warn_on_many_detections = False
    measure.update([_tensors(p) for p in predictions], [_tensors(t) for t in targets])
    found = measure.compute()
    numbers, values = found["classes"].reshape(-1).tolist(), found["map_per_class"].reshape(-1).tolist()
    each = {int(n): round(value, DIGITS) for n, value in zip(numbers, values, strict=True) if value >= 0}
    # −1 stands for "nothing to find".
    metrics = {"map50": found["map_50"], "map50_95": found["map"]}
    return {name: round(max(float(value), 0.0), DIGITS) for name, value in metrics.items()}, each


def _tensors(things: Mapping[str, Any]) -> dict[str, Tensor]:
    kinds = {"boxes": torch.float32, "scores": torch.float32, "labels": torch.long}
    made = {name: torch.as_tensor(values, dtype=kinds[name]).cpu() for name, values in things.items()}
    return made | {"boxes": made["boxes"].reshape(-1, 4)}
