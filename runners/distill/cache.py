"""What a teacher said of each picture, kept for all runs that ask the same teacher in the same way.

.recipe/teachers/<key>/told.json                how it was asked, for a reader
                       <name>.features.npy      [rows, D] or [rows, D, grid, grid], memory-mapped; float16 where that holds them
                       <name>.scores.npy        [rows, C], float32
                       <name>.index.json        the pictures of these rows, and the digests of both files

A part counts by its index, which is written last. A part that a kill or a full disk cut short has none, or its files
are not of the digests that it names: it is removed, and its pictures are seen again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from schema.digests import Remembered
from schema.files import read_json, remove, write_atomically, write_json

FORMAT = 1
INDEX = ".index.json"
TOLD, LOCK = "told.json", "lock"

Array = NDArray[Any]


@dataclass(frozen=True)
class Part:
    """Rows that were written at once."""

    folder: Path
    name: str
    entries: tuple[str, ...]
    kinds: tuple[str, ...]

    @cached_property
    def features(self) -> Array:
        """The rows as they lie on the disk; nothing is read before it is asked for."""
        found: Array = numpy.load(self.folder / f"{self.name}.features.npy", mmap_mode="r")
        return found

    @cached_property
    def scores(self) -> Array:
        """The same for scores."""
        found: Array = numpy.load(self.folder / f"{self.name}.scores.npy", mmap_mode="r")
        return found


class Cache:
    """The parts that are whole of what one teacher said, asked in one way."""

    def __init__(self, folder: Path, parts: Sequence[Part]) -> None:
        self.folder = folder
        self.parts: list[Part] = []
        self.places: dict[str, tuple[Part, int]] = {}
        for part in parts:
            self._take(part)

    def _take(self, part: Part) -> None:
        self.parts.append(part)
        self.places |= {entry: (part, row) for row, entry in enumerate(part.entries)}

    def __contains__(self, entry: object) -> bool:
        return entry in self.places

    def features(self, entry: str) -> Array:
        """[D] or [D, grid, grid] of a picture as they lie on the disk, in float16 or float32; nothing is copied."""
        part, row = self.places[entry]
        found: Array = part.features[row]
        return found

    def scores(self, entry: str) -> Array:
        """[C] of a picture, in float32; nothing is copied."""
        part, row = self.places[entry]
        found: Array = part.scores[row]
        return found

    @property
    def bytes(self) -> int:
        """What it takes on the disk."""
        return sum(path.stat().st_size for path in self.folder.iterdir() if path.is_file())

    def add(self, entries: Sequence[str], arrays: Mapping[str, Array]) -> None:
        """Keep what the teacher said of pictures. The index comes last: without it nothing of this counts."""
        name = hashlib.sha256("\n".join(entries).encode()).hexdigest()[:24]
        digests = {kind: _save(self.folder / f"{name}.{kind}.npy", array) for kind, array in sorted(arrays.items())}
        write_json(self.folder / f"{name}{INDEX}", {"format": FORMAT, "entries": list(entries), "sha256": digests})
        self._take(Part(self.folder, name, tuple(entries), tuple(digests)))


def _save(path: Path, array: Array) -> str:
    stream = BytesIO()
    numpy.save(stream, array, allow_pickle=False)
    content = stream.getvalue()
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


@contextmanager
def held(root: Path, asked: Mapping[str, Any]) -> Iterator[Cache]:
    """The cache of a teacher that is asked in this way, to be added to. Errors: OSError.

    Who finds nobody else at work first removes what is not whole. Others may add at the same time: what they write
    counts by its own index.
    """
    folder = folder_of(root, asked)
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _repair(root, folder, asked)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield read(root, asked)
    finally:
        os.close(descriptor)


def folder_of(root: Path, asked: Mapping[str, Any]) -> Path:
    """Where the cache of a teacher stands that is asked in this way."""
    told = json.dumps({"format": FORMAT, **asked}, sort_keys=True, separators=(",", ":"))
    return root / ".recipe" / "teachers" / hashlib.sha256(told.encode()).hexdigest()


def read(root: Path, asked: Mapping[str, Any]) -> Cache:
    """The parts that are whole, for who only reads."""
    folder = folder_of(root, asked)
    return Cache(folder, list(_whole(root, folder)))


def _repair(root: Path, folder: Path, asked: Mapping[str, Any]) -> None:
    parts = list(_whole(root, folder))
    kept = {f"{part.name}.{kind}.npy" for part in parts for kind in part.kinds}
    kept |= {f"{part.name}{INDEX}" for part in parts} | {TOLD, LOCK}
    for path in folder.iterdir():
        if path.name not in kept:
            remove(path)
    if read_json(folder / TOLD) is None:
        write_json(folder / TOLD, dict(asked))


def _whole(root: Path, folder: Path) -> Iterator[Part]:
    """The parts whose files have the bytes that their index names; a file that did not change is not read again."""
    for path in sorted(folder.glob(f"*{INDEX}")):
        index, name = read_json(path), path.name.removesuffix(INDEX)
        if not isinstance(index, dict) or index.get("format") != FORMAT:
            continue
        files = {folder / f"{name}.{kind}.npy": sha256 for kind, sha256 in index["sha256"].items()}
        if all(_has(root, file, sha256) for file, sha256 in files.items()):
            yield Part(folder, name, tuple(index["entries"]), tuple(index["sha256"]))


def _has(root: Path, file: Path, sha256: str) -> bool:
    return file.is_file() and Remembered(root / ".recipe" / "cache", file).digest().sha256 == sha256
