"""The work folder of a stage, .recipe/checkpoints/<stage key>/: checkpoints and results until they are handed over.

It belongs to one action, the identity of the stage with the digests of its actual inputs. Work of another action is
thrown away: a training never goes on from checkpoints of other data.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from schema import components
from schema.digests import Digest
from schema.files import read_json, remove, write_json

RECORD = "action.json"
KEPT = "kept"
"""What a launch keeps here it finds again when it goes on."""
FORMAT = 1


def action(identity: Mapping[str, Any], inputs: Mapping[str, Digest]) -> str:
    """The digest, in hex, of what decides a result: the launch and the bytes it reads, by role."""
    by_role = {role: digest.sha256 for role, digest in inputs.items()}
    return components.digest({"identity": dict(identity), "inputs": by_role})


def open_folder(work: Path, action: str, keep: bool, say: Callable[[str], None]) -> None:
    """Make the folder ready for the action; what is there stays only when it is of the same one and `keep` is true."""
    for leftover in work.parent.glob(f"{work.name}.trash-*"):
        remove(leftover)
    found = read_json(work / RECORD)
    same = isinstance(found, dict) and (found.get("format"), found.get("action")) == (FORMAT, action)
    if work.exists() and not (same and keep):
        if not same and any(path.is_file() and path.name != RECORD for path in work.rglob("*")):
            say("unfinished work on other inputs was thrown away")
        discard(work)
    work.mkdir(parents=True, exist_ok=True)
    if not same or not keep:
        write_json(work / RECORD, {"format": FORMAT, "action": action, "resumed_from": []})


def resumes(work: Path, step: int | None) -> list[int]:
    """Note that the launch goes on from `step` (None: from the start); all steps it ever went on from, in order."""
    record = read_json(work / RECORD)
    record["resumed_from"] = [*record["resumed_from"], step] if step is not None else []
    write_json(work / RECORD, record)
    return list(record["resumed_from"])


def discard(work: Path) -> None:
    """Throw the folder away; from its first moment on it is no longer found under its name."""
    if work.exists():
        trash = work.with_name(f"{work.name}.trash-{os.getpid()}")
        remove(trash)
        work.rename(trash)
        remove(trash)
