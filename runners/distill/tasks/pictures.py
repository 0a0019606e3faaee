"""Pictures as students see them: varied by a seed, resized, and as numbers.

The same seed gives the same variant, in any order and in any number of processes, so a run that was cut goes on as it
would have.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

import numpy
import torch
from PIL import Image
from torch import Tensor

SCALE = (0.7, 1.0)
"""The share of a picture's area that is kept."""
RATIO = (0.8, 1.25)
"""How much wider or narrower the part is than the picture."""
LIGHT = 0.2
"""How far brightness and contrast go up and down."""


def opened(file: Path) -> Image.Image:
    """A picture with three channels. Errors: OSError and others of Pillow's."""
    with Image.open(file) as image:
        return image.convert("RGB")


def seed_of(*parts: object) -> int:
    """A seed from parts that name something: numbers that differ by one give seeds that share nothing."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "little")


def varied(image: Image.Image, seed: int) -> Image.Image:
    """A part of the picture, in another light. It is not mirrored: for letters and digits that is another picture."""
    draw = random.Random(seed)
    width, height = image.size
    area = draw.uniform(*SCALE)
    ratio = draw.uniform(*RATIO)
    part_width = max(1, min(width, round(width * (area * ratio) ** 0.5)))
    part_height = max(1, min(height, round(height * (area / ratio) ** 0.5)))
    left, top = draw.randint(0, width - part_width), draw.randint(0, height - part_height)
    part = image.crop((left, top, left + part_width, top + part_height))
    return _lit(part, draw.uniform(1 - LIGHT, 1 + LIGHT), draw.uniform(1 - LIGHT, 1 + LIGHT))


def lit(image: Image.Image, dice: random.Random) -> Image.Image:
    """The picture in another light; nothing in it moves."""
    return _lit(image, dice.uniform(1 - LIGHT, 1 + LIGHT), dice.uniform(1 - LIGHT, 1 + LIGHT))


def _lit(image: Image.Image, brightness: float, contrast: float) -> Image.Image:
    from PIL import ImageEnhance

    return ImageEnhance.Contrast(ImageEnhance.Brightness(image).enhance(brightness)).enhance(contrast)


def numbers(image: Image.Image, size: int, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """The picture as [3, size, size], stretched to a square."""
    resized = image.resize((size, size), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(numpy.array(resized)).permute(2, 0, 1).float() / 255
    tensor: Tensor = (pixels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    return tensor
