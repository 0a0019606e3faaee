"""One run at a time: an exclusive lock on a file, held as long as any process has its descriptor open."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from schema.diagnostics import Diagnostic, RecipeError

WAIT_SECONDS = 60.0
POLL_SECONDS = 0.1


@contextmanager
def held(path: Path, what: str, tick: Callable[[], None]) -> Iterator[int]:
    """Hold the lock file `path`; yields its descriptor, for children to inherit.

    A lock that another run holds is waited for, RECIPE_LOCK_WAIT seconds (60), `tick` called meanwhile.
    Errors: RecipeError when it is not free by then. The file stays: removing it would let two runs lock two files.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _wait(descriptor, what, tick)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _wait(descriptor: int, what: str, tick: Callable[[], None]) -> None:
    seconds = wait_seconds()
    deadline = time.monotonic() + seconds
    said = False
    while not _taken(descriptor):
        if not said:
            print(f"{what}: waiting for another run, {_holder(descriptor)}", file=sys.stderr, flush=True)
            said = True
        if time.monotonic() > deadline:
            raise RecipeError([_busy(what, _holder(descriptor), seconds)])
        tick()
        time.sleep(POLL_SECONDS)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
    if not text.isdigit():
        return "which has just begun"
    alive = psutil.pid_exists(int(text))
    return f"process {text}" if alive else f"process {text}, which has ended; its engine is being stopped"


def wait_seconds() -> float:
    """How long a held lock is waited for, from RECIPE_LOCK_WAIT. Errors: RecipeError when that is no number."""
    text = os.environ.get("RECIPE_LOCK_WAIT", "")
    try:
        return max(0.0, float(text)) if text else WAIT_SECONDS
    except ValueError:
        message = f"RECIPE_LOCK_WAIT is {text!r}, not a number of seconds"
        raise RecipeError([Diagnostic("R0504", message, help="write RECIPE_LOCK_WAIT=60")]) from None


def _busy(what: str, holder: str, seconds: float) -> Diagnostic:
    return Diagnostic(
        "R0504",
        f"{what} is being run by {holder}, and was still after {seconds:g} s",
        help="wait for that run, stop it with Ctrl-C or `kill`, or set RECIPE_LOCK_WAIT to more seconds",
    )
