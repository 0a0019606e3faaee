"""The run records of a project, newest first, and those that the beginning of a digest names.

outputs/quickstart/train/run.json   a stage that ran to its end, with recipe hash, stage key, own and action

DVC leaves a stage alone when the bytes that it reads did not change although an upstream key did. Its result is still
that of its own launch on its own inputs, which is what `action` says, so it is found under its present key, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from runners import compiled, records, work
from schema.diagnostics import Diagnostic, RecipeError
from schema.digests import Remembered
from schema.files import read_json

DIGESTS = {"recipe_hash": "recipe hash", "key": "stage key", "own": "own", "action": "action"}
"""Field of a record that names it → what it is called."""
SHOWN = 12
"""Digits of a digest that are shown where it does not have to be whole."""


@dataclass(frozen=True, slots=True)
class Run:
    """A stage that ran: `recipe` is `NAME` or `NAME/VARIANT`, `file` its record, relative to the root."""

    recipe: str
    stage: str
    file: str
    record: Mapping[str, Any]

    @property
    def title(self) -> str:
        """`quickstart/train`."""
        return f"{self.recipe}/{self.stage}"


@dataclass(frozen=True, slots=True)
class Match:
    """A digest that a run has, or that the stage has now whose result the run still is (`alone`)."""

    kind: str
    digest: str
    run: Run
    alone: bool = False


def all_runs(root: Path) -> list[Run]:
    """Every record below `outputs`, the last one that ended first. What cannot be read as a record is none."""
    files = (*root.glob(f"outputs/*/*/{records.NAME}"), *root.glob(f"outputs/*/*/*/{records.NAME}"))
    found = [run for file in files if (run := _run(root, file)) is not None]
    return sorted(
        found, key=lambda run: (datetime.fromisoformat(run.record["ended"]).timestamp(), run.title), reverse=True
    )


def _run(root: Path, file: Path) -> Run | None:
    record = read_json(file)
    title = file.parent.relative_to(root / "outputs").as_posix()
    if not isinstance(record, dict) or record.get("format_version") != records.FORMAT_VERSION:
        return None
    if record.get("stage") != title or not _complete(record):
        return None  # such a file can be part of a result
    recipe, _, stage = title.rpartition("/")
    return Run(recipe, stage, file.relative_to(root).as_posix(), record)


def _complete(record: Mapping[str, Any]) -> bool:
    """Whether it has what every record has: its digests, when it ended, and how long it took in seconds."""
    try:
        datetime.fromisoformat(record["ended"])
    except (KeyError, TypeError, ValueError):
        return False
    return isinstance(record.get("elapsed"), int | float) and all(isinstance(record.get(d), str) for d in DIGESTS)


def find(root: Path, prefix: str) -> list[Match]:
    """The runs that one digest names, newest first.

    Raises:
        RecipeError: no digest begins like that, or several do.
    """
    runs = all_runs(root)
    matches = list(_matches(root, runs, prefix.lower()))
    digests = {match.digest: None for match in matches}
    if not matches:
        message = f"no digest of a run begins with `{prefix}`"
        help = "`recipe runs` lists them; what did not run to its end has no record"
        raise RecipeError([Diagnostic("R0540", message, help)])
    if len(digests) > 1:
        message = f"`{prefix}` begins {len(digests)} digests: {'; '.join(_listed(matches))}"
        raise RecipeError([Diagnostic("R0541", message, "write more of the one that is meant")])
    first = {match.run.file: match for match in reversed(matches)}
    return sorted(first.values(), key=lambda match: runs.index(match.run))


def _listed(matches: Iterable[Match]) -> Iterator[str]:
    """`stage key 5ef53d129 of quickstart/answers`, one for each digest, with the runs that have it."""
    having: dict[tuple[str, str], dict[str, None]] = {}
    for match in matches:
        having.setdefault((match.digest, match.kind), {})[match.run.title] = None
    for (digest, kind), titles in having.items():
        yield f"{kind} {digest[:SHOWN]} of {', '.join(titles)}"


def _matches(root: Path, runs: list[Run], prefix: str) -> Iterator[Match]:
    for run in runs:
        for name, kind in DIGESTS.items():
            if run.record[name].startswith(prefix):
                yield Match(kind, run.record[name], run)
    for stage in _compiled(root):
        named = {"recipe hash": stage.recipe_hash, "stage key": stage.key}
        meant = {kind: digest for kind, digest in named.items() if digest.startswith(prefix)}
        for run in _standing_for(stage, runs) if meant else ():
            yield from (Match(kind, digest, run, alone=True) for kind, digest in meant.items())


def _standing_for(stage: compiled.Stage, runs: list[Run]) -> Iterator[Run]:
    """The runs whose results stand for a stage as it is compiled now: of the same key, or the same launch on the same bytes."""
    yield from (run for run in runs if run.record["key"] == stage.key)
    others = [run for run in runs if run.record["own"] == stage.own and run.record["key"] != stage.key]
    if others and all((stage.root / path).exists() for path in stage.inputs.values()):
        cache = stage.root / ".recipe" / "cache"
        inputs = {role: Remembered(cache, stage.root / path).digest() for role, path in stage.inputs.items()}
        action = work.action(stage.identity, inputs)
        yield from (run for run in others if run.record["action"] == action)


def _compiled(root: Path) -> Iterator[compiled.Stage]:
    """Every compiled stage; a pipeline of another version is passed over."""
    manifests = (*root.glob("pipelines/*/manifest.json"), *root.glob("pipelines/*/*/manifest.json"))
    for manifest in sorted(manifests):
        document = read_json(manifest)
        for name in document.get("stages", ()) if isinstance(document, dict) else ():
            try:
                yield compiled.load(manifest.with_name(name))
            except RecipeError:
                continue
