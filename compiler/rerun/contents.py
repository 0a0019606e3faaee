"""The bytes of a project as DVC 3 counts them, with a memory by file status so that unchanged data is not read twice.

A file is the md5 of its bytes. A folder is the md5 of a JSON list of its files, `[{"md5": …, "relpath": …}, …]`, with `.dir`
after it: links to files are followed, links to folders are not.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from compiler.rerun.ignore import NAME, Ignore
from schema.digests import CHUNK, Remembered, of_file, of_path
from schema.machine import Machine, here


@dataclass(frozen=True, slots=True)
class Content:
    """What lies at a path. `executable` is part of what DVC files a run under."""

    md5: str
    executable: bool = False
    files: int = 1


class Unreadable(Exception):
    """DVC cannot take the digest of what lies at a path: its message says why."""


def of_text(text: str) -> Content:
    """The content of a file that is not written yet."""
    return Content(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest())


class Contents:
    """What lies at the paths of a project, with the data that the machine file maps.

    Args:
        rendered: Files that will stand in the project before DVC looks: path → text.
    """

    def __init__(self, root: Path, machine: Machine, rendered: Mapping[str, str]) -> None:
        self.root = root
        self.machine = machine
        self.cache = root / ".recipe" / "cache"
        self.found: dict[str, Content | None] = {path: of_text(text) for path, text in rendered.items()}

    def of(self, path: str) -> Content | None:
        """What lies there; None when nothing does. Errors: Unreadable."""
        if path not in self.found:
            self.found[path] = self._of(path)
        return self.found[path]

    def place(self, path: str) -> Path:
        """Where a path of the project really lies."""
        return here(self.root, self.machine, path)

    def sha256(self, path: str) -> str:
        """What a lock would name. Errors: Unreadable."""
        memory = Remembered(self.cache, self.place(path))
        with _readable(path):
            found = of_path(memory.path, memory.of_file)
        _keep(memory)
        return found.sha256

    def _of(self, path: str) -> Content | None:
        place = self.place(path)
        if not place.exists():
            return None
        with _readable(path):
            if place.is_dir():
                return self._of_folder(path, place)
            status = place.stat()
            return Content(self._of_file(place, status.st_size), bool(status.st_mode & 0o111))

    def _of_file(self, place: Path, size: int) -> str:
        if size < CHUNK:
            return of_file(place, algorithm="md5")
        memory = Remembered(self.cache, place, algorithm="md5")
        found = memory.of_file(place)
        _keep(memory)
        return found

    def _of_folder(self, path: str, place: Path) -> Content:
        memory = Remembered(self.cache, place, algorithm="md5")
        listed = [{"md5": memory.of_file(file), "relpath": name} for name, file in self._files(path, place)]
        _keep(memory)
        text = json.dumps(sorted(listed, key=lambda entry: entry["relpath"]), sort_keys=True)
        return Content(f"{of_text(text).md5}.dir", files=len(listed))

    def _files(self, path: str, place: Path) -> Iterator[tuple[str, Path]]:
        """(path below the folder, place) of each file that DVC counts."""
        inside = not Path(path).is_absolute()
        above = tuple(path.split("/")) if inside else ()
        ignore = Ignore(self.root, above[:-1]) if inside else None
        for parent, folders, names in os.walk(place):
            below = Path(parent).relative_to(place).parts
            if ignore is not None:
                at = (*above, *below)
                folders[:] = [n for n in folders if not ignore.covers((*at, n), True) and not _is_project(parent, n)]
                names = [name for name in names if not ignore.covers((*at, name), False)]
            if NAME in names:
                raise Unreadable(
                    f"{'/'.join((path, *below, NAME))}: DVC refuses a folder of data with such a file in it"
                )
            yield from (("/".join((*below, name)), Path(parent, name)) for name in names)


@contextlib.contextmanager
def _readable(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unreadable(f"{error.filename or path}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeError:
        raise Unreadable(f"{NAME} is not UTF-8") from None


def _is_project(parent: str, name: str) -> bool:
    """A folder that is a project of DVC itself is none of ours."""
    return Path(parent, name, ".dvc").exists()


def _keep(memory: Remembered) -> None:
    """The memory saves time only: a project that cannot be written is planned without."""
    with contextlib.suppress(OSError):
        memory.save()
