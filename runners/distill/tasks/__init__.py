"""The tasks of students: one module for each, with a class `Rows` that is a `Task`. Loaded only when asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loads torch
    from runners.distill.tasks.base import Settings, Task

MODULES: dict[str, str] = {
    "classification": "runners.distill.tasks.classification",
    "detection": "runners.distill.tasks.detection",
    "segmentation": "runners.distill.tasks.segmentation",
    "sequence": "runners.distill.tasks.sequence",
}
"""Task → its module."""


def build(name: str, settings: Settings) -> Task:
    """A task with its settings."""
    task: Task = importlib.import_module(MODULES[name]).Rows(settings)
    return task
