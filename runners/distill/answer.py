"""A student's answer to every row: python -m runners.distill.answer --student DIR --data validation.jsonl --to DIR

Written is predictions.jsonl, one line for each row, with the probability of each class where the student gives it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runners import cli
from runners.distill import students, tasks
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_atomically

if TYPE_CHECKING:  # both load torch
    from runners.distill.students.base import Student
    from runners.distill.tasks.base import Task


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0660 without a student, R0663 for rows, R0665 for other classes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--student", type=Path, required=True, metavar="DIR")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE")
    parser.add_argument("--classes", type=Path, required=True, metavar="FILE")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(argv)
    student = students.load(options.student)
    _same_classes(student, json.loads(options.classes.read_bytes()))
    task = task_of(student)
    lines = (
        json.dumps(line, ensure_ascii=False) + "\n" for line in answers(student, task, options.data, options.batch)
    )
    options.to.mkdir(parents=True, exist_ok=True)
    write_atomically(options.to / "predictions.jsonl", "".join(lines).encode(), durable=False)
    return 0


def answers(student: Student, task: Task, data: Path, batch: int) -> Iterator[dict[str, Any]]:
    """A prediction for each row, in their order."""
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows = task.read(data)
    student = student.to(device).eval()
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        inputs, _ = task.collate([task.transform(row, False, 0) for row in part])
        with torch.inference_mode():
            decoded = student.decode(student(inputs.to(device)))
        yield from (task.prediction(row, found) for row, found in zip(part, decoded, strict=True))


def task_of(student: Student, augment: bool = False) -> Task:
    """The task of a student, with pictures relative to the working folder; `augment` varies those of a training."""
    from runners.distill.tasks.base import Settings

    made = student.options
    extra = made.extra
    settings = Settings(
        student.classes, made.image_size, made.mean, made.std, Path.cwd(), augment=augment, views=1, extra=extra
    )
    return tasks.build(student.task, settings)


def _same_classes(student: Student, names: Sequence[str]) -> None:
    if tuple(names) != student.classes:
        message = f"the student tells {len(student.classes)} classes apart, and the data has others ({len(names)})"
        raise RecipeError([Diagnostic("R0665", message, "predict rows of the data it was trained on")])


if __name__ == "__main__":
    cli.run(main)
