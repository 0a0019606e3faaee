"""Downloaded bytes, each named by their sha256, for all recipes and, where people want that, all projects of a machine.

    .recipe/store/blobs/9b/9b74c989…    whole and verified; nobody writes to it again
    .recipe/store/parts/9b74c989…       on its way to these bytes; another source can go on with it
    .recipe/store/damaged/9b74c989…     what `verify` found to be something else by now
    .recipe/store/projects/5c11….json   a project that uses the store from elsewhere: gc keeps what it names

`store:` in machine.yaml or RECIPE_STORE puts it elsewhere. A lock file in it is shared by who downloads and held alone
by who removes. What is handed out is a reflink or a copy: a program that writes to a hard link would damage the store.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from schema import digests
from schema.files import read_json, remove, sync, write_json
from schema.lock import LockedFile
from schema.machine import Machine

VARIABLE = "RECIPE_STORE"
INSIDE = Path(".recipe", "store")
FICLONE = 0x40049409  # linux/fs.h
POLL_SECONDS = 0.05
Wait = Callable[[], None]
"""Called again and again while another process or thread is waited for; it may raise."""


class Mismatch(Exception):
    """The bytes of a finished part are not those it is named after; the part is empty now."""


def place(root: Path, machine: Machine, environment: Mapping[str, str]) -> Path:
    """The folder of a project's store."""
    return root / Path(environment.get(VARIABLE) or machine.store or INSIDE).expanduser()


