"""What a distillation is told: `train.distill.json`, as the compiler writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schema.diagnostics import Diagnostic, RecipeError

if TYPE_CHECKING:  # both load torch
    from runners.distill.students.base import Options
    from runners.distill.tasks.base import Task


@dataclass(frozen=True, slots=True)
class Config:
    """The document, and the classes of the data."""

    told: Mapping[str, Any]
    classes: tuple[str, ...]

    def __getitem__(self, name: str) -> Any:
        return self.told[name]

    @property
    def dense(self) -> bool:
        """Whether the student's features are a map."""
        return self.told["task"] in ("detection", "segmentation")

    @property
    def frozen_norms(self) -> bool:
        """Whether the student's batch norms stay as they are."""
        return bool(self.told.get("freeze_batch_norm", False))

    @property
    def wants_features(self) -> bool:
        """Whether the student learns from the teacher's features."""
        return self.told["type"] in ("feature", "hybrid")

    @property
    def wants_scores(self) -> bool:
        """Whether it learns from the teacher's scores."""
        return self.told["type"] in ("logit", "hybrid")

    @property
    def graded(self) -> Config | None:
        """How the teacher is asked for its own score: for that of each class, whatever the student learns from it. None without
        a teacher, and where no class is told of a whole picture or clip."""
        if self.told["type"] == "none" or self.dense:
            return None
        return self if self.wants_scores else Config({**self.told, "type": "logit"}, self.classes)

    def options(self, pretrained: str | None = None) -> Options:
        """How the student is built."""
        from runners.distill import students
        from runners.distill.students.base import IMAGENET_MEAN, IMAGENET_STD, Options

        family = students.module(self.told["student"]["family"])
        known = {"family", "size", "image_size", "lora"}
        extra = {name: value for name, value in self.told["student"].items() if name not in known}
        return Options(
            self.told["student"]["image_size"],
            getattr(family, "MEAN", IMAGENET_MEAN),
            getattr(family, "STD", IMAGENET_STD),
            pretrained,
            extra,
        )

    def task(self, root: Path) -> Task:
        """The task of the student, with pictures relative to `root`."""
        from runners.distill import tasks
        from runners.distill.tasks.base import Settings

        made = self.options()
        settings = Settings(
            self.classes,
            made.image_size,
            made.mean,
            made.std,
            root,
            self.told["augment"],
            self.told["views"],
            made.extra,
        )
        return tasks.build(self.told["task"], settings)


def read(file: Path, classes: Path) -> Config:
    """Errors: RecipeError R0665 when the data has another number of classes than the recipe says."""
    told, names = json.loads(file.read_bytes()), json.loads(classes.read_bytes())
    if told["classes"] not in (None, len(names)):
        message = f"the student is to tell {told['classes']} classes apart and the data has {len(names)}"
        raise RecipeError([Diagnostic("R0665", message, f"write `classes: {len(names)}`, or leave it out")])
    return Config(told, tuple(names))
