"""Clips as video files: data/sports/serve/1.mp4 → label `serve`. Frames are decoded once (PyAV) and written as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runners.data.rows import Place, Read, Row, Source
from runners.readers import made
from runners.readers.frame_folder import chosen, entries, no_clips
from schema.diagnostics import Diagnostic

SUFFIXES = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"}


def read(source: Source) -> Read:
    """A row for each video, ordered by class and name, with `frames` of its frames at equal distances."""
    found = entries(source)
    rows: list[Row] = []
    refused: list[Diagnostic] = []
    number = 0
    for label, clips in found.items():
        if not clips:
            refused.append(no_clips(source, label))
        for clip, file in clips.items():
            row = _row(source, label, file, f"{source.path}/{label}/{clip}", number)
            number += 1
            rows.append(row) if isinstance(row, Row) else refused.append(row)
    return Read(tuple(rows), tuple(refused), tuple(found))


def _row(source: Source, label: str, file: Path, shown: str, number: int) -> Row | Diagnostic:
    if file.suffix.lower() not in SUFFIXES or not file.is_file():
        help = f"move it elsewhere; videos end in {', '.join(sorted(SUFFIXES))}"
        return Place(shown).refuse("R0605", f"{shown} is no video by its name", help)
    frames = _decoded(file, int(source.dataset["frames"]), int(source.dataset["size"]))
    if isinstance(frames, str):
        help = "replace it, or write `on_bad: skip`"
        return Place(shown).refuse("R0676", f"the video {shown} {frames}", help)
    pictures = tuple(made.picture(source, f"{number:05d}-{part:03d}", frame) for part, frame in enumerate(frames))
    return Row(Place(shown), source.of_clip, pictures=pictures, label=label, clip=True)


def _decoded(file: Path, wanted: int, side: int) -> list[Any] | str:
    """The frames that are taken, as arrays of shape (height, width, 3), or why there are none.

    Decoded twice: containers do not always say how many frames they hold, and all of a video may not fit into memory.
    """
    import av

    try:
        with av.open(str(file)) as video:
            present = sum(1 for _ in video.decode(video=0))
        if not present:
            return "has no frames"
        taken = chosen(present, wanted)
        kept: dict[int, Any] = {}
        with av.open(str(file)) as video:
            for number, frame in enumerate(video.decode(video=0)):
                if number in taken:
                    kept[number] = _scaled(frame.to_image(), side)  # type: ignore[no-untyped-call]
        return [kept[number] for number in taken]
    except (av.FFmpegError, IndexError, KeyError) as error:
        reason = str(error).replace(str(file), file.name) if isinstance(error, av.FFmpegError) else "it has no pictures"
        return f"cannot be decoded: {reason}"


def _scaled(image: Any, side: int) -> Any:
    """A frame whose shorter side has at most `side` pixels."""
    import numpy

    shorter = min(image.size)
    if shorter > side:
        width, height = (max(1, round(length * side / shorter)) for length in image.size)
        image = image.resize((width, height))
    return numpy.asarray(image)
