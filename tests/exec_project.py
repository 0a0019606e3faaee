"""A project with one hand-made compiled stage whose engine is tests/fake_trainer.py, and its processes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

TRAINER = Path(__file__).with_name("fake_trainer.py")
SECONDS = 60.0
TARGET = "pipelines/demo/train"
EXEC = (sys.executable, "-m", "runners.exec")
TRAIN = """\
#!/usr/bin/env bash
set -euo pipefail
python -S {trainer} --output_dir "$RECIPE_OUT/checkpoints" --control {control} --data data/animals.txt \\
  ${{RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"}} {options}
mkdir -p "$RECIPE_OUT/result/model"
last=$(ls -d "$RECIPE_OUT"/checkpoints/checkpoint-* | tail -n 1)
cp "$last/"*.safetensors "$RECIPE_OUT/result/model/"
cp "$last/trainer_state.json" "$RECIPE_OUT/result/metrics.json"
"""


@dataclass
class Project:
    """`root` is the project, `control` the folder in which its trainer notes what it does."""

    root: Path
    control: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        return self.root / "outputs/demo/train"

    @property
    def record(self) -> dict:
        return json.loads((self.out / "run.json").read_text())

    @property
    def work(self) -> Path:
        return self.root / ".recipe/checkpoints" / KEY

    @property
    def starts(self) -> list[str]:
        """From what each trainer began: `start`, or the checkpoint's name."""
        return [Path(line).name for line in _lines(self.control / "starts")]

    def start(self, *arguments: str, command: tuple[str, ...] = EXEC) -> subprocess.Popen[str]:
        """Start exec, or another command, in a session of its own, its output in the control folder."""
        with (self.control / "output").open("a") as output:
            return subprocess.Popen(
                (*command, *arguments),
                cwd=self.root,
                env={**os.environ, "RECIPE_LOCK_WAIT": str(SECONDS), "RECIPE_GRACE": "0.5", **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                text=True,
                start_new_session=True,
            )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run exec to its end."""
        return subprocess.run(
            (*EXEC, TARGET, *arguments),
            cwd=self.root,
            env={**os.environ, "RECIPE_LOCK_WAIT": str(SECONDS), "RECIPE_GRACE": "0.5", **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * SECONDS,
        )

    def hold(self, point: str) -> None:
        (self.control / f"hold-{point}").touch()

    def wait_at(self, point: str) -> None:
        wait_for(lambda: (self.control / f"at-{point}").exists(), f"the trainer at {point}")

    def let_go(self) -> None:
        for file in (*self.control.glob("hold-*"), *self.control.glob("at-*")):
            file.unlink()

    def trainers(self) -> list[psutil.Process]:
        """Every process that a trainer has noted and that is alive."""
        noted = (int(line) for line in _lines(self.control / "pids"))
        return [process for pid in noted if (process := alive(pid)) is not None]

    def wait_until_gone(self) -> None:
        wait_for(lambda: not self.trainers(), "the end of all trainers")

    def results(self) -> dict[str, bytes]:
        """What was handed over, without the run record and DVC's .gitignore."""
        others = ("run.json", ".gitignore")
        files = (path for path in self.out.rglob("*") if path.is_file() and path.name not in others)
        return {path.relative_to(self.out).as_posix(): path.read_bytes() for path in files}


IDENTITY = {
    "format": 1,
    "kind": "sft",
    "launch": [],
    "env": {},
    "files": {},
    "inputs": ["data"],
    "code": {},
    "toolchain": {},
}
KEY = hashlib.sha256(b"demo/train").hexdigest()


def make(folder: Path, options: str = "", script: str = TRAIN, **stage: object) -> Project:
    """A project in `folder`; `options` are the trainer's, `stage` replaces fields of the stage in the manifest."""
    project = Project(folder / "project", folder / "control")
    project.control.mkdir(parents=True)
    (project.root / "data").mkdir(parents=True)
    (project.root / "data/animals.txt").write_text("cat dog horse\n")
    write_pipeline(project, script.format(trainer=TRAINER, control=project.control, options=options), **stage)
    return project


def write_pipeline(project: Project, script: str, identity: dict | None = None, **stage: object) -> None:
    """Write pipelines/demo as the compiler does: the manifest last."""
    pipeline = project.root / "pipelines/demo"
    pipeline.mkdir(parents=True, exist_ok=True)
    files = {"train.sh": script, "train.json": json.dumps(IDENTITY | (identity or {}))}
    for name, text in files.items():
        (pipeline / name).write_text(text)
    described = {
        "kind": "sft",
        "key": KEY,
        "out": "outputs/demo/train",
        "outs": ["model", "metrics.json"],
        "inputs": {"data": "data/animals.txt"},
        "checkpoints": "transformers",
    }
    manifest = {
        "format_version": 1,
        "recipe": {"name": "demo", "variant": None, "file": "recipes/demo.yaml"},
        "recipe_hash": "0" * 64,
        "pinned": False,
        "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()},
        "stages": {"train": described | stage},
    }
    (pipeline / "manifest.json").write_text(json.dumps(manifest))


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {SECONDS} s for {what}"
        time.sleep(0.02)


def alive(pid: int) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        return process if process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def below(process: subprocess.Popen[str], word: str) -> psutil.Process:
    """The one descendant, or the process itself, whose command line holds `word` in one of its arguments."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    found = [member for member in family if any(word in argument for argument in _command(member))]
    return found[0]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@contextmanager
def cleaned_up(project: Project) -> Iterator[Project]:
    """End what a failed test has left, by pid."""
    try:
        yield project
    finally:
        for process in project.trainers():
            process.send_signal(signal.SIGKILL)


def _lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []
