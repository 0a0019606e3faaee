"""The runs that led to a result, each shown by its bytes: what one read is what another handed over.

outputs/animals/merged/run.json  "inputs": {"adapter": {"path": "outputs/animals/train/model", "sha256": …}}
outputs/animals/train/run.json   "outputs": {"model": {"sha256": …}}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from runners.runs import Run


def upstream(run: Run, runs: Mapping[str, Run]) -> dict[str, Run]:
    """Title → run, of those whose outputs a run read, directly or not, the earliest first.

    Args:
        runs: Title → run, of a whole project.
    """
    found: dict[str, Run] = {}
    for given in run.record["inputs"].values():
        before = giver(given, runs)
        if before is not None and before.title not in found:
            found |= {**upstream(before, runs), before.title: before}
    return found


def giver(given: Mapping[str, Any], runs: Mapping[str, Run]) -> Run | None:
    """The run that handed over just these bytes at this path; None for what comes from outside, or is no longer the same."""
    for title, name in _owners(given["path"]):
        if title in runs:
            output = runs[title].record["outputs"].get(name)
            return runs[title] if output and output["sha256"] == given["sha256"] else None
    return None


def _owners(path: str) -> Iterator[tuple[str, str]]:
    """(title, name of the output) that a path below `outputs` may stand for."""
    parts = PurePosixPath(path).parts
    if parts[:1] == ("outputs",):
        for end in range(3, len(parts)):
            yield "/".join(parts[1:end]), "/".join(parts[end:])


def outside(run: Run, runs: Mapping[str, Run]) -> dict[str, Mapping[str, Any]]:
    """Path → digest, of what a run and those before it read and no run handed over."""
    family = [*upstream(run, runs).values(), run]
    given = (each for member in family for each in member.record["inputs"].values())
    return {each["path"]: each for each in given if not each["path"].startswith("outputs/")}
