"""Pictures and boxes fitted into a square without stretching them, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

if TYPE_CHECKING:  # loads torch
    from torch import Tensor

GRAY = (114, 114, 114)
"""What stands beside a picture that is no square, as in YOLOv5 and later."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How a picture is put into a square: scaled, then moved, in pixels of the square."""

    scale: float
    left: int
    top: int
    width: int
    height: int
    """Of the picture as it was."""

    def boxes(self, boxes: Tensor) -> Tensor:
        """Corners [N, 4] in the picture → in the square."""
        return boxes * self.scale + boxes.new_tensor([self.left, self.top, self.left, self.top])

    def back(self, boxes: Tensor) -> Tensor:
        """Corners [N, 4] in the square → in the picture, cut at its edges."""
        moved = (boxes - boxes.new_tensor([self.left, self.top, self.left, self.top])) / self.scale
        limits = boxes.new_tensor([self.width, self.height, self.width, self.height])
        found: Tensor = moved.clamp(min=0).minimum(limits)
        return found


def fit(size: tuple[int, int], side: int) -> Fit:
    """How a picture of a width and height gets into the middle of a square."""
    width, height = size
    scale = side / max(width, height)
    left, top = (side - round(width * scale)) // 2, (side - round(height * scale)) // 2
    return Fit(scale, left, top, width, height)


def letterboxed(image: Image.Image, side: int) -> Image.Image:
    """The picture in the middle of a gray square."""
    how = fit(image.size, side)
    inner = (max(1, round(image.width * how.scale)), max(1, round(image.height * how.scale)))
    square = Image.new("RGB", (side, side), GRAY)
    square.paste(image.resize(inner, Image.Resampling.BILINEAR), (how.left, how.top))
    return square


def mirrored(image: Image.Image, boxes: Tensor) -> tuple[Image.Image, Tensor]:
    """The picture as in a mirror, and its boxes [N, 4]."""
    turned = boxes.clone()
    turned[:, 0], turned[:, 2] = image.width - boxes[:, 2], image.width - boxes[:, 0]
    return ImageOps.mirror(image), turned
