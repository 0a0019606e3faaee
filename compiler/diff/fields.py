"""The fields in which two recipes differ, by the value that holds in the end, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from compiler.diff.model import ABSENT, FieldChange
from compiler.diff.stages import same
from compiler.diff.words import change
from compiler.plan import Json, Plan, StagePlan
from schema.lock_moves import Moved, moved
from schema.pins import named, toolchains
from schema.toolchain import DEFAULT
from schema.training import TrainingStage
from schema.tree import find

Path = tuple[str | int, ...]
UNITS: dict[str, str] = {
    "hardware.nodes": "machines",
    "hardware.gpus": "GPUs",
    "hardware.threads": "threads of each process",
    "split.validation": "of the rows",
    "split.test": "of the rows",
    "batch": "rows at once",
    "batch.global": "examples",
    "batch.micro": "examples",
    "evaluation.micro_batch": "examples",
    "epochs": "epochs",
    "max_steps": "steps",
    "max_length": "tokens",
    "max_new_tokens": "tokens",
    "max_pixels": "pixels",
    "min_pixels": "pixels",
    "optimizer.warmup_steps": "steps",
    "optimizer.warmup_ratio": "of the steps",
    "early_stopping.patience": "evaluations",
    "checkpoints.keep": "checkpoints",
}
"""A field, from its section or from within its stage, model or data set → its unit, where it has one."""
SECTIONS = ("models", "datasets", "stages")
NOT_COMPARED = {"version", "variants", "axes", "extends"}


def field_changes(base: Plan, head: Plan, moved: Mapping[str, str]) -> list[FieldChange]:
    """What differs: written fields first, in the order of the new recipe, then what is derived from them.

    Args:
        moved: The stages that only have another name: old → new. They differ in nothing else.
    """
    old, new = _effective(base), _effective(head)
    renamed = {("stages", name) for names in moved.items() for name in names}
    found = (_entry(base, head, change) for change in _differences(old, new, ()))
    changes = [_located(head, base, change) for change in found if change.path not in renamed]
    return [*changes, *_accumulations(base, head), *_pins(base, head)]


def _entry(base: Plan, head: Plan, found: FieldChange) -> FieldChange:
    """The change; of a whole entry that only one side has, what it says beyond the defaults."""
    if len(found.path) != 2 or found.path[0] not in SECTIONS:
        return found
    sides = ((base, found.before), (head, found.after))
    before, after = (value if value is ABSENT else _short(_said_of(plan, found.path)) for plan, value in sides)
    return replace(found, before=before, after=after)


def _said_of(plan: Plan, path: Path) -> Json:
    entries = getattr(plan.instance.recipe, str(path[0]))
    return entries[path[1]].model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _effective(plan: Plan) -> dict[str, Any]:
    """The recipe with the values that hold where it leaves them open."""
    recipe = _dumped(plan)
    for planned in plan.stages:
        if planned.model is not None:
            found = planned.model
            recipe["models"][found.name] |= {
                "type": found.type,
                "template": found.template,
                "attention": found.attention,
            }
        if isinstance(planned.stage, TrainingStage):
            stage = recipe["stages"][planned.name]
            stage["optimizer"]["learning_rate"] = learning_rate(planned)
            stage["precision"] = stage["precision"] or (planned.model.spec.dtype if planned.model else None)
    return recipe


def learning_rate(stage: StagePlan) -> Json:
    """The peak learning rate that a training stage is launched with."""
    options = (command.options for command in stage.launch.commands if "learning_rate" in command.options)
    return next((found["learning_rate"] for found in options), None)


def _differences(old: Json, new: Json, path: Path) -> Iterator[FieldChange]:
    if isinstance(old, dict) and isinstance(new, dict):
        gone = [] if old.get("kind") != new.get("kind") else list(old)  # the fields of another kind went with it
        for name in dict.fromkeys([*new, *gone]):
            yield from _differences(old.get(name, ABSENT), new.get(name, ABSENT), (*path, name))
    elif _are_maps(old) and _are_maps(new) and len(old) == len(new):
        for number, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(before, after, (*path, number))
    elif not same(old, new) and {type(old), type(new)} != {type(ABSENT), type(None)}:
        yield FieldChange(path, old, new, _unit(path))


def _are_maps(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _short(value: Json) -> Json:
    """A whole entry without what nobody wrote: null, and maps and lists of nothing."""
    if not isinstance(value, dict):
        return value
    parts = {name: _short(item) for name, item in value.items()}
    return {name: item for name, item in parts.items() if item not in (None, {}, [], "")}


def _unit(path: Path) -> str:
    named = [str(part) for part in path]
    inner = named[2:] if named[0] in SECTIONS else named
    return UNITS.get(".".join(inner), "")


def _located(head: Plan, base: Plan, found: FieldChange) -> FieldChange:
    """The change with the place of its new value, or with what it follows from when it is not written anywhere."""
    written = find(head.instance.tree, _written(found.path)) is not None
    if found.after is ABSENT:
        return found
    place = head.instance.at(*found.path)
    because = () if written else tuple(_causes(base, head, found.path))
    return FieldChange(found.path, found.before, found.after, found.unit, because, None if because else place)


def _written(path: Path) -> Path:
    """The path without what the reader adds to a single source: `data: data.train` is a list of one."""
    return path[: path.index(0)] if 0 in path else path


def _causes(base: Plan, head: Plan, path: Path) -> Iterator[str]:
    """The fields from which the value of an unwritten field follows, and how they changed."""
    looked: list[tuple[str, ...]] = []
    match path:
        case ("stages", str(stage), "optimizer", "learning_rate"):
            looked = [("stages", stage, "tuner", "kind")]
        case ("stages", str(stage), "precision"):
            model = head.stage(stage).model
            looked = [("models", model.name, "dtype")] if model else []
        case ("models", str(model_name), "type" | "template"):
            looked = [("models", model_name, "id"), ("models", model_name, "type")]
    for cause in looked:
        before, after = _value(base, cause), _value(head, cause)
        if before != after:
            yield f"{'.'.join(cause[-2:])} {change(before, after)}"


def _value(plan: Plan, path: tuple[str, ...]) -> Json:
    value: Any = _dumped(plan)
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _dumped(plan: Plan) -> dict[str, Any]:
    return plan.instance.recipe.model_dump(mode="json", by_alias=True, exclude=NOT_COMPARED)


def lock_moves(base: Plan, head: Plan) -> Iterator[Moved]:
    """What moved in the locks of a recipe, of that which this instance names on both sides, and its toolchains."""
    if base.lock is None or head.lock is None:
        return
    known = named((base.instance,)).keys() | named((head.instance,)).keys()
    used = {DEFAULT, *toolchains((base.instance,)), *toolchains((head.instance,))}
    for move in moved(base.lock, head.lock):
        if move.toolchain in used or (move.section, move.name) in known:
            yield move


def _pins(base: Plan, head: Plan) -> Iterator[FieldChange]:
    """What names stand for, where that moved. A lock that came or went as a whole is one change."""
    if (base.locked is None) != (head.locked is None):
        yield FieldChange(("lock",), base.locked and base.locked.file, head.locked and head.locked.file)
    for move in lock_moves(base, head):
        assert head.locked is not None
        place = head.locked.at(*move.place) if move.after else None
        yield FieldChange(("lock", move.section, move.name), move.before or ABSENT, move.after or ABSENT, place=place)


def _accumulations(base: Plan, head: Plan) -> Iterator[FieldChange]:
    for after in head.stages:
        before = next((stage for stage in base.stages if stage.name == after.name), None)
        if before is None or before.batch is None or after.batch is None:
            continue
        old, new = before.batch, after.batch
        if old.accumulation == new.accumulation:
            continue
        parts = (
            ("gpus", base.instance.recipe.hardware.gpus, head.instance.recipe.hardware.gpus),
            ("nodes", old.nodes, new.nodes),
            ("global batch", old.global_batch, new.global_batch),
            ("micro batch", old.micro_batch, new.micro_batch),
        )
        because = tuple(f"{name} {was} → {now}" for name, was, now in parts if was != now)
        path = ("stages", after.name, "batch", "accumulation")
        yield FieldChange(path, old.accumulation, new.accumulation, because=because)