@dataclass(frozen=True, slots=True)
class Store:
    """A store; the folder need not exist yet."""

    folder: Path

    def blob(self, sha256: str) -> Path:
        """Where bytes stand, or would."""
        return self.folder / "blobs" / sha256[:2] / sha256

    @property
    def parts(self) -> Path:
        return self.folder / "parts"

    def has(self, sha256: str, size: int) -> bool:
        """Whether the bytes are here, by their number; one of another size is moved away."""
        try:
            found = self.blob(sha256).stat().st_size
        except FileNotFoundError:
            return False
        if found != size:
            self.set_aside(sha256)
        return found == size

    def read(self, sha256: str) -> bytes | None:
        """The bytes themselves; None when they are damaged, and moved away now. Errors: OSError."""
        content = self.blob(sha256).read_bytes()
        if hashlib.sha256(content).hexdigest() == sha256:
            return content
        self.set_aside(sha256)
        return None

    def blobs(self) -> Iterator[tuple[str, int]]:
        """(sha256, size) of everything here, sorted."""
        for path in sorted((self.folder / "blobs").glob("??/*")):
            yield path.name, path.stat().st_size

    def put(self, content: bytes) -> str:
        """Keep bytes; their sha256. Errors: OSError, Mismatch when the disk gives others back."""
        sha256 = hashlib.sha256(content).hexdigest()
        with self.part(sha256, len(content), lambda: None) as part:
            if part is not None:
                part.clear()
                part.write(content)
                part.promote()
        return sha256

    def adopt(self, path: Path, file: LockedFile) -> bool:
        """Keep the bytes of a file that stands somewhere, if they are those. Whether they are here now."""
        if self.has(file.sha256, file.size):
            return True
        if not path.is_file() or path.stat().st_size != file.size or digests.of_file(path) != file.sha256:
            return False
        try:
            with self.part(file.sha256, file.size, lambda: None) as part:
                if part is not None:
                    part.copy(path)
                    part.promote()
        except Mismatch:  # somebody writes to it just now
            return False
        return True

    def set_aside(self, sha256: str) -> Path:
        """Move damaged bytes away, so that the next fetch gets them anew."""
        aside = self.folder / "damaged" / sha256
        aside.parent.mkdir(parents=True, exist_ok=True)
        self.blob(sha256).replace(aside)
        return aside

    def hand_out(self, sha256: str, to: Path) -> None:
        """A copy of bytes that is the receiver's own. Errors: OSError."""
        with _named(to), self.blob(sha256).open("rb") as source, to.open("xb") as target:
            if not _cloned(source.fileno(), target.fileno()):
                shutil.copyfileobj(source, target, digests.CHUNK)
            target.flush()
            os.fsync(target.fileno())

    @contextmanager
    def part(self, sha256: str, size: int, wait: Wait) -> Iterator[Part | None]:
        """Hold the part of some bytes alone; None when the bytes are there. Errors: OSError, what `wait` raises."""
        self.parts.mkdir(parents=True, exist_ok=True)
        path = self.parts / sha256
        while not self.has(sha256, size):
            with _held(path, wait) as descriptor:
                if descriptor is None:
                    continue
                if self.has(sha256, size):
                    path.unlink()
                    continue
                part = Part(self, path, descriptor, sha256, size)
                try:
                    yield part
                finally:
                    if part.size == 0 and _stands(path, descriptor):
                        path.unlink()
                return
        yield None

    def assemble(self, files: Mapping[str, LockedFile], folder: Path, tick: Wait) -> None:
        """Make a new folder that holds just these files. Errors: OSError, what `tick` raises; nothing is left then."""
        remove(folder)
        try:
            folder.mkdir(parents=True)
            for path, file in sorted(files.items()):
                tick()
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                self.hand_out(file.sha256, folder / path)
            for parent in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
                sync(parent)
        except BaseException:
            remove(folder)
            raise

    @contextmanager
    def in_use(self, wait: Wait) -> Iterator[None]:
        """Nothing is removed meanwhile. Errors: OSError, what `wait` raises while somebody is just removing."""
        with self._lock() as descriptor:
            while not _taken(descriptor, fcntl.LOCK_SH):
                wait()
                time.sleep(POLL_SECONDS)
            yield

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether nobody uses the store; then nobody does meanwhile. Errors: OSError."""
        with self._lock() as descriptor:
            yield _taken(descriptor, fcntl.LOCK_EX)

    @contextmanager
    def _lock(self) -> Iterator[int]:
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def register(self, root: Path) -> None:
        """Note that a project uses the store, so that gc keeps what it names."""
        root = root.resolve()
        if root != self._owner() and not (file := self._entry(root)).exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(file, {"root": str(root)})

    def projects(self) -> list[Path | None]:
        """The roots of all projects that use the store; None stands for an entry that cannot be read."""
        entries = [read_json(path) for path in sorted((self.folder / "projects").glob("*.json"))]
        known = [Path(e["root"]) if isinstance(e, dict) and isinstance(e.get("root"), str) else None for e in entries]
        owner = self._owner()
        return known if owner is None else [owner, *known]

    def forget(self, root: Path) -> bool:
        """Take a project off the register; whether it was on it."""
        file = self._entry(root.resolve())
        known = file.exists()
        remove(file)
        return known

    def _owner(self) -> Path | None:
        """The project that the store lies in, which need not be registered."""
        folder = self.folder.resolve()
        return folder.parent.parent if folder.parts[-2:] == INSIDE.parts else None

    def _entry(self, root: Path) -> Path:
        return self.folder / "projects" / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:32]}.json"


@dataclass
class Part:
    """Bytes on their way, held by us alone. `descriptor` is open for reading and writing, and locked."""

    store: Store
    path: Path
    descriptor: int
    sha256: str
    whole: int

    def __post_init__(self) -> None:
        self.size = os.fstat(self.descriptor).st_size
        if self.size > self.whole:
            self.clear()

    def clear(self) -> None:
        """Begin from the start."""
        os.ftruncate(self.descriptor, 0)
        self.size = 0

    def write(self, content: bytes) -> None:
        """Go on with these bytes. Errors: OSError, with the path."""
        with _named(self.path):
            view = memoryview(content)
            while view:
                written = os.pwrite(self.descriptor, view, self.size)
                self.size += written
                view = view[written:]

    def copy(self, path: Path) -> None:
        """Take the bytes of a file. Errors: OSError."""
        self.clear()
        with path.open("rb") as source, _named(self.path):
            if not _cloned(source.fileno(), self.descriptor):
                while chunk := source.read(digests.CHUNK):
                    self.write(chunk)
        self.size = os.fstat(self.descriptor).st_size

    def promote(self) -> None:
        """Make it a blob, once its bytes are on the disk and read back from there. Errors: OSError, Mismatch."""
        with _named(self.path):
            os.fsync(self.descriptor)
        if self.size != self.whole or digests.of_file(self.path) != self.sha256:
            self.clear()
            raise Mismatch
        blob = self.store.blob(self.sha256)
        blob.parent.mkdir(parents=True, exist_ok=True)
        os.fchmod(self.descriptor, 0o444)
        self.path.replace(blob)
        sync(blob.parent)


@contextmanager
def _held(path: Path, wait: Wait) -> Iterator[int | None]:
    """The descriptor of a file that is locked and still stands there; None when it went while we waited for it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while not _taken(descriptor, fcntl.LOCK_EX):
            wait()
            time.sleep(POLL_SECONDS)
        yield descriptor if _stands(path, descriptor) else None
    finally:
        os.close(descriptor)


def _stands(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _taken(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """An error of the system says which file it is about."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def _cloned(source: int, target: int) -> bool:
    """Whether the file system could share the bytes until one side writes to its own."""
    if sys.platform != "linux":
        return False
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        return False
    return True
