"""PNG files whose bytes are the same everywhere.

A library's compressor may change its bytes with its version, so the pixels are stored uncompressed (PNG 1.2, RFC 1951).
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GRAY, RGB = 0, 2  # colour types
STORED = 0xFFFF  # bytes of a stored deflate block at most


def encode(pixels: numpy.ndarray) -> bytes:
    """The file of 8-bit pixels of shape (height, width) or (height, width, 3)."""
    height, width = pixels.shape[:2]
    color = RGB if pixels.ndim == 3 else GRAY
    header = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)
    lines = b"".join(b"\x00" + line.tobytes() for line in pixels)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", _stored(lines)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _stored(data: bytes) -> bytes:
    starts = range(0, len(data), STORED)
    blocks = [data[start : start + STORED] for start in starts]
    last = len(blocks) - 1
    framed = (struct.pack("<BHH", i == last, len(block), len(block) ^ 0xFFFF) + block for i, block in enumerate(blocks))
    return b"\x78\x01" + b"".join(framed) + struct.pack(">I", zlib.adler32(data))
