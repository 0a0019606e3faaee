"""recipe merge-lock BASE OURS THEIRS PATH: what git calls to merge a dvc.lock; `recipe setup` tells git so.

Stage by stage, and without a conflict: DVC holds every entry against the files that are there, and runs a stage again, or
takes it from its run cache, where an entry is missing or answers another question. So an entry that is left out costs
time, never a wrong result.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from compiler.dvclock import Block, DvcLock, NotALock, parse

CONFLICT = 1
LABELS = ("ours", "base", "theirs")
Side = Literal["ours", "theirs"]
Question = Mapping[Hashable, Any]
"""What a stage was asked: its command, each dependency with its digest, its parameters."""


def main(argv: Sequence[str]) -> int:
    """0 when the file OURS holds the merge, 1 when it holds a conflict for a person to resolve."""
    if len(argv) != 4:
        print("usage: recipe merge-lock BASE OURS THEIRS PATH", file=sys.stderr)
        return 2
    base, ours, theirs = map(Path, argv[:3])
    shown = argv[3]
    try:
        merged = merge(*(parse(path.read_bytes().decode()) for path in (base, ours, theirs)))
        ours.write_bytes(merged.lock.text().encode())
    except Exception as error:  # whatever is wrong, with the file or with us, a person gets what git alone would leave
        print(f"recipe: {shown} is merged as plain text: {error}", file=sys.stderr)
        return _merge_as_text(base, ours, theirs)
    for note in merged.notes:
        print(f"recipe: {shown}: {note}", file=sys.stderr)
    return 0


def _merge_as_text(base: Path, ours: Path, theirs: Path) -> int:
    """What git does without a driver, conflict markers included."""
    labels = [word for label in LABELS for word in ("-L", label)]
    merged = subprocess.run(["git", "merge-file", *labels, str(ours), str(base), str(theirs)], check=False)
    return CONFLICT if merged.returncode else 0


@dataclass(frozen=True, slots=True)
class Merged:
    """A merge, and what a person should know of it."""

    lock: DvcLock
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Notes:
    """The stages about which the sides differ."""

    left_out: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def words(self) -> tuple[str, ...]:
        told = []
        if self.left_out:
            them = "it" if len(self.left_out) == 1 else "them"
            told.append(
                f"left out {', '.join(self.left_out)}, which both sides changed: "
                f"`dvc repro` runs {them} again, unless its run cache has {them}"
            )
        if self.kept:
            told.append(f"kept our result of {', '.join(self.kept)}, which both sides ran on the same inputs")
        return tuple(told)


def merge(base: DvcLock, ours: DvcLock, theirs: DvcLock) -> Merged:
    """Both sides' changes of one record.

    Raises:
        NotALock: they changed something else than stages, each in its own way.
    """
    notes = _Notes()
    stages = {name: _entry(name, base, ours, theirs, notes) for name in {**ours.stages, **theirs.stages}}
    others = {name: _other(name, base, ours, theirs) for name in {**ours.others, **theirs.others}}
    lock = replace(ours, stages=_present(stages), others=_present(others))
    return Merged(lock, notes.words())


def _present(blocks: Mapping[str, Block | None]) -> dict[str, Block]:
    return {name: block for name, block in blocks.items() if block is not None}


def _entry(name: str, base: DvcLock, ours: DvcLock, theirs: DvcLock, notes: _Notes) -> Block | None:
    """That of the side which changed it; where both did, of the one that answers what both together ask; else none."""
    before, mine, other = (side.stages.get(name) for side in (base, ours, theirs))
    decided = _changed_by(_value(before), _value(mine), _value(other))
    if decided is None and mine is not None and other is not None:
        decided = _answering(before, mine, other)
        if decided == "ours" and _question(mine) == _question(other):
            notes.kept.append(name)
    if decided is None:
        notes.left_out.append(name)
        return None
    return mine if decided == "ours" else other


def _other(name: str, base: DvcLock, ours: DvcLock, theirs: DvcLock) -> Block | None:
    before, mine, other = (side.others.get(name) for side in (base, ours, theirs))
    decided = _changed_by(_value(before), _value(mine), _value(other))
    if decided is None:
        raise NotALock(f"both sides changed `{name}`")
    return mine if decided == "ours" else other


def _value(block: Block | None) -> Any:
    return block.value if block else None


def _changed_by(before: Any, mine: Any, other: Any) -> Side | None:
    """Whose value stands where at most one side changed it, or both to the same; None where they differ."""
    if other in (mine, before):
        return "ours"
    return "theirs" if mine == before else None


def _answering(before: Block | None, mine: Block, other: Block) -> Side | None:
    """The side whose question is the one with both sides' changes; None where those contradict each other or it is new."""
    old, ours, theirs = (_question(block) if block else {} for block in (before, mine, other))
    sides = {part: _changed_by(old.get(part), ours.get(part), theirs.get(part)) for part in {**ours, **theirs, **old}}
    if None in sides.values():
        return None
    asked = {part: (ours if side == "ours" else theirs).get(part) for part, side in sides.items()}
    if all(ours.get(part) == value for part, value in asked.items()):
        return "ours"
    return "theirs" if all(theirs.get(part) == value for part, value in asked.items()) else None


def _question(entry: Block) -> Question:
    """Everything of an entry but its outputs."""
    found: dict[Hashable, Any] = {key: value for key, value in entry.value.items() if key not in ("deps", "outs")}
    dependencies = entry.value.get("deps")
    listed = dependencies if isinstance(dependencies, list) else []
    return found | {("deps", str(dep.get("path"))): dep for dep in listed if isinstance(dep, dict)}
