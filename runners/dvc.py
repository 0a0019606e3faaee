"""DVC as a program of its own: what is out of date, run one stage, make the page with the plots.

DVC runs in a process group of its own, so that a signal that somebody sends us reaches DVC, the shell and `recipe exec`
once, and as SIGINT: DVC ignores that while a stage runs and then files that it failed, and exec ends the engine.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

POLL_SECONDS = 0.2
GROUP_SECONDS = 60.0  # for the rest of the group to end after DVC has, which takes exec's own grace
PR_SET_PDEATHSIG = 1  # linux/prctl.h
COMMAND = (sys.executable, "-P", "-m", "dvc")  # -P: a folder `dvc` in the project is not the program

Line = Callable[[str, str], None]
"""Gets the name of the stream, `out` or `err`, and a line."""


class Interrupted(Exception):
    """Somebody wants us to stop; nothing of the run is left. `number` is the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@dataclass
class Signals:
    """SIGINT, SIGTERM and SIGHUP go on to what runs, as SIGINT, each time they come."""

    received: list[int] = field(default_factory=list)
    group: int | None = None
    before: dict[int, object] = field(default_factory=dict)

    def __enter__(self) -> Signals:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self.before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *raised: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.received.append(number)
        self.forward()

    def forward(self) -> None:
        """Pass an interrupt on to the group that runs, if one does."""
        if self.group is not None:
            try:
                os.killpg(self.group, signal.SIGINT)
            except OSError:
                return

    def check(self) -> None:
        """Errors: Interrupted when a signal has come."""
        if self.received:
            raise Interrupted(self.received[0])


@dataclass(frozen=True, slots=True)
class Dvc:
    """DVC in a project; `tick` is called several times a second while it works."""

    root: Path
    signals: Signals
    tick: Callable[[], None] = lambda: None

    def status(self, targets: list[str]) -> tuple[set[str], str]:
        """Those of the targets that are not up to date. And what DVC says when it cannot tell, else nothing."""
        lines: dict[str, list[str]] = {"out": [], "err": []}
        code = self.run(("status", "--json", *targets), {}, lambda stream, line: lines[stream].append(line))
        try:
            return set(json.loads("\n".join(lines["out"]))), ""
        except ValueError:
            return set(), "\n".join(lines["err"]) or f"dvc status ended with exit code {code}"

    def run(self, arguments: tuple[str, ...], environment: Mapping[str, str], line: Line) -> int:
        """Run DVC to its end; its exit code. Errors: Interrupted, when nothing of it is left."""
        self.signals.check()
        process = subprocess.Popen(
            (*COMMAND, *arguments),
            cwd=self.root,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
            preexec_fn=_in_child,  # no thread runs
        )
        self.signals.group = process.pid
        if self.signals.received:  # it came before there was a group
            self.signals.forward()
        try:
            self._follow(process, line)
        finally:
            _until_empty(process.pid, self.tick)
            self.signals.group = None
        self.signals.check()
        return process.returncode

    def _follow(self, process: subprocess.Popen[bytes], line: Line) -> None:
        """Hand out its lines until it has ended."""
        assert process.stdout is not None and process.stderr is not None
        with selectors.DefaultSelector() as selector, process.stdout, process.stderr:
            for name, stream in (("out", process.stdout), ("err", process.stderr)):
                os.set_blocking(stream.fileno(), False)
                selector.register(stream, selectors.EVENT_READ, _Lines(name, stream, line))
            ended = False
            while selector.get_map() and not ended:
                ended = process.poll() is not None  # one more look afterwards at what it wrote last
                for key, _ in selector.select(0 if ended else POLL_SECONDS):
                    if not key.data.read():
                        selector.unregister(key.fileobj)
                self.tick()
            process.wait()


@dataclass
class _Lines:
    """The lines of a stream that does not block."""

    name: str
    stream: IO[bytes]
    line: Line
    rest: bytes = b""

    def read(self) -> bool:
        """Hand out the lines that are there; whether more can come."""
        while content := self._content():
            *lines, self.rest = (self.rest + content).split(b"\n")
            for line in lines:
                self.line(self.name, line.decode("utf-8", "replace").rstrip("\r"))
        if content is None:
            return True
        if self.rest:
            self.line(self.name, self.rest.decode("utf-8", "replace"))
        return False

    def _content(self) -> bytes | None:
        """Bytes; none at the end; None when there is nothing at the moment."""
        try:
            return os.read(self.stream.fileno(), 65536)
        except BlockingIOError:
            return None


def _in_child() -> None:
    """DVC listens to SIGINT also where we ignore it, and ends with us on Linux; exec then ends the engine."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _until_empty(group: int, tick: Callable[[], None]) -> None:
    """Wait for everything in the group to end: exec is in it, and ends after its engine."""
    deadline = time.monotonic() + GROUP_SECONDS
    while _alive(group) and time.monotonic() < deadline:
        tick()
        time.sleep(POLL_SECONDS / 4)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    import psutil  # only now: nearly always the group has ended with DVC

    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                return True
        except (psutil.Error, OSError):
            continue
    return False
