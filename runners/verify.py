"""Whether what a run handed over, and what it read, still has the bytes that its record names.

outputs/quickstart/train/run.json   "files": {"metrics.json": "<sha256>", "model/config.json": …}, "inputs": {"data": …}
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runners import records, work
from runners.runs import Run, all_runs, find
from schema import components, digests
from schema.diagnostics import Diagnostic, RecipeError
from schema.digests import Digest, Remembered


@dataclass(frozen=True, slots=True)
class Change:
    """A file, or a folder whose files are not listed, and how it differs. Digests are sha256 in hex."""

    file: str
    how: Literal["missing", "changed", "extra"]
    recorded: str | None = None
    found: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What differs from a record: `contradictions` names the digests of it that do not fit together.

    `files` is the number of files that the outputs had. Paths are relative to the root.
    """

    run: Run
    files: int
    outputs: tuple[Change, ...]
    inputs: tuple[Change, ...]
    contradictions: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether outputs and record are as they were written. Other inputs do not make outputs wrong."""
        return not self.outputs and not self.contradictions


def named(root: Path, text: str) -> list[Run]:
    """The runs that are meant: by the path of a record, as `quickstart/train`, or by the beginning of a digest.

    Raises:
        RecipeError: there is no such record, or the digits begin several digests.
    """
    if "/" not in text and not text.endswith(records.NAME):
        return [match.run for match in find(root, text)]
    place = os.path.relpath(Path(text).resolve(), root.resolve())
    found = [run for run in all_runs(root) if text.rstrip("/") == run.title or place == run.file]
    if not found:
        help = "`recipe runs` lists those there are: write RECIPE/STAGE, or the beginning of a digest"
        raise RecipeError([Diagnostic("R0545", f"there is no record of a run `{text}`", help)])
    return found


def verify(root: Path, run: Run) -> Verdict:
    """Read all outputs again, and those inputs whose files were touched since they were read last."""
    record = run.record
    return Verdict(
        run,
        sum(output["files"] for output in record["outputs"].values()),
        tuple(_outputs(root, run)),
        tuple(_inputs(root, record["inputs"])),
        tuple(_contradictions(record)),
    )


def _outputs(root: Path, run: Run) -> Iterator[Change]:
    out = Path(run.file).parent
    listed: Mapping[str, str] = run.record.get("files", {})
    for name, recorded in run.record["outputs"].items():
        path = root / out / name
        digest, files = contents(path, name)
        if digest is None:
            yield Change(f"{out}/{name}", "missing", recorded["sha256"])
        elif (digest.kind, digest.sha256) != (recorded["kind"], recorded["sha256"]):
            known = {file: sha for file, sha in listed.items() if file == name or file.startswith(f"{name}/")}
            changes = compare(known, files) if known else [Change(name, "changed", recorded["sha256"], digest.sha256)]
            yield from (Change(f"{out}/{c.file}", c.how, c.recorded, c.found) for c in changes)


def contents(path: Path, name: str) -> tuple[Digest | None, dict[str, str]]:
    """The digest of an output, None when it cannot be read, and file → sha256 below its name."""
    files: dict[str, str] = {}

    def read(file: Path) -> str:
        below = file.relative_to(path).as_posix()
        inside = name if below == "." else f"{name}/{below}"
        files[inside] = digests.of_file(file)
        return files[inside]

    try:
        return digests.of_path(path, read), files
    except OSError:
        return None, files


def compare(recorded: Mapping[str, str], found: Mapping[str, str]) -> list[Change]:
    """Each file that one has and the other has not, or has with other bytes, by name."""
    changes = []
    for file in sorted({*recorded, *found}):
        before, now = recorded.get(file), found.get(file)
        if before != now:
            changes.append(
                Change(file, "extra" if before is None else "missing" if now is None else "changed", before, now)
            )
    return changes


def _inputs(root: Path, inputs: Mapping[str, Mapping[str, Any]]) -> Iterator[Change]:
    for recorded in inputs.values():
        path = root / recorded["path"]
        found = Remembered(root / ".recipe" / "cache", path).digest().sha256 if path.exists() else None
        if found != recorded["sha256"]:
            yield Change(recorded["path"], "missing" if found is None else "changed", recorded["sha256"], found)


def _contradictions(record: Mapping[str, Any]) -> Iterator[str]:
    """The digests of a record follow from what else it says."""
    identity = record.get("identity")
    if identity is None:  # written before records had it
        return
    if components.digest(identity) != record["own"]:
        yield "own"
    read = {role: Digest(i["kind"], i["sha256"], i["size"], i["files"]) for role, i in record["inputs"].items()}
    if work.action(identity, read) != record["action"]:
        yield "action"
