"""What becomes of the stages of an instance: the reason is read from identity documents, keys only decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain

from compiler.diff.model import ABSENT, Compiled, IdentityChange, StageChange
from compiler.diff.words import change, fact
from compiler.plan import Input, Json, Plan, StagePlan

SHOWN = 3
"""Reasons of a stage that are told; the tables below it have all."""


@dataclass(frozen=True, slots=True)
class Half:
    """A stage that only one side has."""

    label: str
    stage: StagePlan


def common(base: Compiled, head: Compiled, places: bool) -> list[StageChange]:
    """The stages that both sides have and that differ. `places`: another name of the recipe moves its results."""
    touched: set[str] = set()
    found = []
    for after in head.plan.stages:
        before = _named(base.plan, after.name)
        if before is None:
            continue
        outside = tuple(_outside(base, head, before, after))
        reasons = [*(fact(f) for f in (*identity_changes(before.identity, after.identity), *outside))]
        reasons += _rewired(base.plan, before, head.plan, after)
        upstream = _followed(base.plan, before, head.plan, after, touched)
        change = StageChange("changed", after.name, after.kind, tuple(reasons), before.key, after.key, outside=outside)
        if reasons:
            told = _shortened(reasons) + ([f"follows {', '.join(upstream)}"] if upstream else [])
            found.append(replace(change, reasons=tuple(told)))
        elif upstream:
            found.append(replace(change, action="follows", reasons=tuple(f"{name} moved" for name in upstream)))
        elif before.key != after.key:
            found.append(replace(change, reasons=("its key moved",)))
        elif places and base.plan.label != head.plan.label:
            place = f"{base.plan.label}:{after.name}"
            found.append(replace(change, action="moved", reasons=(f"was {place}",), before_place=place))
        if reasons or upstream:
            touched.add(after.name)
    return found


def halves(plan: Plan, other: Plan | None) -> list[Half]:
    """The stages of a plan that the other one does not have."""
    return [Half(plan.label, s) for s in plan.stages if other is None or _named(other, s.name) is None]


def matched(removed: list[Half], added: list[Half]) -> list[tuple[Half, Half]]:
    """Pairs of what is gone and what is new with the same key, those within one recipe first."""
    pairs: list[tuple[Half, Half]] = []
    gone, new = list(removed), list(added)
    for near in (True, False):
        for half in list(new):
            old = next((o for o in gone if _fits(o, half, near)), None)
            if old is not None:
                gone.remove(old)
                new.remove(half)
                pairs.append((old, half))
    return pairs


def _fits(old: Half, new: Half, near: bool) -> bool:
    return old.stage.key == new.stage.key and (not near or old.label == new.label)


def added(half: Half) -> StageChange:
    """A stage that is new."""
    return StageChange("added", half.stage.name, half.stage.kind, (), after_key=half.stage.key)


def removed(half: Half) -> StageChange:
    """A stage that is gone."""
    return StageChange("removed", half.stage.name, half.stage.kind, (), before_key=half.stage.key)


def moved(old: Half, new: Half) -> StageChange:
    """A stage with the same key in another place."""
    place = f"{old.label}:{old.stage.name}"
    reason = f"was {old.stage.name if old.label == new.label else place}"
    return StageChange("moved", new.stage.name, new.stage.kind, (reason,), old.stage.key, new.stage.key, place)


def identity_changes(before: Json, after: Json) -> list[IdentityChange]:
    """The facts in which two identity documents differ."""
    old, new = _facts(before), _facts(after)
    paths = dict.fromkeys(chain(new, old))
    return [
        IdentityChange(path, old.get(path, ABSENT), new.get(path, ABSENT))
        for path in paths
        if not same(old.get(path, ABSENT), new.get(path, ABSENT))
    ]


def same(before: Json, after: Json) -> bool:
    """Equality of JSON values: true is not 1, and 1.0 is."""
    return bool(before == after) and isinstance(before, bool) == isinstance(after, bool)


def _facts(document: Json) -> dict[tuple[str, ...], Json]:
    """Path → value, of everything in an identity document; options are found by their program."""
    found: dict[tuple[str, ...], Json] = {("kind",): document.get("kind")}
    seen: dict[str, int] = {}
    for command in document.get("launch", ()):
        program = " ".join(command["program"])
        seen[program] = seen.get(program, 0) + 1
        again = f" #{seen[program]}" if seen[program] > 1 else ""
        found[("program", program + again)] = program
        found |= {("options", program + again, name): value for name, value in command["options"].items()}
    for part in ("env", "code", "toolchain"):
        found |= {(part, name): value for name, value in document.get(part, {}).items()}
    for name, content in document.get("files", {}).items():
        found |= {("files", name, *path): value for path, value in leaves(content)}
    found |= {("pins", role): next(iter(pin.values())) for role, pin in document.get("pins", {}).items()}
    return found | {("inputs",): document.get("inputs")}


def leaves(value: Json, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Json]]:
    """The leaves of nested maps with their paths; a list is a leaf."""
    if isinstance(value, Mapping) and value:
        for name, below in value.items():
            yield from leaves(below, (*path, str(name)))
    else:
        yield path, value


def _outside(base: Compiled, head: Compiled, before: StagePlan, after: StagePlan) -> Iterator[IdentityChange]:
    """What moved between the committed identities, and does not when both recipes are compiled by one compiler."""
    old, new = base.committed.get(before.name), head.committed.get(after.name)
    if old is None or new is None:
        return
    inside = {found.path for found in identity_changes(before.identity, after.identity)}
    try:
        changes = identity_changes(old, new)
    except (AttributeError, KeyError, TypeError):
        return  # not a document of ours; `recipe compile --check` says so
    yield from (found for found in changes if found.path not in inside)


def _rewired(base: Plan, before: StagePlan, head: Plan, after: StagePlan) -> Iterator[str]:
    """Inputs that come from somewhere else than before, or are pinned to something else."""
    old = {given.role: given for given in before.inputs}
    for given in after.inputs:
        was = old.get(given.role)
        if was is None:
            continue  # the list of roles is part of the identity
        if was.stage is None and given.stage is None:
            yield from _pins(given.role, was.pinned, given.pinned)
        elif _content(base, was) != _content(head, given) and (was.stage, _part(base, was)) != (
            given.stage,
            _part(head, given),
        ):
            yield f"{given.role}: {change(_place(base, was), _place(head, given))}"


def _pins(role: str, before: Json, after: Json) -> Iterator[str]:
    was, now = before or {}, after or {}
    for name in dict.fromkeys([*was, *now]):
        old, new = was.get(name), now.get(name)
        if old != new:
            yield f"{name if name == role else f'{role} {name}'} {change(old, new)}"


def _followed(base: Plan, before: StagePlan, head: Plan, after: StagePlan, touched: set[str]) -> list[str]:
    """The stages that it reads whose keys moved."""
    old = {given.role: given.stage for given in before.inputs}
    names = dict.fromkeys(g.stage for g in after.inputs if g.stage is not None and old.get(g.role) == g.stage)
    return [name for name in names if name in touched or base.stage(name).key != head.stage(name).key]


def _content(plan: Plan, given: Input) -> tuple[str, str] | Json:
    if given.stage is None:
        return given.pinned
    return plan.stage(given.stage).key, _part(plan, given)


def _part(plan: Plan, given: Input) -> str:
    return given.path.removeprefix(f"{plan.outputs}/{given.stage}/")


def _place(plan: Plan, given: Input) -> str:
    return given.path.removeprefix(f"{plan.outputs}/")


def _named(plan: Plan, name: str) -> StagePlan | None:
    return next((stage for stage in plan.stages if stage.name == name), None)


def _shortened(reasons: list[str]) -> list[str]:
    more = len(reasons) - SHOWN
    return reasons if more < 2 else [*reasons[:SHOWN], f"and {more} more"]
