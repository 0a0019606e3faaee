"""One run at a time: an exclusive lock on a file, held as long as any process has its descriptor open."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runners.supervise import say
from schema.diagnostics import Diagnostic, RecipeError

WAIT_SECONDS = 60.0
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that we hold: its descriptor, for children to inherit, and a name that no other run has."""

    descriptor: int
    run: str


@contextmanager
def held(
    path: Path, what: str, tick: Callable[[], None], abandoned: Callable[[str], None], seconds: float | None = None
) -> Iterator[Lock]:
    """Hold the lock file `path`, and beside it `.owner`, which is not inherited and so tells whether we live.

    A lock that another run holds is waited for, `seconds` or else RECIPE_LOCK_WAIT (60), `tick` called meanwhile; when
    that run is dead and only its children hold the lock, `abandoned` is called with its name, to end them.
    Errors: RecipeError when it is not free by then. The files stay: removing them would let two runs lock two files.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path) as descriptor, _opened(path.with_suffix(".owner")) as owner:
        _wait(descriptor, owner, what, tick, abandoned, wait_seconds() if seconds is None else seconds)
        while not _taken(owner):  # somebody is just looking whether we live
            time.sleep(POLL_SECONDS)
        lock = Lock(descriptor, f"{os.getpid()}-{time.time_ns()}")
        os.ftruncate(owner, 0)
        os.pwrite(owner, lock.run.encode(), 0)
        yield lock


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _wait(
    descriptor: int,
    owner: int,
    what: str,
    tick: Callable[[], None],
    abandoned: Callable[[str], None],
    seconds: float,
) -> None:
    deadline = time.monotonic() + seconds
    said = False
    while not _taken(descriptor):
        holder = _Holder.of(owner)
        if not said:
            say(f"{what}: waiting for another run, {holder}")
            said = True
        if time.monotonic() > deadline:
            raise RecipeError([_busy(what, holder, seconds)])
        if holder.run and not holder.alive:
            abandoned(holder.run)
        tick()
        time.sleep(POLL_SECONDS)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Holder:
    """Who has the lock. The name is read before the look at its life: what is said to be dead is no later run."""

    run: str
    alive: bool

    @classmethod
    def of(cls, owner: int) -> _Holder:
        run = os.pread(owner, 64, 0).decode(errors="replace")
        try:
            fcntl.flock(owner, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return cls(run, alive=True)
        fcntl.flock(owner, fcntl.LOCK_UN)
        return cls(run, alive=False)

    def __str__(self) -> str:
        pid = self.run.partition("-")[0]
        return f"process {pid}" if self.alive else f"process {pid}, which has ended; its engine is being stopped"


def wait_seconds() -> float:
    """How long a held lock is waited for, from RECIPE_LOCK_WAIT. Errors: RecipeError when that is no number."""
    text = os.environ.get("RECIPE_LOCK_WAIT", "")
    try:
        return max(0.0, float(text)) if text else WAIT_SECONDS
    except ValueError:
        message = f"RECIPE_LOCK_WAIT is {text!r}, not a number of seconds"
        raise RecipeError([Diagnostic("R0504", message, help="write RECIPE_LOCK_WAIT=60")]) from None


def _busy(what: str, holder: _Holder, seconds: float) -> Diagnostic:
    return Diagnostic(
        "R0504",
        f"{what} is being run by {holder}, and was still after {seconds:g} s",
        help="wait for that run, stop it with Ctrl-C or `kill`, or set RECIPE_LOCK_WAIT to more seconds",
    )
