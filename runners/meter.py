"""How much of a download has come: bars on a terminal, now and then a line elsewhere, nothing for programs."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runners.supervise import say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

NEWS_SECONDS = 30.0
WIDTH = 40


def size(count: float) -> str:
    """A number of bytes for people.

    >>> size(1_234_567), size(12)
    ('1.2 MB', '12 bytes')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count:.0f} bytes"


class Meter:
    """Counts what threads report, and says nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.name = ""
        self.total = 0
        self.come = 0

    @contextmanager
    def during(self, name: str, total: int) -> Iterator[None]:
        """Some files are coming, `total` bytes together."""
        self.name, self.total, self.come = name, total, 0
        yield

    def file(self, path: str, size: int) -> None:
        """A file begins."""

    def add(self, path: str, count: int) -> None:
        """Bytes of a file came; a negative number was thrown away."""
        with self._lock:
            self.come += count

    def done(self, path: str) -> None:
        """A file is whole."""

    def news(self) -> None:
        """Called often by whoever waits."""


class Lines(Meter):
    """A line in half a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._said = time.monotonic()

    def news(self) -> None:
        if time.monotonic() - self._said >= NEWS_SECONDS:
            self._said = time.monotonic()
            say(f"{self.name}: {size(self.come)} of {size(self.total)}")


class Bars(Meter):
    """A bar for each file that is coming, and one for all."""

    @contextmanager
    def during(self, name: str, total: int) -> Iterator[None]:
        from rich import progress
        from rich.console import Console

        columns = (
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
        )
        with super().during(name, total), progress.Progress(*columns, console=Console(stderr=True)) as self._bars:
            self._all = self._bars.add_task(name[-WIDTH:], total=total)
            self._files: dict[str, TaskID] = {}
            yield

    _bars: Progress

    def file(self, path: str, size: int) -> None:
        self._files[path] = self._bars.add_task(path[-WIDTH:], total=size)

    def add(self, path: str, count: int) -> None:
        super().add(path, count)
        self._bars.advance(self._all, count)
        if path in self._files:  # not when another process brought it
            self._bars.advance(self._files[path], count)

    def done(self, path: str) -> None:
        self._bars.remove_task(self._files.pop(path))


def chosen(quiet: bool) -> Meter:
    """The meter for where standard error leads."""
    if quiet:
        return Meter()
    return Bars() if sys.stderr.isatty() else Lines()
