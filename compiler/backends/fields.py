"""What the backends share: how options come from the fields of a stage, and where the pictures of its rows stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compiler.plan import InputPath, Plan, StagePlan, Value
from schema.base import steps_of
from schema.stages import Prepare
from schema.training import TrainingStage

LONG = 1_000_000_000
"""A cadence in steps that no run reaches: a trainer saves at the end of training all the same."""


def without_nulls(options: Mapping[str, Any]) -> dict[str, Value]:
    """The options that have a value: a null or an empty list cannot be written on a command line."""
    return {name: value for name, value in options.items() if value is not None and value != ()}


def fields(stage: TrainingStage, table: Mapping[str, tuple[str | int, ...]]) -> dict[str, Any]:
    """Option → the value of its field, by a backend's table."""
    return {option: value_at(stage, path) for option, path in table.items()}


def value_at(value: Any, path: tuple[str | int, ...]) -> Any:
    """A field of a stage by its path."""
    for part in path:
        value = value[part] if isinstance(part, int) else getattr(value, part)
    return value


def cadence(what: str, every: str) -> dict[str, Value | None]:
    """`save_strategy` and `save_steps` of a cadence; the same for `eval`."""
    if every == "epoch":
        return {f"{what}_strategy": "epoch"}
    return {f"{what}_strategy": "steps", f"{what}_steps": steps_of(every) or LONG}


def picture_folder(plan: Plan, planned: StagePlan) -> InputPath | None:
    """The folder in which the data's own pictures stand; files of the project need none."""
    recipe = plan.instance.recipe
    for given in (*planned.inputs_like("data"), *planned.inputs_like("validation")):
        source = recipe.stages.get(given.stage or "")
        if isinstance(source, Prepare) and recipe.datasets[source.dataset].draws:
            return InputPath(given.role, f"{plan.outputs}/{given.stage}")
    return None
