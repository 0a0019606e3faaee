"""Files in zip and tar archives, also archives in archives, by their names: nothing is unpacked, and no path of an
archive becomes a path on disk.

for member in members(Path("OK-VQA/val2014.zip"), scratch):
    if member.name.startswith("COCO_"):
        content = member.read(limit=64 << 20)
"""

from __future__ import annotations

import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from runners.data.rows import Place
from schema.diagnostics import Diagnostic, RecipeError

ZIP = ".zip"
TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
SUFFIXES = (ZIP, *TAR)
DEEPEST = 3
"""Archives that may stand in one another."""
UNREADABLE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(RuntimeError, NotImplementedError),  # encrypted, and compressed in a way that zipfile does not know
)

Opener = Callable[[], AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive. It can be read until the next one is asked for."""

    shown: str
    """The archive's path and the member's in it, for messages."""
    size: int
    """Bytes, as the archive says."""
    opened: Opener

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.shown.replace("\\", "/").rpartition("/")[2]

    def read(self, limit: int) -> bytes:
        """Its bytes. Errors: RecipeError R0640 for more than `limit`, whatever the archive says of its size."""
        if self.size <= limit:
            with _readable(self.shown), self.opened() as stream:
                content = stream.read(limit + 1)
            if len(content) <= limit:
                return content
        raise RecipeError([_refused(self.shown, f"it is larger than {limit:,} bytes")])


def is_archive(name: str) -> bool:
    """By its name."""
    return name.lower().endswith(SUFFIXES)


def members(file: Path, shown: str, scratch: Path) -> Iterator[Member]:
    """The files of an archive that messages call `shown`, and those of archives in it, in their order.

    Archives in archives are copied into `scratch` while they are read. Links and other things that are no files are passed
    over. Errors: RecipeError R0640 for one that is broken or encrypted.
    """
    yield from _members(file, shown, scratch, 1)


def _members(file: Path, shown: str, scratch: Path, depth: int) -> Iterator[Member]:
    listing = _of_zip if file.name.lower().endswith(ZIP) else _of_tar
    with _readable(shown):
        for member in listing(file, shown):
            if not is_archive(member.name):
                yield member
            elif depth < DEEPEST:
                with _copied(member, scratch) as copy:
                    yield from _members(copy, member.shown, scratch, depth + 1)


@contextmanager
def _copied(member: Member, scratch: Path) -> Iterator[Path]:
    """The member as a file of its own, for a while; only the ending of its name is taken over."""
    ending = next(suffix for suffix in SUFFIXES if member.name.lower().endswith(suffix))
    with tempfile.NamedTemporaryFile(dir=scratch, prefix=".archive-", suffix=ending) as copy:
        with member.opened() as stream:
            shutil.copyfileobj(stream, copy, 1 << 20)
        copy.flush()
        yield Path(copy.name)


def _of_zip(file: Path, shown: str) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                yield Member(f"{shown}/{info.filename}", info.file_size, lambda info=info: archive.open(info))  # type: ignore[misc]


def _of_tar(file: Path, shown: str) -> Iterator[Member]:
    with tarfile.open(file, "r|*") as archive:  # one way through: a compressed archive cannot be searched
        for info in archive:
            if info.isfile():
                yield Member(f"{shown}/{info.name}", info.size, lambda info=info: _extracted(archive, info))  # type: ignore[misc]


def _extracted(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(info)
    assert stream is not None  # only links and folders have none
    return stream


@contextmanager
def _readable(shown: str) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise RecipeError([_refused(shown, f"it cannot be read: {error}")]) from error


def _refused(shown: str, what: str) -> Diagnostic:
    return Place(shown).refuse(
        "R0640", f"{shown}: {what}", "download it again, or unpack it and name the folder as `path`"
    )
