"""What is exported, whatever the family: a module with one tensor of pictures in and one tensor out, and its original."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch

Output = Literal["logits", "boxes", "pixels", "features"]


@dataclass(frozen=True, slots=True)
class Looks:
    """How a picture becomes a tensor: RGB, brought to `size` (height, width), by 255, less `mean`, by `std`."""

    size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fit: Literal["stretch", "crop", "letterbox"] = "stretch"
    """`stretch` changes the sides' ratio; `crop` scales the shorter side and cuts the middle out; `letterbox` scales
    the longer side, and what is missing is gray."""
    resample: Literal["bicubic", "bilinear"] = "bicubic"
    frames: int | None = None
    """How many pictures one row has, of a model that reads clips."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row: (3, height, width), with the frames in front where it has some."""
        return (*((self.frames,) if self.frames else ()), 3, *self.size)


@dataclass(frozen=True, slots=True)
class Subject:
    """One model on its way into other formats, in float32 on the CPU."""

    family: str
    module: torch.nn.Module
    """[B, *looks.shape] → [B, classes] logits, or [B, …] of another output."""
    original: Callable[[Sequence[Any]], torch.Tensor]
    """The same of rows as `pictures.fitted` gives them, computed by the family's own code and preprocessing."""
    looks: Looks
    output: Output
    student: Mapping[str, Any] | None = None
    """What a student says of itself: how its outputs become answers."""
