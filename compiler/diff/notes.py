"""Risks that a reviewer should know of, each found in the compiled sides and not in the text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from compiler.diff.fields import learning_rate, lock_moves
from compiler.diff.model import FieldChange, Kind, Note, StageChange
from compiler.diff.words import change, fact, said
from compiler.plan import Json, Plan, StagePlan
from schema.components import PINS
from schema.lock_moves import files_told
from schema.stages import Evaluate, Predict
from schema.training import TrainingStage
from schema.tree import find

SHOWN = 5
"""Facts of one note that are told."""
IDS = ("id", "revision", "path", "hub")


@dataclass(frozen=True, slots=True)
class Pair:
    """An instance on both sides, with what was found so far."""

    base: Plan
    head: Plan
    fields: Sequence[FieldChange]
    stages: Sequence[StageChange]


def notes(pair: Pair) -> list[Note]:
    """The risks of one instance, the weightiest first."""
    return [note for find_risk in RISKS for note in find_risk(pair)]


def _comparability(pair: Pair) -> Iterator[Note]:
    """Scores of a changed model on changed data say nothing about either change."""
    ran_anew = {stage.name for stage in pair.stages if stage.action in ("changed", "follows")}
    trained = [s.name for s in pair.head.stages if s.name in ran_anew and isinstance(s.stage, TrainingStage)]
    scored = [s for s in pair.head.stages if isinstance(s.stage, Evaluate) and s.name in ran_anew]
    for stage in scored if trained else ():
        by_bytes = (pair.base.locked is None) == (pair.head.locked is None)
        old, new = (_evaluated(plan, stage.name, by_bytes) for plan in (pair.base, pair.head))
        if None not in (old, new) and old != new:
            message = (
                f"the data that `{stage.name}` scores changed together with training (`{'`, `'.join(trained)}`): "
                "its scores are not comparable with those before"
            )
            yield Note("comparability", message, pair.head.instance.at("stages", stage.name))


def _evaluated(plan: Plan, name: str, by_bytes: bool) -> tuple[Json, str] | None:
    """The key of the preparation whose rows an evaluation goes back to, and which of them.

    Where only one side has a lock, its pins do not count: they moved the key, and nobody knows whether other bytes did.
    """
    stage = next((s for s in plan.stages if s.name == name), None)
    if stage is None or not isinstance(stage.stage, Evaluate):
        return None
    predicted = plan.stage(stage.stage.predictions)
    if not isinstance(predicted.stage, Predict):
        return None
    rows, _, split = predicted.stage.data.partition(".")
    prepared = plan.stage(rows)
    launch = {part: value for part, value in prepared.identity.items() if part != PINS}
    return prepared.key if by_bytes else launch, split


def _pins(pair: Pair) -> Iterator[Note]:
    for field in pair.fields:
        if len(field.path) == 3 and field.path[0] in ("models", "datasets") and field.path[2] in IDS:
            what = "model" if field.path[0] == "models" else "data set"
            told = f"{field.path[2]} {change(field.before, field.after)}"
            yield Note("pin", f"another {what} `{field.path[1]}`: {told}", field.place)


def _locks(pair: Pair) -> Iterator[Note]:
    """Other bytes under a name that stayed."""
    for move in lock_moves(pair.base, pair.head):
        if move.bytes and move.before and move.after and move.toolchain is None:
            assert pair.head.locked is not None
            files = f", in {files_told(move)}" if move.files else ""
            message = f"`{move.name}` is pinned to other bytes: {move.before} → {move.after}{files}"
            yield Note("pin", message, pair.head.locked.at(move.section, move.name))


def _seed(pair: Pair) -> Iterator[Note]:
    before, after = pair.base.instance.recipe.seed, pair.head.instance.recipe.seed
    place = pair.head.instance.at("seed")
    if before != after:
        yield Note("seed", f"the seed changed, {change(before, after)}: every split and every order is another", place)
    elif find(pair.base.instance.tree, ("seed",)) and not find(pair.head.instance.tree, ("seed",)):
        yield Note("seed", f"the seed is no longer written; the default {after} holds", place)


def _learning_rate(pair: Pair) -> Iterator[Note]:
    """A larger batch wants a larger learning rate (arXiv:1706.02677): one without the other is often an oversight."""
    for after in pair.head.stages:
        before = next((stage for stage in pair.base.stages if stage.name == after.name), None)
        if before is not None and before.batch and after.batch:
            message = _one_of_two(before, after)
            if message:
                place = pair.head.instance.at("stages", after.name, *_moved_field(before, after))
                yield Note("learning-rate", f"{after.name}: {message}", place)


def _one_of_two(before: StagePlan, after: StagePlan) -> str:
    assert before.batch and after.batch
    rates = learning_rate(before), learning_rate(after)
    batches = before.batch.global_batch, after.batch.global_batch
    if rates[0] != rates[1] and batches[0] == batches[1]:
        return f"the learning rate changed, {change(*rates)}, and the global batch stays {batches[1]}"
    if rates[0] == rates[1] and batches[0] != batches[1]:
        return f"the global batch changed, {change(*batches)}, and the learning rate stays {said(rates[1])}"
    return ""


def _moved_field(before: StagePlan, after: StagePlan) -> tuple[str, str]:
    changed = learning_rate(before) != learning_rate(after)
    return ("optimizer", "learning_rate") if changed else ("batch", "global")


def _outside(pair: Pair) -> Iterator[Note]:
    """What the compiled files changed in although the recipe did not: told once, with the stages that have it."""
    for kind, parts, what in OUTSIDE:
        facts: dict[str, None] = {}
        stages: dict[str, None] = {}
        for stage in pair.stages:
            for moved in stage.outside:
                if moved.path[0] in parts:
                    facts[fact(moved).removeprefix(f"{moved.path[0]} ")] = None
                    stages[stage.name] = None
        if facts:
            yield Note(kind, f"{what} changed, not the recipe: {_some(list(facts))} (in {', '.join(stages)})")


def _some(facts: list[str]) -> str:
    more = len(facts) - SHOWN
    return ", ".join(facts if more < 2 else [*facts[:SHOWN], f"and {more} more"])


OUTSIDE: tuple[tuple[Kind, tuple[str, ...], str], ...] = (
    ("default", ("options", "env", "files", "program", "inputs", "kind"), "what is written out"),
    ("toolchain", ("toolchain",), "the toolchain"),
    ("toolchain", ("code",), "the project's own code"),
)
"""Parts of an identity document that can move without the recipe, as a reviewer calls them."""

RISKS: tuple[Callable[[Pair], Iterator[Note]], ...] = (_comparability, _pins, _locks, _seed, _learning_rate, _outside)
