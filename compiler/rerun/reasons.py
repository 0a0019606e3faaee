"""Why: what DVC sees of a stage, said in facts of its launch, with old and new value and the line of the recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from compiler.diff.model import ABSENT, IdentityChange
from compiler.diff.stages import identity_changes
from compiler.plan import Input, Json, Plan, StagePlan
from compiler.rerun.contents import Content, Contents, Unreadable
from compiler.rerun.dvc import Record
from compiler.rerun.model import Action, Decision, Kind, Reason
from compiler.rerun.places import place_of_fact, place_of_input
from compiler.rerun.records import Records
from compiler.rerun.simulate import Change, Fate, Outcome, What
from compiler.rerun.steps import Step
from schema.machine import FILE, place_of

FACTS: dict[str, Kind] = {
    "options": "option",
    "env": "environment",
    "files": "file",
    "program": "program",
    "kind": "kind",
    "inputs": "inputs",
    "code": "code",
    "toolchain": "toolchain",
    "pins": "pin",
}
"""Part of an identity document → what a difference in it is called."""
OUTPUTS: dict[What, Kind] = {
    "output-missing": "output-missing",
    "output-changed": "output-changed",
    "output-uncached": "output-uncached",
    "output-new": "output-new",
}
ACTIONS: dict[Fate, Action] = {
    "run": "run",
    "conditional": "conditional",
    "restored": "reuse",
    "unchanged": "reuse",
    "fails": "blocked",
}


COMES_BACK = "that alone runs nothing if another stage makes the same bytes before"


@dataclass(frozen=True)
class Judge:
    """Everything that the reasons of one pipeline are taken from. `labels`: label → file, of all instances of the recipe."""

    plan: Plan
    steps: Mapping[str, Step]
    record: Record
    records: Records
    contents: Contents
    labels: Mapping[str, str]

    def decision(self, stage: StagePlan, outcome: Outcome) -> Decision:
        """What becomes of a stage, in words of the recipe."""
        action = ACTIONS[outcome.fate]
        parts = (self._blockers, self._changes, self._unknown, _lost)
        reasons = [reason for part in parts for reason in part(stage, outcome)]
        moved_from = ""
        if outcome.fate == "restored":
            reasons.append(Reason("restored", stage.name))
        elif outcome.fate == "unchanged":
            reasons.append(Reason("up-to-date", stage.name))
        elif outcome.fate == "run" and (other := self._moved(stage)):
            action, moved_from = "moved", other.what
            reasons.insert(0, other)
        return Decision(stage.name, stage.kind, stage.key, action, tuple(reasons), moved_from)

    def refusals(self, stage: StagePlan) -> list[Reason]:
        """Why `recipe exec` would end at once: data with other bytes than the lock names, and places that are not there."""
        return [*self.nowhere, *(r for given in stage.inputs if (r := self._other_bytes(stage, given)))]

    @cached_property
    def nowhere(self) -> list[Reason]:
        """What the machine file maps to places that do not exist: no stage starts then."""
        root, mapped = self.contents.root, self.contents.machine.data
        hint = f"correct the place in {FILE}, or mount the disk that it lies on"
        lost = (path for path, place in mapped.items() if not place_of(root, place).exists())
        return [Reason("data-missing", path, after=mapped[path], hint=hint) for path in lost]

    def _other_bytes(self, stage: StagePlan, given: Input) -> Reason | None:
        """The one place where bytes are held against the lock: of the project's own data, which people edit.

        What came from a hub was verified when it was fetched.
        """
        pinned = given.lock.get("sha256") if given.lock else None
        if pinned is None or given.stage is not None or not given.dependencies:
            return None
        try:
            found = self.contents.sha256(given.path)
        except Unreadable:
            return None  # a reason of its own
        if found == pinned:
            return None
        hint = f"put those bytes back, or pin the new ones: `recipe lock {self.plan.file} --upgrade {given.path}`"
        place = place_of_fact(self.plan, stage, ("pins", given.role))
        return Reason("pinned-bytes", given.path, pinned, found, place, hint)

    def _blockers(self, stage: StagePlan, outcome: Outcome) -> Iterator[Reason]:
        if outcome.fate != "fails":
            if outcome.fate == "conditional":
                yield from self.refusals(stage)
            return
        for path in outcome.missing:
            hint = f"put it there, or say in {FILE} where it lies: `data: {{{path}: /WHERE}}`"
            yield Reason("data-missing", path, place=place_of_input(self.plan, stage, path), hint=hint)
        for path, why in outcome.unreadable.items():
            yield Reason("data-unreadable", path, after=why, place=place_of_input(self.plan, stage, path))
        for name in self._makers(stage, outcome.after_failed):
            yield Reason("upstream-blocked", name)
        if not (outcome.missing or outcome.unreadable or outcome.after_failed):
            yield from self.refusals(stage)

    def _unknown(self, stage: StagePlan, outcome: Outcome) -> Iterator[Reason]:
        never = any(change.what == "unrecorded" for change in outcome.changes)
        if outcome.fate == "conditional" or (outcome.fate == "run" and not never):
            yield from (Reason("upstream", name) for name in self._makers(stage, outcome.unknown))

    def _makers(self, stage: StagePlan, paths: tuple[str, ...]) -> dict[str, None]:
        """The stages that make what lies at some paths."""
        return {s.name: None for s in self.plan.stages for path in paths if path.startswith(f"{s.out}/")}

    def _changes(self, stage: StagePlan, outcome: Outcome) -> Iterator[Reason]:
        identity = f"{self.plan.pipeline}/{stage.name}.json"
        explained = any(change.path == identity for change in outcome.changes)
        for change in outcome.changes:
            if change.what == "unrecorded":
                ran = self.records.of(self.plan.label, stage.name) is not None
                yield Reason("unrecorded" if ran else "never-ran", stage.name)
            elif change.what == "command":
                before, after = self.record.entries[stage.name].command, self.steps[stage.name].command
                yield Reason("command", stage.name, before, after)
            elif change.path == identity:
                yield from self._launch(stage, change)
            elif change.path.startswith(f"{self.plan.pipeline}/"):
                if not explained:  # the identity document holds what generated files say
                    yield Reason("file", change.path, _md5(change.before), _md5(change.after))
            else:
                yield self._path(stage, change, outcome)

    def _path(self, stage: StagePlan, change: Change, outcome: Outcome) -> Reason:
        """The reason for what DVC sees at a path that a stage reads or makes."""
        before, after = _md5(change.before), _md5(change.after)
        if change.what in ("data", "dependency"):
            maker = next(iter(self._makers(stage, (change.path,))), None)
            kind: Kind = "dependency" if change.what == "dependency" else "upstream" if maker else "data"
            return Reason(kind, change.path, before, after, place_of_input(self.plan, stage, change.path))
        comes_back = outcome.fate == "conditional" and change.what == "output-uncached"
        return Reason(OUTPUTS[change.what], change.path, before, after, hint=COMES_BACK if comes_back else "")

    def _launch(self, stage: StagePlan, change: Change) -> Iterator[Reason]:
        """The facts in which the launch differs from the one that DVC has on record."""
        old = None
        if change.before is not None:
            old = self.records.identity(self.plan.pipeline, self.plan.label, stage.name, change.before.md5)
        facts = _facts(old, stage.identity) if old is not None else []
        for found in facts:
            kind = FACTS.get(found.path[0], "launch")
            place = place_of_fact(self.plan, stage, found.path)
            yield Reason(kind, ".".join(found.path[1:]) or found.path[0], found.before, found.after, place)
        if not facts:
            yield Reason("launch", stage.name)

    def _moved(self, stage: StagePlan) -> Reason | None:
        """The same stage at another place, when it never ran here: DVC files runs under their paths."""
        plan = self.plan
        if stage.name in self.record.entries or self.records.of(plan.label, stage.name):
            return None
        other = self.records.elsewhere(plan.label, stage.name, stage.key)
        if other is None:
            return None
        old, new = other.label.partition("/")[0], plan.label.partition("/")[0]
        carried = old != new and not self.records.is_used(other.label, other.stage, plan.file, self.labels)
        hint = f"`recipe mv {old} {new}` would carry its results over without a run" if carried else ""
        return Reason("moved", other.title, hint=hint)


def _lost(stage: StagePlan, outcome: Outcome) -> Iterator[Reason]:
    """What DVC would need to leave a stage alone."""
    known = {change.path for change in outcome.changes if change.what == "output-uncached"}
    yield from (Reason("output-uncached", path, hint=COMES_BACK) for path in outcome.lost if path not in known)


def _facts(old: Json, new: Json) -> list[IdentityChange]:
    """The facts in which two identity documents differ."""
    try:
        return identity_changes(old, new)
    except (AttributeError, KeyError, TypeError):
        return []  # not a document of ours


def _md5(content: Content | None) -> Json:
    return content.md5 if content else ABSENT
