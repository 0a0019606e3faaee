"""Run one launch to its end, or end it: nothing of it outlives its supervisor, its supervisor's caller or a signal."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from runners.processes import MARK, Callers, Group, adopt_orphans, counted, end, reap_adopted

GRACE_SECONDS = 10.0
POLL_SECONDS = 0.25
WATCHER_RESTART_SECONDS = 1.0
FINISH_SECONDS = 10.0
MIRROR_SECONDS = 0.1


class Stopped(Exception):
    """Somebody wants us to stop; `number` is the signal, SIGHUP when the caller is gone."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number


def say(text: str) -> None:
    """One line on standard error, if that still leads anywhere."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        return


class Control:
    """Signals and the fate of our callers, noticed where `check` is called and nowhere else."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self.callers = Callers()
        self._before: dict[int, object] = {}

    def __enter__(self) -> Control:
        self._read, self._write = os.pipe()
        for descriptor in (self._read, self._write):
            os.set_blocking(descriptor, False)
        self._wakeup_before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._on_stop)
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, _on_child)
        return self

    def __exit__(self, *raised: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._read)
        os.close(self._write)

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self.received.append(number)

    def check(self) -> None:
        """Errors: Stopped when a signal came or a caller is gone."""
        if self.received:
            raise Stopped(self.received[0], f"stopped by {signal.Signals(self.received[0]).name}")
        if self.callers.gone():
            raise Stopped(signal.SIGHUP, "stopped: the process that started this is gone")

    def wait(self, seconds: float) -> None:
        """Wait, or until a signal or the end of a child."""
        if select.select([self._read], [], [], seconds)[0]:
            os.read(self._read, 4096)


def _on_child(number: int, frame: FrameType | None) -> None:
    """A handler must exist for the end of a child to be written to the wake-up pipe."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What is run: `mark` tells its processes from others, `lock` is a descriptor that all of them inherit."""

    command: tuple[str, ...]
    cwd: Path
    environment: Mapping[str, str]
    log: Path
    mark: str
    lock: int
    mirror: bool


def run(launch: Launch, control: Control, started: Callable[[], object] | None = None) -> int:
    """Run the launch, its output appended to the log; its return code (negative: the signal that ended it).

    `started` is called when the engine runs; only then may threads begin. Errors: Stopped. In
    every case no process of the launch is left.
    """
    adopt_orphans()
    with launch.log.open("ab") as log:
        begin = log.tell()
        watcher = Watcher(launch, log.fileno())
        engine = subprocess.Popen(
            launch.command,
            cwd=launch.cwd,
            env=dict(launch.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(launch.lock,),
            preexec_fn=adopt_orphans,  # no thread runs yet
        )
    with Mirror(launch.log, begin, launch.mirror):
        try:
            watcher.tell(engine.pid)
            if started is not None:
                started()
            _until_end(engine, watcher, control)
        finally:
            _end_all(launch, engine, watcher, control)
            watcher.finish()
    return engine.returncode


def _until_end(engine: subprocess.Popen[bytes], watcher: Watcher, control: Control) -> None:
    while engine.poll() is None:
        control.check()
        control.wait(POLL_SECONDS)
        watcher.keep(engine.pid)
        reap_adopted({engine.pid, watcher.pid})


def _end_all(launch: Launch, engine: subprocess.Popen[bytes], watcher: Watcher, control: Control) -> None:
    """End what is left: everything after a signal, forgotten helpers after a normal end. A second signal hurries."""
    group = Group(launch.mark, engine.pid)
    signals = len(control.received)
    finished = engine.poll() is not None
    ended = end(
        lambda: group.members(adopted_by=os.getpid(), not_these=(watcher.pid,)),
        grace=grace_seconds(),
        hurry=lambda: len(control.received) > signals,
    )
    engine.wait()
    if finished and ended:
        say(f"ended {counted(ended)} that the stage had left behind")


def grace_seconds() -> float:
    """How long the engine may take to end after SIGTERM, from RECIPE_GRACE (10 s)."""
    try:
        return max(0.0, float(os.environ["RECIPE_GRACE"]))
    except (KeyError, ValueError):
        return GRACE_SECONDS


class Watcher:
    """Our end of the watcher process: it acts when this process can no longer act."""

    def __init__(self, launch: Launch, log: int) -> None:
        self.launch = launch
        self.log = os.dup(log)
        self._start()

    def _start(self) -> None:
        self.started = time.monotonic()
        package = str(Path(__file__).resolve().parent.parent)
        path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
        self.process = subprocess.Popen(
            (sys.executable, "-m", "runners.watcher", self.launch.mark, str(grace_seconds())),
            env={name: value for name, value in os.environ.items() if name != MARK} | {"PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
            pass_fds=(self.launch.lock,),
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def tell(self, word: object) -> None:
        try:
            os.write(self._pipe(), f"{word}\n".encode())
        except BrokenPipeError:
            return

    def keep(self, leader: int) -> None:
        """Start another one when somebody killed it."""
        if self.process.poll() is not None and time.monotonic() - self.started > WATCHER_RESTART_SECONDS:
            self._close()
            self._start()
            self.tell(leader)

    def finish(self) -> None:
        """Let it go, and with it its hold on the lock."""
        self.tell("done")
        self._close()
        try:
            self.process.wait(FINISH_SECONDS)
        except subprocess.TimeoutExpired:  # somebody has stopped it
            self.process.kill()
            self.process.wait()
        os.close(self.log)

    def _close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def _pipe(self) -> int:
        assert self.process.stdin is not None
        return self.process.stdin.fileno()


class Mirror:
    """Shows on standard output what the engine writes to the log; in a thread, because a terminal may block."""

    def __init__(self, log: Path, begin: int, wanted: bool) -> None:
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._follow, args=(log, begin), daemon=True) if wanted else None

    def __enter__(self) -> Mirror:
        if self.thread is not None:
            self.thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop.set()
        if self.thread is not None:
            self.thread.join(timeout=2.0)

    def _follow(self, log: Path, begin: int) -> None:
        try:
            with log.open("rb") as stream:
                stream.seek(begin)
                while not self.stop.wait(MIRROR_SECONDS):
                    _pass_on(stream.read())
                _pass_on(stream.read())
        except OSError:
            return


def _pass_on(content: bytes) -> None:
    while content:
        content = content[os.write(sys.stdout.fileno(), content) :]
