"""The run record, outputs/<recipe>/<stage>/run.json: what ran, on what machine, from what, to what.

It is written last: where there is none, nothing ran to the end. It names no host, no person and no absolute path.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runners import machine
from runners.compiled import OtherVersion, Stage, installed
from runners.handover import Seal
from runners.launched import launched
from runners.trainer import Report
from schema.components import components
from schema.digests import Digest

FORMAT_VERSION = 1
NAME = "run.json"
ASK_SECONDS = 20.0
GPU = ("name", "memory", "driver")


def begin(stage: Stage, environment: Mapping[str, str], others: Sequence[OtherVersion]) -> dict[str, Any]:
    """What is known before the launch: the time, commands, the machine, the packages, the state of the repository."""
    threads = machine.threads(stage.identity, environment)
    return {
        "started": now(),
        **launched(stage, environment),
        "machine": _machine(threads),
        "packages": _packages(stage),
        "other_versions": list(map(str, others)),
        "git": _git(stage.root),
    }


def finish(begun: Mapping[str, Any], resumed_from: list[int], trainer: Report | None) -> dict[str, Any]:
    """The same with the end: `elapsed` is in seconds and counts this run only, not those it went on from.

    A record is only written of what ended well. `trainer` is what a trainer held, where one was watched.
    """
    ended = now()
    elapsed = (datetime.fromisoformat(ended) - datetime.fromisoformat(begun["started"])).total_seconds()
    told = trainer.as_json() if trainer else None
    return {**begun, "ended": ended, "elapsed": elapsed, "exit": 0, "resumed_from": resumed_from, "trainer": told}


def record(stage: Stage, inputs: Mapping[str, Digest], seal: Seal) -> dict[str, Any]:
    """The document."""
    return {
        "format_version": FORMAT_VERSION,
        "stage": stage.title,
        "key": stage.key,
        "recipe_hash": stage.recipe_hash,
        "intent": stage.intent,
        "own": stage.own,
        "identity": dict(stage.identity),
        "components": components(stage.identity),
        "action": seal.action,
        "inputs": {role: {"path": stage.inputs[role], **digest.as_json()} for role, digest in inputs.items()},
        "outputs": seal.outputs,
        "files": seal.files,
        "log": log_path(stage),
        **seal.run,
    }


def log_path(stage: Stage) -> str:
    """Relative to the root: `.recipe/logs/animals-lora/train.log`."""
    return f".recipe/logs/{stage.title}.log"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _machine(threads: int) -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": threads,
        **_gpus(),
    }


def _packages(stage: Stage) -> dict[str, str | None]:
    return {name: installed(name, stage.environment) for name in stage.identity.get("toolchain", {})}


def _cpu() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        return _ask("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor()
    return platform.processor() or platform.machine()


def _gpus() -> dict[str, Any]:
    """The names of all GPUs, the memory of each in MiB, and the driver's version."""
    query = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits")
    answer = _ask(*query) if shutil.which("nvidia-smi") else None
    rows = [[cell.strip() for cell in line.split(",")] for line in (answer or "").splitlines()]
    rows = [row for row in rows if len(row) == len(GPU)]
    return {
        "gpus": [row[0] for row in rows],
        "gpu_memory_mib": [int(row[1]) if row[1].isdigit() else None for row in rows],
        "gpu_driver": rows[0][2] if rows else None,
    }


def _git(root: Path) -> dict[str, Any] | None:
    """The commit, and whether tracked files differ from it; None outside a repository."""
    commit = _ask("git", "-C", str(root), "rev-parse", "HEAD")
    if not commit:
        return None
    changes = _ask("git", "--no-optional-locks", "-C", str(root), "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": changes != ""}


def _ask(*command: str) -> str | None:
    """What a program answers; None when it is missing, slow or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ASK_SECONDS, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
