"""How a recipe asks its teacher, and by which name the answers for a row are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from runners.distill.config import Config
from runners.distill.tasks.base import Row, Task
from schema.digests import Remembered

PACKAGES = ("pillow", "torch", "torchvision", "transformers")
"""What opens, resizes and sees the pictures."""


def asked(config: Config, root: Path, folder: Path, adapter: Path | None) -> dict[str, Any]:
    """Everything that decides what the teacher says. Errors: OSError when it is not there."""
    return {
        "teacher": _digest(root, folder),
        "adapter": _digest(root, adapter) if adapter is not None else None,
        "model": dict(config["teacher"]),
        "features": _features(config) if config.wants_features else None,
        "classes": list(config.classes) if config.wants_scores else None,
        "views": config["views"],
        "packages": {name: version(name) for name in PACKAGES},
    }


def _features(config: Config) -> dict[str, Any]:
    """The grid matters to maps, the pooling to vectors."""
    unused = "pooling" if config.dense else "grid"
    return {name: value for name, value in config["features"].items() if name != unused}


def _digest(root: Path, folder: Path) -> str:
    return Remembered(root / ".recipe" / "cache", folder).digest().sha256


class Names:
    """The name of each picture of a row in the cache: its bytes, the view, and the prompt where it is answered."""

    def __init__(self, config: Config, task: Task) -> None:
        self.config, self.task = config, task
        self.known: dict[Path, str] = {}

    def of(self, row: Row, view: int) -> list[str]:
        """One name for each picture that the teacher is shown of a row."""
        prompt = hashlib.sha256(prompt_of(row).encode()).hexdigest()[:16] if self.config.wants_scores else ""
        return [f"{self._digest(file)}:{view}:{prompt}{self.task.shown}" for file in self.task.files(row)]

    def _digest(self, file: Path) -> str:
        if file not in self.known:
            self.known[file] = hashlib.sha256(file.read_bytes()).hexdigest()
        return self.known[file]


def prompt_of(row: Row) -> str:
    """What the row asks, with the tag of its picture."""
    asked = [str(message["content"]) for message in row.get("messages", ()) if message["role"] == "user"]
    return asked[-1] if asked else ""


def shown(names: Names, rows: Sequence[Row], views: int) -> dict[str, tuple[Row, int, int]]:
    """Name → row, view and number of each picture that the teacher is shown; each once, in the order of the rows."""
    found: dict[str, tuple[Row, int, int]] = {}
    for row in rows:
        for view in range(views):
            for number, name in enumerate(names.of(row, view)):
                found.setdefault(name, (row, view, number))
    return found
