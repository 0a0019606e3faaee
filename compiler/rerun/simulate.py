"""`dvc repro`, stage by stage, without running anything: what DVC 3.67 compares, and what it would do then.

A stage is changed when its command is not the recorded one, when what it reads is new or has other bytes, or when a result is
missing, has other bytes, or is gone from the cache. Something that it no longer reads is not noticed. A changed stage is put
back instead of run when the record or the run cache holds a run of the same command on the same bytes, with all results in
the cache. What a stage reads from one that may run is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from compiler.rerun.contents import Content, Contents, Unreadable
from compiler.rerun.dvc import Entry, Record
from compiler.rerun.steps import Step

Fate = Literal["run", "conditional", "restored", "unchanged", "fails"]
What = Literal[
    "unrecorded", "command", "dependency", "data", "output-missing", "output-changed", "output-uncached", "output-new"
]


@dataclass(frozen=True, slots=True)
class Change:
    """A difference that DVC sees for certain: of the command, or of a path with its content before and now."""

    what: What
    path: str = ""
    before: Content | None = None
    after: Content | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What DVC does with a stage, and what it sees. Paths of dependencies."""

    fate: Fate
    changes: tuple[Change, ...] = ()
    unknown: tuple[str, ...] = ()
    """What an earlier stage may make anew."""
    missing: tuple[str, ...] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Path → why DVC cannot read it."""
    after_failed: tuple[str, ...] = ()
    """What a stage makes that fails."""
    lost: tuple[str, ...] = ()
    """Results of a run that DVC could put back, if its cache had them: another stage may bring them."""


Refuses = Callable[[str], bool]
"""Whether a stage that DVC starts, by its name, would end at once because of what it finds on this machine."""
RUNS = ("run", "conditional")


def simulate(steps: Collection[Step], record: Record, contents: Contents, refuses: Refuses) -> dict[str, Outcome]:
    """Stage → what becomes of it; steps come after what they read.

    What the cache has lost comes back when another stage makes the same bytes, and in which order DVC runs stages that do
    not depend on each other is its own affair. So it is asked twice: the first time for what may run at all.
    """
    first = _all(steps, record, contents, lambda name: False, {})
    may_run = {name for name, outcome in first.items() if outcome.fate in RUNS}
    others = {step.name: bool(may_run - {step.name} - _after(step, steps)) for step in steps}
    return _all(steps, record, contents, refuses, others)


def _after(step: Step, steps: Iterable[Step]) -> set[str]:
    """The stages that read what a stage makes, or what those make."""
    made, found = set(step.outs), set()
    for later in steps:
        if made & set(later.dependencies):
            made.update(later.outs)
            found.add(later.name)
    return found


def _all(
    steps: Iterable[Step], record: Record, contents: Contents, refuses: Refuses, others: Mapping[str, bool]
) -> dict[str, Outcome]:
    made: dict[str, Content | None] = {}
    failed: set[str] = set()
    outcomes = {}
    for step in steps:
        outcome, results = _judge(step, record, contents, made, failed, others.get(step.name, False))
        if outcome.fate == "run" and refuses(step.name):
            outcome = replace(outcome, fate="fails")
        if outcome.fate == "fails":
            failed.update(step.outs)
        outcomes[step.name] = outcome
        made |= {path: results.get(path) for path in step.outs}
    return outcomes


def _judge(
    step: Step, record: Record, contents: Contents, made: Mapping[str, Content | None], failed: set[str], others: bool
) -> tuple[Outcome, Mapping[str, Content]]:
    """What becomes of a stage, and what its results are afterwards as far as that is known.

    Args:
        made: What earlier stages leave at a path; None where that is not known.
        failed: The paths that stay empty.
        others: Whether a stage may run before it that fills the cache.
    """
    read, unreadable = _read(step, contents, made)
    known = {path: content for path, content in read.items() if content is not None}
    unknown = tuple(path for path, content in read.items() if content is None and path in made)
    missing = tuple(p for p, content in read.items() if content is None and p not in made and p not in unreadable)
    entry = record.entries.get(step.name)
    changes = tuple(_changes(step, entry, known, record, contents))
    after_failed = tuple(path for path in step.dependencies if path in failed)
    if missing or unreadable or after_failed:
        return Outcome("fails", changes, unknown, missing, unreadable, after_failed), {}
    if not changes and not unknown:
        assert entry is not None  # a stage without an entry has changed
        return Outcome("unchanged"), entry.outs
    certain = any(change.what != "output-uncached" or not others for change in changes)
    runs = [run for run in _runs(step, entry, known, record, bool(unknown)) if _same(run, known)]
    whole = [run for run in runs if all(map(record.has, run.outs.values()))]
    if whole and not unknown:
        return Outcome("restored", changes), whole[0].outs
    if not certain or whole or (runs and others):
        return Outcome("conditional", changes, unknown, lost=_lost(runs, record) if not whole else ()), {}
    return Outcome("run", changes, unknown), {}


def _read(
    step: Step, contents: Contents, made: Mapping[str, Content | None]
) -> tuple[dict[str, Content | None], dict[str, str]]:
    read: dict[str, Content | None] = {}
    unreadable: dict[str, str] = {}
    for path in step.dependencies:
        try:
            read[path] = made[path] if path in made else contents.of(path)
        except Unreadable as error:
            read[path] = None
            unreadable[path] = str(error)
    return read, unreadable


def _changes(
    step: Step, entry: Entry | None, known: Mapping[str, Content], record: Record, contents: Contents
) -> Iterator[Change]:
    if entry is None:
        yield Change("unrecorded")
        return
    if entry.command != step.command:
        yield Change("command")
    for path in step.dependencies:
        before, after = entry.dependencies.get(path), known.get(path)
        if before is None:
            yield Change("dependency", path, None, after)
        elif after is not None and before.md5 != after.md5:
            yield Change("data", path, before, after)
    for path in step.outs:
        yield from _out_changes(path, entry.outs.get(path), record, contents)


def _out_changes(path: str, before: Content | None, record: Record, contents: Contents) -> Iterator[Change]:
    try:
        after = contents.of(path)
    except Unreadable:
        after = Content("")
    if before is None:
        yield Change("output-new", path, None, after)
    elif after is None:
        yield Change("output-missing", path, before)
    elif before.md5 != after.md5:
        yield Change("output-changed", path, before, after)
    elif not record.has(before):
        yield Change("output-uncached", path, before, after)


def _runs(
    step: Step, entry: Entry | None, known: Mapping[str, Content], record: Record, unknown: bool
) -> Iterator[Entry]:
    """The runs that DVC might put back. Where the record itself fits, it looks no further."""
    own = _own(step, entry, known)
    if own:
        yield own
    if unknown:
        yield from record.runs_of(step)
    elif not own and (found := record.run_of(step, known)):
        yield found


def _own(step: Step, entry: Entry | None, known: Mapping[str, Content]) -> Entry | None:
    """The record itself, when only its results are not as they were."""
    if entry is None or entry.command != step.command:
        return None
    if not (set(step.outs) <= set(entry.outs) and set(step.dependencies) <= set(entry.dependencies)):
        return None
    own = Entry(entry.command, entry.dependencies, {path: entry.outs[path] for path in step.outs})
    return own if _same(own, known) else None


def _same(run: Entry, known: Mapping[str, Content]) -> bool:
    """Whether a run read what is known."""
    return all(path in run.dependencies and run.dependencies[path].md5 == known[path].md5 for path in known)


def _lost(runs: Iterable[Entry], record: Record) -> tuple[str, ...]:
    """The results of the first of some runs that the cache has no more."""
    run = next(iter(runs), None)
    return tuple(path for path, content in run.outs.items() if not record.has(content)) if run else ()
