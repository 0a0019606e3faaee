"""Engines that start as forks of a process that has loaded the libraries once: `python tests/forks.py SOCKET NAME`.

Loading an engine takes ten times as long as what a tiny model does with it. So a run may be given variables (`Forks`) with
which every Python of it, when it starts, looks whether it is an engine. If it is, it hands its arguments, environment,
folder and open files to the process that has loaded that engine's libraries, waits, and ends as the fork of it ended.
What was only imported, without a computation, may be forked: the bytes of results are those of a process of its own, as the
test of the quickstart shows.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

LIBRARIES = {
    "swift": ("swift.pipelines", "swift.trainers"),
    "transformers": ("transformers", "peft", "accelerate", "timm", "torchmetrics", "torchvision"),
}
"""Name → what its process loads. ms-swift changes libraries when it is imported, so the others have a process without it."""

FIXED = {
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "TOKENIZERS_PARALLELISM": "false",
}
"""What libraries read when they are loaded: a stage with another value of one of these starts on its own."""

SECONDS = 300.0

CLIENT = """
import os, sys

FIXED, PREFIX, SOCKETS = {fixed!r}, {prefix!r}, {sockets!r}
OURS = ("distill.", "evaluate", "export", "features", "predict", "quantize", "scores.", "synthesize", "trl_")


def engine():
    words = sys.orig_argv[1:]
    if sys.prefix != PREFIX or any(os.environ.get(name) != value for name, value in FIXED.items()):
        return None
    if words[0].endswith(tuple("/swift/cli/" + name + ".py" for name in ("sft", "rlhf", "export", "infer"))):
        return "swift", words
    if words[0].endswith("/bin/accelerate") or words[0] == "-m" and words[1].startswith(tuple("runners." + n for n in OURS)):
        return "transformers", words
    return None


def forked(name, words):
    import array, json, signal, socket
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(os.path.join(SOCKETS, name))
        asked = json.dumps({{"argv": words, "env": dict(os.environ), "cwd": os.getcwd()}}).encode()
        files = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", (0, 1, 2)))]
        server.sendmsg([len(asked).to_bytes(8, "big")], files)
        server.sendall(asked)
        code = int.from_bytes(server.recv(8), "big", signed=True)
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)


if found := engine():
    forked(*found)
"""
"""Run by every Python of a run when it starts."""


class Forks:
    """The processes that have loaded libraries; `client` is what a run's `sitecustomize` has to hold."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        folder.mkdir()
        self.client = CLIENT.format(fixed=FIXED, prefix=sys.prefix, sockets=str(folder))
        self.processes = []
        for name in LIBRARIES:
            command = (sys.executable, __file__, str(folder / name), name)
            with (folder / f"{name}.log").open("wb") as log:
                process = subprocess.Popen(command, cwd=folder, env=environment | FIXED, stdout=log, stderr=log)
            self.processes.append(process)
            _until(lambda name=name: (folder / name).exists(), process, folder / f"{name}.log")

    def __enter__(self) -> Forks:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.terminate()
            process.wait()


def _until(ready, process, log):
    deadline = time.monotonic() + SECONDS
    while not ready():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def serve(path: str, name: str) -> None:
    """Fork for everyone who asks, for as long as it is not ended."""
    for library in LIBRARIES[name]:
        __import__(library)
    threads = {
        (task / "comm").read_text().strip()
        for task in Path("/proc/self/task").iterdir()
        if int(task.name) != os.getpid()
    }
    assert threads <= {"jemalloc_bg_thd"}, threads  # a fork has no threads; this one, of Arrow, looks after itself
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{path}.new")
        listening.listen()
        Path(f"{path}.new").rename(path)
        while True:
            asking, _ = listening.accept()
            if not os.fork():
                listening.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _answer(asking)
                os._exit(0)
            asking.close()


def _answer(asking: socket.socket) -> None:
    """Run what is asked for in a fork, end it when who asked is gone, and tell how it ended."""
    head, files, _, _ = socket.recv_fds(asking, 8, 3)
    asked = json.loads(_read(asking, int.from_bytes(head, "big")))
    engine = os.fork()
    if not engine:
        asking.close()
        _be(asked, files)
        sys.exit()
    for descriptor in files:
        os.close(descriptor)
    ended = os.pidfd_open(engine)
    if asking in select.select([asking, ended], [], [])[0]:
        os.kill(engine, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(engine, 0)[1])
    with contextlib.suppress(OSError):
        asking.sendall(code.to_bytes(8, "big", signed=True))


def _read(asking: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        content += asking.recv(size - len(content))
    return content


def _be(asked: dict, files: array.array) -> None:
    """Be the program that was asked for, as far as it can see."""
    for own, theirs in enumerate(files):
        os.dup2(theirs, own)
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    first, *rest = asked["argv"]
    if first == "-m":
        sys.argv, sys.path[0] = rest, str(Path.cwd())
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = asked["argv"], str(Path(first).parent)
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    serve(*sys.argv[1:])
