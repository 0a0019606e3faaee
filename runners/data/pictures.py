"""Open every picture, and tell equal pictures by their pixels."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from runners.data.rows import Row
from schema.diagnostics import Diagnostic

EIGHT_BIT = {"1", "L", "LA", "P", "PA", "RGB", "RGBA"}  # modes that RGBA holds without loss
WORKERS = 4

Progress = Callable[[Iterable[str | Exception], int], Iterable[str | Exception]]


def fingerprint(file: Path) -> str:
    """The sha256 of the decoded pixels, in hex. Errors: whatever Pillow raises for a file that it cannot decode."""
    from PIL import Image

    with Image.open(file) as image:
        image.load()
        pixels = image.convert("RGBA") if image.mode in EIGHT_BIT else image
        digest = hashlib.sha256(f"{pixels.mode} {pixels.size}".encode())
        digest.update(pixels.tobytes())
    return digest.hexdigest()


def pixels(file: Path) -> Any:
    """The picture as ms-swift and TRL see it: RGB, not turned, of an animation the first. Errors: as `fingerprint`."""
    from PIL import Image

    with Image.open(file) as image:
        return image.convert("RGB")


def turned(files: Iterable[Path]) -> list[Path]:
    """The pictures whose EXIF data says that they are to be shown otherwise than their pixels lie, as cameras write them."""
    return [file for file in files if _orientation(file) not in (None, 1)]


def _orientation(file: Path) -> int | None:
    from PIL import ExifTags, Image

    try:
        with Image.open(file) as image:
            return image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # whatever is wrong with what stands beside the pixels
        return None


def lying(report: Mapping[str, Any]) -> str:
    """A line for people where pictures do not lie as they are looked at; empty where all do."""
    turned = report["turned_pictures"]
    if not turned["count"]:
        return ""
    first = turned["first"][0]
    return (
        f"{turned['count']} of {turned['of']} pictures are turned by their EXIF data, such as {first}: "
        "models see the pixels as they lie; turn the files themselves (`mogrify -auto-orient` does)"
    )


def check(rows: Sequence[Row], progress: Progress) -> tuple[Mapping[Path, str], list[Diagnostic]]:
    """The fingerprint of each readable picture, and a diagnostic for each row with an unreadable one."""
    files = list(dict.fromkeys(picture.file for row in rows for picture in row.pictures))
    with ThreadPoolExecutor(min(WORKERS, os.cpu_count() or 1)) as threads:
        results = list(progress(threads.map(_attempt, files), len(files)))
    failures = {file: result for file, result in zip(files, results, strict=True) if isinstance(result, Exception)}
    found = {file: result for file, result in zip(files, results, strict=True) if isinstance(result, str)}
    return found, list(_refused(rows, failures))


def _attempt(file: Path) -> str | Exception:
    try:
        return fingerprint(file)
    except Exception as error:  # decoders fail in many ways: all of them mean that no engine can read it
        return error


def _refused(rows: Sequence[Row], failures: Mapping[Path, Exception]) -> Iterator[Diagnostic]:
    for row in rows:
        for picture in row.pictures:
            if picture.file in failures:
                message = f"the picture {picture.path} cannot be read: {_reason(failures[picture.file], picture.file)}"
                yield row.place.refuse("R0604", message, "replace or remove it, or write `on_bad: skip`")


def _reason(error: Exception, file: Path) -> str:
    """Pillow's reason without the machine's own path in it."""
    if type(error).__name__ == "UnidentifiedImageError":
        return "it is empty" if file.stat().st_size == 0 else "it is no picture of a known format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).replace(str(file), file.name) or type(error).__name__
