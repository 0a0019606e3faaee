"""Content digests of files and folders, remembered by file status so that unchanged data is not read twice.

A file's digest is the sha256 of its bytes. A folder's is the sha256 of the canonical JSON of {relative path: sha256}:
names and bytes count; times, modes and empty folders do not. Links are followed: data may be mapped to another disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from schema import components
from schema.files import write_atomically

CHUNK = 1 << 20
# A file changed within the last moments may change again without a new time stamp: such a digest is not remembered.
SETTLED_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Digest:
    """What lies at a path: its kind (`file` or `tree`), sha256 in hex, size in bytes and number of files."""

    kind: str
    sha256: str
    size: int
    files: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def of_file(path: Path, read: Callable[[int], None] = lambda size: None, algorithm: str = "sha256") -> str:
    """The digest of a file's bytes, in hex; `read` is told how many bytes were read since it was told last."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            read(len(chunk))
    return digest.hexdigest()


def files_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """(relative POSIX path, path) of each file below a folder; links are followed, a folder is entered once."""
    seen: set[tuple[int, int]] = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        for name in names:
            path = Path(parent, name)
            yield _as_text(path.relative_to(folder)), path


def _as_text(path: Path) -> str:
    """A path as text that JSON can hold: bytes that are not UTF-8 are escaped."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def of_path(path: Path, file_digest: Callable[[Path], str] = of_file) -> Digest:
    """The digest of a file or folder. Errors: OSError when it cannot be read."""
    if not path.is_dir():
        return Digest("file", file_digest(path), path.stat().st_size, 1)
    digests: dict[str, str] = {}
    size = 0
    for name, file in files_below(path):
        digests[name] = file_digest(file)
        size += file.stat().st_size
    return Digest("tree", components.digest(digests), size, len(digests))


class Remembered:
    """The digest of one path, with a table {file: [size, mtime, ctime, inode, digest]} in a cache folder (times in ns).

    `tick` is called before each file, so that reading much data can be interrupted, and `read` with numbers of bytes.
    Each algorithm has a table of its own: `of_file` and `save` serve who puts the digests of files together in another way.
    """

    def __init__(
        self,
        cache: Path,
        path: Path,
        tick: Callable[[], None] = lambda: None,
        read: Callable[[int], None] = lambda size: None,
        algorithm: str = "sha256",
    ) -> None:
        self.path = path
        self.tick = tick
        self.read = read
        self.algorithm = algorithm
        name = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:24]
        ending = ".json" if algorithm == "sha256" else f".{algorithm}.json"
        self.table_file = cache / "digests" / f"{name}{ending}"
        self.known = self._load()
        self.current: dict[str, list[Any]] = {}

    def digest(self) -> Digest:
        result = of_path(self.path, self.of_file)
        self.save()
        return result

    def save(self) -> None:
        """Keep the table for the next time. Errors: OSError."""
        if self.current != self.known:
            self.table_file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.table_file, json.dumps(self.current).encode(), durable=False)

    def _load(self) -> dict[str, list[Any]]:
        """The table of an earlier run; empty when there is none or it is damaged: it only saves time."""
        try:
            table = json.loads(self.table_file.read_bytes())
        except (OSError, ValueError):
            return {}
        return table if isinstance(table, dict) else {}

    def of_file(self, path: Path) -> str:
        """The digest of a file at or below the path. Errors: OSError."""
        self.tick()
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        name = os.path.relpath(path, self.path)
        known = self.known.get(name)
        if isinstance(known, list) and known[:-1] == stamp:
            self.read(status.st_size)
            self.current[name] = known
            return str(known[-1])
        started = time.time()
        digest = of_file(path, self.read, self.algorithm)
        if max(status.st_mtime, status.st_ctime) + SETTLED_SECONDS < started:
            self.current[name] = [*stamp, digest]
        return digest
