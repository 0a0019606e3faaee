"""Build a tiny model in its place: by our own module, in a process of its own that ends with this one."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from runners import processes
from runners.failures import tail
from runners.locks import held
from runners.supervise import say
from runners.transfer import Tick
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import remove
from schema.models import TINY

SEED = 0
POLL_SECONDS = 0.1
END_SECONDS = 5.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def build(root: Path, id: str, place: Path, lock: Path, tick: Tick) -> bool:
    """Have a tiny model in its place; whether it was not there before. Errors: RecipeError, what `tick` raises."""
    if place.exists():
        return False
    mark = f"fetch:{place.resolve()}#"
    with held(lock, id, tick, lambda run: _end(mark), seconds=float("inf")):
        _end(mark)
        if place.exists():  # whoever held the lock has built it
            return False
        place.parent.mkdir(parents=True, exist_ok=True)
        for partial in place.parent.glob(f"{place.name}.partial-*"):
            remove(partial)
        say(f"building {id}, a small random model")
        family = id.removeprefix(TINY).replace("-", "_").replace(".", "_")
        command = ("runners.tiny_model", "--family", family, "--seed", str(SEED), "--to", str(place))
        log = root / ".recipe" / "logs" / "fetch" / f"{place.name}.log"
        if _run(root, command, mark, log, tick) != 0:
            said = " ".join(tail(log, lines=1))
            help = f"its log is {log.relative_to(root)}"
            raise RecipeError([Diagnostic("R0534", f"{id} could not be built: {said}", help)])
    return True


def _end(mark: str) -> None:
    """End what a build of this place has left behind when it was killed."""
    group = processes.Group(mark)
    if group.members():
        processes.end(group.members, END_SECONDS)


def _run(root: Path, command: tuple[str, ...], mark: str, log: Path, tick: Tick) -> int:
    """Run one of our modules to its end, what it says in the log: its exit code."""
    package = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path, processes.MARK: mark}
    return to_end((sys.executable, "-P", "-m", *command), root, environment, log, tick)


def to_end(command: Sequence[str], root: Path, environment: Mapping[str, str], log: Path, tick: Tick) -> int:
    """Run a program that ends with this process, what it says in the log: its exit code. `tick` is called meanwhile."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=_end_with_parent,
        )
        try:
            while process.poll() is None:
                tick()
                time.sleep(POLL_SECONDS)
            return process.returncode
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
