"""Drawn pictures and clips for smoke variants: shapes with boxes and masks, and shapes that move.

street:  {kind: scenes, classes: [car, sign, cone], count: 40, size: 96}
gesture: {kind: motions, classes: [left, right, up, down], per_class: 8, frames: 6, size: 48}
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schema.base import Positive
from schema.datasets.annotated import ClassNames
from schema.datasets.base import DatasetBase, Task


class Scenes(DatasetBase):
    """Pictures with a few shapes each, one shape and colour for each class; the same seed draws the same pictures."""

    draws: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("detect", "segment")
    kind: Literal["scenes"]
    classes: ClassNames
    """The names of the classes; each gets a shape and a colour."""
    count: Positive = 40
    """How many pictures."""
    most: int = Field(3, ge=1, le=9)
    """How many shapes a picture has at most; it has one at least."""
    size: int = Field(96, ge=32, le=1024)
    """Width and height in pixels."""

    def makes(self, task: Task) -> tuple[str, ...]:
        """A mask for each picture, where pixels are classified."""
        return ("images", "masks") if task == "segment" else ("images",)


class Motions(DatasetBase):
    """Clips of a disc that moves; the class is the direction, so no single frame tells it."""

    draws: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("sequence",)
    kind: Literal["motions"]
    classes: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=2, max_length=8)]
    """Names of directions: right, left, down, up, and the diagonals between them."""
    per_class: Positive = 8
    """Clips of each direction."""
    frames: int = Field(6, ge=2, le=64)
    """Frames of a clip."""
    size: int = Field(48, ge=16, le=512)
    """Width and height in pixels."""
