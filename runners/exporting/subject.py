"""What is exported, whatever the family: a module with one picture tensor in and one tensor out, and its original."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

Output = Literal["logits", "features"]


@dataclass(frozen=True, slots=True)
class Looks:
    """How a picture becomes a tensor: RGB, brought to `size` (height, width), by 255, less `mean`, by `std`."""

    size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fit: Literal["stretch", "crop"] = "stretch"
    """`stretch` changes the sides' ratio; `crop` scales the shorter side and cuts the middle out."""
    resample: Literal["bicubic", "bilinear"] = "bicubic"


@dataclass(frozen=True, slots=True)
class Subject:
    """One model on its way into other formats, in float32 on the CPU."""

    family: str
    module: torch.nn.Module
    """[B, 3, H, W] → [B, classes] logits, or [B, …] features."""
    original: Callable[[Sequence[Image]], torch.Tensor]
    """The same of pictures of `looks.size`, computed by the family's own code and preprocessing."""
    looks: Looks
    output: Output
