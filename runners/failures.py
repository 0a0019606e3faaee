"""What to say when a launch has failed: the end of its log, the reason when it is known, how to run it by hand."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
from pathlib import Path

from runners.compiled import Stage
from schema.diagnostics import Diagnostic

TAIL_LINES = 20
TAIL_BYTES = 64 << 10
WIDTH = 400
FULL_MIB = 1
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
AGAIN = "then run again: what is finished is kept"
DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

# (what the log says, what that means, what helps)
KNOWN = (
    (
        r"No space left on device|Disk quota exceeded|File too large",
        "the disk is full",
        "free some space (`du -sh .recipe outputs`), then run again: it goes on from the last checkpoint",
    ),
    (
        r"CUDA out of memory|OutOfMemoryError|HIP out of memory|CUBLAS_STATUS_ALLOC_FAILED",
        "the GPU has too little memory",
        "lower batch.micro or max_length, turn gradient checkpointing on, or use ZeRO-3 or QLoRA",
    ),
    (
        r"MemoryError|DefaultCPUAllocator: can't allocate memory",
        "the machine has too little memory",
        "lower batch.micro or max_length, or turn off the offload to the CPU",
    ),
    (
        r"(?:ModuleNotFoundError|ImportError): No module named '?([\w.]+)",
        "the Python package `{0}` is missing",
        "install what the engines need: `make setup`",
    ),
    (
        r"(\S+): command not found",
        "the program `{0}` is missing",
        "install what the engines need: `make setup`",
    ),
)


def tail(log: Path, begin: int = 0, lines: int = TAIL_LINES) -> list[str]:
    """The last lines of a log from byte `begin` on, a progress bar as its last state, without terminal controls."""
    try:
        with log.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(begin, size - TAIL_BYTES))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return []
    shown = (_CONTROLS.sub("", line.rstrip("\r").rpartition("\r")[2])[:WIDTH] for line in text.split("\n"))
    return [line for line in shown if line.strip()][-lines:]


def failed(stage: Stage, code: int, log: str, end: list[str]) -> Diagnostic:
    """The diagnostic of a launch that ended with `code` (negative: the number of the signal that ended it)."""
    full = _free(stage.root / ".recipe") <= FULL_MIB  # then the log could not say so
    reason, fix = KNOWN[0][1:] if full else _known("\n".join(end), code)
    message = f"{stage.title} failed with {_ended(code)}" + (f": {reason}" if reason else "")
    by_hand = f'RECIPE_OUT="$(mktemp -d)" RECIPE_RESUME= bash {stage.script}'
    help = f"{fix + '; ' if fix else ''}its log is {log}; by hand: {by_hand}"
    return Diagnostic("R0507", message, help=help)


def _known(text: str, code: int) -> tuple[str, str]:
    for pattern, reason, fix in KNOWN:
        if match := re.search(pattern, text):
            return reason.format(*match.groups()), fix
    if code in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return "it was killed, most likely because the machine ran out of memory", "lower batch.micro or max_length"
    return "", ""


def _ended(code: int) -> str:
    number = -code if code < 0 else code - 128
    if code < 0 or code > 128:
        try:
            return signal.Signals(number).name
        except ValueError:
            pass
    return f"exit code {code}"


def of_system(error: OSError, root: Path) -> Diagnostic:
    """The diagnostic of something that the operating system refused."""
    if error.errno in DISK_FULL:
        place = _folder(error.filename2 or error.filename, root)
        message = f"the disk is full: {error.strerror} below {place} ({_free(place)} MiB free); nothing was handed over"
        return Diagnostic("R0510", message, help=f"free some space (`du -sh .recipe outputs`), {AGAIN}")
    return Diagnostic("R0512", f"the operating system refused: {error}", help=f"mend that, {AGAIN}")


def _folder(name: object, root: Path) -> Path:
    """The nearest folder that exists; of an error without a path, the root."""
    place = (root / Path(os.fsdecode(name))).absolute() if isinstance(name, (str, bytes)) else root
    while not place.is_dir():
        place = place.parent
    return place


def _free(place: Path) -> int:
    return shutil.disk_usage(place).free >> 20


def other_bytes(stage: Stage, role: str, found: str) -> Diagnostic:
    """What a stage reads is not what the lock of its recipe names."""
    path, pinned = stage.inputs[role], stage.pins[role]
    message = f"{stage.title} is pinned to other bytes of {path}: {pinned[:12]} by its lock, {found[:12]} here"
    if path.startswith(".recipe/"):
        help = f"remove {path} and fetch it again: `recipe fetch {stage.recipe_file}`"
    else:
        help = f"bring the data back, or pin what is there now: `recipe lock {stage.recipe_file}`, then compile"
    return Diagnostic("R0513", message, help=help)


def missing_input(stage: str, path: str, recipe: str) -> Diagnostic:
    """What a stage reads and is not there; `recipe` is the file it was compiled from."""
    if path.startswith(".recipe/models/"):
        help = f"put the model there: `recipe fetch {recipe}`"
    elif path.startswith("outputs/"):
        help = f"run the stage that makes it: `recipe run {recipe}`"
    else:
        help = "put the data there, or say in machine.yaml under `data:` where it lies"
    return Diagnostic("R0505", f"{stage} reads {path}, which is not there", help=help)


def no_rows(stage: str, path: str) -> Diagnostic:
    """A file of rows that has none: engines would leave an empty result, or fail in words of their own."""
    help = "look at what made it, and name a split that has rows"
    return Diagnostic("R0573", f"{stage} reads {path}, which has no rows", help=help)
