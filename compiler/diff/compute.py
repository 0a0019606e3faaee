"""Two compiled sides → what differs, in one place to read: pair the instances, compare each pair, weigh the result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from compiler.diff import stages
from compiler.diff.fields import field_changes
from compiler.diff.model import Compiled, FieldChange, PipelineDiff, RecipeDiff, Side, StageChange, Status
from compiler.diff.notes import Pair, notes
from compiler.diff.options import file_changes, option_changes
from compiler.plan import Plan

WEIGHTS = {"changed": 100, "removed": 60, "added": 40, "moved": 10, "follows": 1}
"""Action → how much a stage counts in the order of pipelines; a risk counts as much as ten changed stages."""
RISK = 1000

Match = tuple[Compiled | None, Compiled | None]
Names = Callable[[Compiled], object]


def compare(base: Side, head: Side, by_variant: bool = False) -> RecipeDiff:
    """What differs between two sides.

    Args:
        by_variant: The sides are one recipe each: their names and places do not matter.
    """
    matches = _matches(base, head, by_variant)
    removed = [half for old, new in matches if old for half in stages.halves(old.plan, new.plan if new else None)]
    added = [half for old, new in matches if new for half in stages.halves(new.plan, old.plan if old else None)]
    pairs = stages.matched(removed, added)
    unmatched = [half for half in removed if all(half is not old for old, _ in pairs)]
    new_halves = [half for half in added if all(half is not new for _, new in pairs)]

    def found_in(old: Compiled | None, new: Compiled | None) -> list[StageChange]:
        names = {id(stage) for side in (old, new) if side for stage in side.plan.stages}
        common = stages.common(old, new, not by_variant) if old and new else []
        return [
            *common,
            *(stages.moved(o, n) for o, n in pairs if id(n.stage) in names),
            *(stages.added(half) for half in new_halves if id(half.stage) in names),
            *(stages.removed(half) for half in unmatched if id(half.stage) in names),
        ]

    pipelines = [_pipeline(old, new, found_in(old, new), by_variant) for old, new in matches]
    kept = sorted((p for p in pipelines if _differs(p)), key=lambda p: (-weight(p), p.label))
    return RecipeDiff(base, head, len(matches), tuple(_alike(kept)))


def _alike(pipelines: Iterable[PipelineDiff]) -> Iterator[PipelineDiff]:
    """The pipelines, each that differs just as one before it with a hint at that one: variants often do."""
    seen: dict[object, str] = {}
    for pipeline in pipelines:
        stages = tuple((stage.action, stage.name, stage.kind, stage.reasons) for stage in pipeline.stages)
        files = tuple((file.path.removeprefix(f"pipelines/{pipeline.label}/"), file.diff) for file in pipeline.files)
        parts = (pipeline.file, pipeline.status, stages, files, pipeline.notes, pipeline.fields, pipeline.options)
        first = seen.setdefault(repr(parts), pipeline.label)
        yield pipeline if first == pipeline.label else replace(pipeline, like=first)


def weight(pipeline: PipelineDiff) -> int:
    """How much a reviewer should look at a pipeline."""
    return RISK * len(pipeline.notes) + sum(WEIGHTS[stage.action] for stage in pipeline.stages)


def _pipeline(
    old: Compiled | None, new: Compiled | None, found: Sequence[StageChange], by_variant: bool
) -> PipelineDiff:
    shown = new or old
    assert shown is not None
    diff = PipelineDiff(
        shown.plan.label,
        _status(old, new, by_variant),
        shown.plan.file,
        old.plan.label if old else "",
        old.plan.recipe_hash if old else "",
        new.plan.recipe_hash if new else "",
        stages=tuple(found),
    )
    if old is None or new is None:
        return diff
    moved = {stage.before_place.rpartition(":")[2]: stage.name for stage in found if stage.action == "moved"}
    fields = (*_file(old.plan, new.plan, by_variant), *field_changes(old.plan, new.plan, moved))
    return replace(
        diff,
        fields=fields,
        options=tuple(option_changes(old.plan, new.plan)),
        files=tuple(file_changes(old.plan, new.plan)),
        notes=tuple(notes(Pair(old.plan, new.plan, fields, found))),
    )


def _file(old: Plan, new: Plan, by_variant: bool) -> Iterator[FieldChange]:
    """A recipe in another file compiles to the same stages, and `dvc.yaml` watches the other file."""
    if old.file != new.file and not by_variant:
        yield FieldChange(("file",), old.file, new.file)


def _status(old: Compiled | None, new: Compiled | None, by_variant: bool) -> Status:
    if old is None or new is None:
        return "added" if new else "removed"
    return "moved" if old.plan.label != new.plan.label and not by_variant else "changed"


def _differs(pipeline: PipelineDiff) -> bool:
    whole = pipeline.status in ("added", "removed", "moved")
    return whole or any((pipeline.stages, pipeline.fields, pipeline.options, pipeline.files, pipeline.notes))


def _matches(base: Side, head: Side, by_variant: bool) -> list[Match]:
    """The instances of both sides that belong together, then those that are new, then those that are gone."""
    olds, news = _compared(base, head, by_variant), _compared(head, base, by_variant)
    rules: list[Names] = [lambda c: c.plan.instance.variant]
    if not by_variant:
        rules = [
            lambda c: c.plan.label,
            lambda c: (c.plan.file, c.plan.instance.variant),
            lambda c: c.plan.recipe_hash,
        ]
    partner: dict[int, Compiled] = {}
    for rule in rules:
        waiting: dict[object, list[Compiled]] = {}
        for old in olds:
            waiting.setdefault(rule(old), []).append(old)
        for new in (new for new in news if id(new) not in partner):
            if found := waiting.get(rule(new)):
                partner[id(new)] = found.pop(0)
        taken = {id(old) for old in partner.values()}
        olds = [old for old in olds if id(old) not in taken]
    return [*((partner.get(id(new)), new) for new in news), *((old, None) for old in olds)]


def _compared(side: Side, other: Side, by_variant: bool) -> list[Compiled]:
    """The instances of a side that the other side says something about: where a recipe is broken there, it does not."""
    whole = {failure.file for failure in other.failures if failure.whole}
    if by_variant and whole:
        return []
    broken = {instance[by_variant] for failure in other.failures for instance in failure.instances}
    instances = ((c, c.plan.instance.variant if by_variant else c.plan.label) for c in side.compiled)
    return [compiled for compiled, name in instances if compiled.plan.file not in whole and name not in broken]
