"""Coloured shapes drawn on the spot, for smoke variants of recipes whose pictures cannot be shipped.

animals: {kind: shapes, classes: [cat, dog], per_class: 6, size: 56}
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schema.base import Positive
from schema.datasets.base import DatasetBase


class Shapes(DatasetBase):
    """One shape and colour for each class; the same seed draws the same pictures."""

    draws: ClassVar[bool] = True
    kind: Literal["shapes"]
    classes: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=2)
    """The names of the classes; each gets a shape and a colour."""
    per_class: Positive = 6
    """Pictures of each class."""
    noise: float | None = Field(None, ge=0, le=1)
    """The share of pictures whose class is drawn at random: what is learned from them leaves something to be learned."""
    size: int = Field(56, ge=8, le=1024)
    """Width and height in pixels."""
