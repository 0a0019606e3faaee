"""A distilled student: its raw output, which of one that tells classes apart are logits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from runners.distill import students
from runners.distill.tasks.pictures import numbers
from runners.exporting.subject import Looks, Subject
from schema.diagnostics import Diagnostic, RecipeError

if TYPE_CHECKING:
    from PIL.Image import Image

FAMILY = "student"
LOGITS = ("classification",)


class Raw(nn.Module):  # type: ignore[misc]
    """[B, 3, H, W] → the task's output alone: features that only a training compares are dropped by the tracer."""

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        self.student = student

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.student(image).task


def student(folder: Path, size: tuple[int, int] | None) -> Subject:
    """A student. Errors: RecipeError R0590 for another size than it was trained with, R0592 where it has no single output."""
    loaded = students.load(folder)
    side = loaded.options.image_size
    if size not in (None, (side, side)):
        raise RecipeError(
            [
                Diagnostic(
                    "R0590", f"this student reads pictures of {side} × {side}", f"write `image_size: [{side}, {side}]`"
                )
            ]
        )
    looks = Looks((side, side), loaded.options.mean, loaded.options.std, "stretch", "bilinear")
    raw = Raw(loaded).eval()
    _one_output(raw, looks, loaded.task)

    def original(pictures: Sequence[Image]) -> torch.Tensor:
        seen = torch.stack([numbers(picture, side, looks.mean, looks.std) for picture in pictures])
        return loaded(seen).task

    return Subject(FAMILY, raw, original, looks, "logits" if loaded.task in LOGITS else "features")


def _one_output(raw: Raw, looks: Looks, task: str) -> None:
    try:
        with torch.inference_mode():
            single = isinstance(raw(torch.zeros(1, 3, *looks.size)), torch.Tensor)
    except (RuntimeError, ValueError, IndexError):  # it reads something else than a picture
        single = False
    if not single:
        message = f"a student for {task} has no single output for one picture, so it is not exported"
        raise RecipeError([Diagnostic("R0592", message, "export a student that tells classes apart")])
