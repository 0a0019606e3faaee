"""The processes of a run: who started us, who belongs to the engine, and how all of them end.

An engine starts children that start children; some leave the process group or the session. A process belongs to a run
when it is the launch itself or its descendant, is in the launch's session, carries the run's mark in its environment,
or was seen to belong before. Nothing is ended by name.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import psutil

MARK = "RECIPE_RUN"
POLL_SECONDS = 0.1
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
SHELLS = {"sh", "ash", "dash", "bash", "zsh", "ksh", "fish"}


@dataclass
class Group:
    """All processes of a run: their RECIPE_RUN begins with `mark`; `leader` is the launch's pid and session."""

    mark: str
    leader: int | None = None
    known: set[psutil.Process] = field(default_factory=set)

    def members(self, adopted_by: int | None = None, not_these: Iterable[int] = ()) -> list[psutil.Process]:
        """Those alive now. Children of `adopted_by`, a process that adopts orphans, belong too, save `not_these`."""
        excluded = {os.getpid(), *not_these}
        processes = {p.pid: p for p in psutil.process_iter() if p.pid not in excluded and _alive(p)}
        found = {pid for pid, process in processes.items() if self._belongs(process)}
        children = _children(processes.values())
        if adopted_by is not None:
            found |= {pid for pid in children.get(adopted_by, ()) if pid in processes}
        waiting = list(found)
        while waiting:
            new = [pid for pid in children.get(waiting.pop(), ()) if pid not in found]
            found.update(new)
            waiting.extend(new)
        self.known = {processes[pid] for pid in found}
        return [processes[pid] for pid in sorted(found)]

    def _belongs(self, process: psutil.Process) -> bool:
        if self.leader is not None and self.leader in (process.pid, _session(process.pid)):
            return True
        return process in self.known or _environment(process).get(MARK, "").startswith(self.mark)


def end(members: Callable[[], list[psutil.Process]], grace: float, hurry: Callable[[], bool] = lambda: False) -> int:
    """End those that `members` finds until it finds none, SIGTERM first, SIGKILL after `grace` seconds. How many."""
    deadline = time.monotonic() + grace
    asked: set[psutil.Process] = set()
    while alive := members():
        now = time.monotonic() >= deadline or hurry()
        for process in alive:
            if now or process not in asked:
                _send(process, signal.SIGKILL if now else signal.SIGTERM)
        asked.update(alive)
        time.sleep(POLL_SECONDS)
    return len(asked)


def counted(number: int) -> str:
    """`1 process`, `2 processes`."""
    return f"{number} process{'es' if number != 1 else ''}"


def _children(processes: Iterable[psutil.Process]) -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for process in processes:
        try:
            children.setdefault(process.ppid(), []).append(process.pid)
        except psutil.Error:
            continue
    return children


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _environment(process: psutil.Process) -> dict[str, str]:
    """Empty for processes of other people."""
    try:
        return dict(process.environ())
    except (psutil.Error, OSError):
        return {}


def _send(process: psutil.Process, number: signal.Signals) -> None:
    """A stopped process gets SIGCONT too, else SIGTERM would wait for ever."""
    try:
        process.send_signal(number)
        if number is not signal.SIGKILL:
            process.send_signal(signal.SIGCONT)
    except (psutil.Error, OSError):
        return


def adopt_orphans() -> None:
    """On Linux, become the parent of descendants whose own parent ends, so that they are found below us.

    The setting lasts over `exec`, but children do not inherit it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_adopted(not_these: Iterable[int]) -> None:
    """Collect adopted children that have ended, but not our own, whose exit status their owner reads."""
    if sys.platform == "linux":
        own = set(not_these)
        while (ended := _waitable()) is not None and ended not in own:
            os.waitpid(ended, os.WNOHANG)


def _waitable() -> int | None:
    if sys.platform == "linux":
        try:
            status = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return None
        return status.si_pid if status is not None else None
    return None


class Callers:
    """Those for whom we work: our parent and, when that is a shell that only runs one command (`sh -c …`), its parent.

    A poll is used and no parent-death signal: that follows a thread of the parent, and never looks behind the shell.
    """

    def __init__(self) -> None:
        self.chain = _chain()
        self.orphaned_before = _orphaned(self.chain)

    def gone(self) -> bool:
        """Whether one of them has ended, by whatever signal."""
        if self.orphaned_before:
            return True
        pids = [os.getpid(), *self.chain]
        return any(_parent(child) != parent for child, parent in pairwise(pids))


def _chain() -> list[int]:
    chain = [os.getppid()]
    while chain[-1] > 1 and _runs_one_command(chain[-1]):
        above = _parent(chain[-1])
        if above is None or _interactive_shell(above):
            break
        chain.append(above)
    if _interactive_shell(chain[0]) and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return []  # `nohup recipe exec … &`: made to outlive the shell
    return chain


def _orphaned(chain: list[int]) -> bool:
    """Whether the last caller only adopted us: a child that leads no session is in the session of its first parent."""
    if not chain:
        return False
    last = [os.getpid(), *chain][-2]
    return _session(last) not in (last, _session(chain[-1]))


def _parent(pid: int) -> int | None:
    if pid == os.getpid():
        return os.getppid()
    try:
        return int(psutil.Process(pid).ppid())
    except psutil.Error:
        return None


def _command(pid: int) -> list[str]:
    try:
        return list(psutil.Process(pid).cmdline())
    except psutil.Error:
        return []


def _is_shell(command: list[str]) -> bool:
    return bool(command) and Path(command[0]).name.lstrip("-") in SHELLS


def _runs_one_command(pid: int) -> bool:
    command = _command(pid)
    return _is_shell(command) and len(command) > 2 and re.fullmatch(r"-[a-z]*c[a-z]*", command[1]) is not None


def _interactive_shell(pid: int) -> bool:
    command = _command(pid)
    return _is_shell(command) and all(word.startswith("-") for word in command[1:])
