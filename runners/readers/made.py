"""Pictures that a reader makes: files under `images/` of the prepared data."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

from runners.data import png
from runners.data.rows import Picture, Place, Row, Source

if TYPE_CHECKING:
    import numpy

FOLDER = "images"
MASKS = "masks"
DIGITS = 32
"""Of the digest that names a picture of a row."""
STARTS = {
    b"\x89PNG": ".png",
    b"\xff\xd8": ".jpg",
    b"RIFF": ".webp",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"II*": ".tif",
    b"MM": ".tif",
}
"""The first bytes of a picture → the end of its name."""


def _color(number: int) -> tuple[int, int, int]:
    """A colour that is far from those of its neighbours: the bits of the number, spread over red, green and blue."""
    bits = [[number >> (3 * place + channel) & 1 for place in range(3)] for channel in range(3)]
    red, green, blue = (sum(bit << (7 - place) for place, bit in enumerate(channel)) for channel in bits)
    return red, green, blue


PALETTE = [part for number in range(256) for part in _color(number)]
"""What a viewer shows for each class."""


def row(source: Source, number: int, pixels: numpy.ndarray, label: str) -> Row:
    """Write a picture, and the row that asks for its class."""
    made = picture(source, f"{number:05d}", pixels)
    return Row(Place(made.path), source.asks(None, None, 1), pictures=(made,), label=label)


def picture(source: Source, number: str, pixels: numpy.ndarray) -> Picture:
    """Write a picture."""
    return _write(source, FOLDER, number, png.encode(pixels))


def embedded(source: Source, content: bytes) -> Picture:
    """Write a picture that a row holds, as it is; equal ones share a file."""
    name = f"{FOLDER}/{hashlib.sha256(content).hexdigest()[:DIGITS]}{_suffix(content)}"
    file = source.to / name
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return Picture(name, file)


def _suffix(content: bytes) -> str:
    """What the name of a picture ends with, by its first bytes."""
    return next((suffix for start, suffix in STARTS.items() if content.startswith(start)), ".picture")


def mask(source: Source, number: str, classes: numpy.ndarray) -> Picture:
    """Write the class of each pixel, of shape (height, width), as an indexed PNG.

    Masks of photographs are many and large, so Pillow compresses them: its version is part of the stage's identity.
    """
    from PIL import Image

    indexed = Image.fromarray(classes.astype("uint8")).convert("L")
    indexed.putpalette(PALETTE)
    content = io.BytesIO()
    indexed.save(content, "PNG")
    return _write(source, MASKS, number, content.getvalue())


def _write(source: Source, folder: str, number: str, content: bytes) -> Picture:
    """Write a file whose name carries a digest: ms-swift prefers one of the same path in its working directory."""
    name = f"{folder}/{number}-{hashlib.sha256(content).hexdigest()[:8]}.png"
    file = source.to / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return Picture(name, file)
