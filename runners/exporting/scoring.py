"""What an export of a student for boxes or pixels finds, scored as the student itself is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from runners.distill import students
from runners.distill.answer import task_of
from runners.exporting.folder import Exported
from runners.exporting.pictures import Tensor


class Places:
    """Scores results with the metrics of the student's task, on prepared rows in their order."""

    def __init__(self, exported: Exported, data: Path) -> None:
        assert exported.student is not None  # only a student finds boxes or pixels
        self.student = students.from_description(exported.student)
        self.task = task_of(self.student)
        self.rows = self.task.read(data)
        self.found: list[Any] = []

    def add(self, result: Tensor) -> None:
        """The results of the rows that follow."""
        self.found += self.student.decoded(torch.from_numpy(result))

    def metrics(self) -> dict[str, float]:
        """The task's scores of all rows."""
        targets = [self.task.transform(row, False, 0).target for row in self.rows]
        return self.task.metrics(self.found, targets)
