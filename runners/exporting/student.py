"""A distilled student: its raw output, which of one that tells classes apart are logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from runners.distill import students
from runners.distill.students.base import Student
from runners.distill.tasks.pictures import numbers
from runners.exporting.subject import Looks, Output, Subject
from schema.diagnostics import Diagnostic, RecipeError

FAMILY = "student"
OUTPUTS: dict[str, Output] = {
    "classification": "logits",
    "sequence": "logits",
    "detection": "boxes",
    "segmentation": "pixels",
}
"""Task → what an export of its student gives."""


class Raw(nn.Module):  # type: ignore[misc]
    """[B, *shape] → the task's result alone: features that only a training compares are dropped by the tracer."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.student.result(self.student(image))


def student(folder: Path, size: tuple[int, int] | None, row: Mapping[str, Any]) -> Subject:
    """A student; `row` says how many frames its clips have. Errors: RecipeError R0590 for another size than its own."""
    loaded = students.load(folder)
    side = loaded.options.image_size
    if size not in (None, (side, side)):
        message, help = f"this student reads pictures of {side} × {side}", f"write `image_size: [{side}, {side}]`"
        raise RecipeError([Diagnostic("R0590", message, help)])
    looks = looks_of(loaded, row)
    loaded.settle()
    raw = Raw(loaded).eval()

    def original(rows: Sequence[Any]) -> torch.Tensor:
        seen = [
            torch.stack([_numbers(p, looks) for p in row]) if looks.frames else _numbers(row, looks) for row in rows
        ]
        return raw(torch.stack(seen))

    return Subject(FAMILY, raw, original, looks, OUTPUTS[loaded.task], students.describe(loaded))


def looks_of(student: Student, row: Mapping[str, Any]) -> Looks:
    """How pictures become what a student reads."""
    side = student.options.image_size
    frames = len(row.get("frames") or ()) if student.task == "sequence" else None
    fit: Literal["letterbox", "stretch"] = "letterbox" if student.task == "detection" else "stretch"
    return Looks((side, side), student.options.mean, student.options.std, fit, "bilinear", frames)


def _numbers(picture: Any, looks: Looks) -> torch.Tensor:
    return numbers(picture, looks.size[0], looks.mean, looks.std)
