"""What every task is: rows of prepared data, how a student sees them, and how its predictions are scored.

{"messages": […], "images": ["outputs/x/data/images/00001.png"], "label": 4}        classification
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a task has to know of the student and of the recipe."""

    classes: tuple[str, ...]
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    root: Path
    """Pictures of a row are relative to it."""
    augment: bool = True
    """Whether pictures are varied in training."""
    views: int = 1
    """Variants of each picture that the teacher has seen; with more than one, a student sees these and no others."""
    extra: Mapping[str, Any] | None = None
    """What only one family knows, such as the number of frames."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A row as the student sees it."""

    inputs: Any
    target: Any
    flipped: bool = False
    """Whether the picture is mirrored, so that a teacher's token grid has to be mirrored, too."""


class Task(ABC):
    """One task, with its settings."""

    name: str

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def located(self, path: str, data: Path) -> Path:
        """A picture that a row of `data` names: one that was drawn lies beside the rows, others are of the project."""
        beside = data.parent / path
        return beside if beside.is_file() else self.settings.root / path

    @property
    def shown(self) -> str:
        """How what the teacher sees differs from the file, where it does: part of its name in the cache."""
        return ""

    @abstractmethod
    def read(self, file: Path) -> list[Row]:
        """The rows of a prepared split, checked. Errors: RecipeError R0663 that names file and row."""

    @abstractmethod
    def pictures(self, row: Row, view: int) -> list[Image]:
        """What the teacher is shown: one picture, or the frames of a sequence, whose features are averaged.

        View 0 shows the pictures as they are; with `views` > 1, view k is the same variant whenever it is asked for.
        """

    @abstractmethod
    def files(self, row: Row) -> list[Path]:
        """The files of `pictures`, by whose bytes the cache knows them."""

    @abstractmethod
    def transform(self, row: Row, train: bool, seed: int) -> Sample:
        """A row as the student sees it. The same seed gives the same sample; without `train` nothing is varied.

        With `views` > 1 and `train`, `seed % views` is the view that is shown.
        """

    @abstractmethod
    def collate(self, samples: Sequence[Sample]) -> tuple[Any, Any]:
        """Inputs and targets of a batch, as the student's `forward` and `loss` take them."""

    @abstractmethod
    def metrics(self, predictions: Sequence[Any], targets: Sequence[Any]) -> dict[str, float]:
        """Scores of what `decode` gave, with the targets of the samples. Names are those of `recipe` metrics."""

    @abstractmethod
    def prediction(self, row: Row, decoded: Any) -> dict[str, Any]:
        """The line of predictions.jsonl: {"input": {"prompt", "images"}, "label", "answer", "parsed", …}."""
