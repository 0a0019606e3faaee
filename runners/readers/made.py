"""Pictures that a reader makes: files under `images/` of the prepared data."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from runners.data import png
from runners.data.rows import Picture, Place, Row, Source

if TYPE_CHECKING:
    import numpy

FOLDER = "images"


def row(source: Source, number: int, pixels: numpy.ndarray, label: str) -> Row:
    """Write a picture, and the row that asks for its class.

    ms-swift prefers a file of the same path in its working directory, so the name carries a digest of the content.
    """
    content = png.encode(pixels)
    name = f"{FOLDER}/{number:05d}-{hashlib.sha256(content).hexdigest()[:8]}.png"
    file = source.to / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return Row(Place(name), source.asks(None, None, 1), pictures=(Picture(name, file),), label=label)
