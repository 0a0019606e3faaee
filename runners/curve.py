"""The curves of a training and of its evaluations, from the history that a trainer saves with each checkpoint.

[{"step": 10, "loss": 2.29, "learning_rate": 2e-3}, {"step": 45, "eval_loss": 1.7, "eval_runtime": 0.5}, …]

curve.csv has what steps measured, evaluation.csv what was measured on rows that are held out. A checkpoint's own history has
each step once, also after a resume; times are left out, so equal runs give equal files.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from schema.files import write_atomically

SHARED = ("step", "epoch")
FIRST = (*SHARED, "loss", "eval_loss", "learning_rate")
EVALUATED = "eval_"
APART = (EVALUATED, "before_", "teacher_")
"""How names begin of what steps do not measure."""
TIMING = re.compile(
    r".*(_runtime|_per_second)$|memory.*|train_speed.*|step_time|elapsed_time|remaining_time|total_flos"
)
DIGITS = 10

Points = Sequence[Mapping[str, float]]


def points(history: Sequence[Mapping[str, Any]]) -> Points:
    """One point for each step, with all that was measured there; a later measurement replaces an earlier one."""
    merged: dict[int, dict[str, float]] = {}
    for entry in history:
        if "step" in entry:
            merged.setdefault(entry["step"], {}).update(_measured(entry))
    return [merged[step] for step in sorted(merged)]


def _measured(entry: Mapping[str, Any]) -> dict[str, float]:
    numbers = {name: value for name, value in entry.items() if isinstance(value, int | float)}
    return {name: _rounded(value) for name, value in numbers.items() if not TIMING.fullmatch(name)}


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")


def write(curve: Points, steps: Path, evaluation: Path | None) -> None:
    """Write what steps measured, and where a file is named, what evaluations did."""
    write_atomically(steps, of_steps(curve).encode(), durable=False)
    if evaluation is not None:
        write_atomically(evaluation, of_evaluations(curve).encode(), durable=False)


def of_steps(curve: Points) -> str:
    """What steps measured, as CSV."""
    steps = [{n: value for n, value in point.items() if not n.startswith(APART)} for point in curve if "loss" in point]
    return _table(steps, "loss")


def of_evaluations(curve: Points) -> str:
    """What evaluations measured, as CSV."""
    found = [{n: value for n, value in point.items() if n in SHARED or n.startswith(EVALUATED)} for point in curve]
    return _table([point for point in found if any(name.startswith(EVALUATED) for name in point)], "eval_loss")


def _table(curve: Points, measured: str) -> str:
    """Well-known columns first; without points the head alone, with what would have been measured."""
    names = {name for point in curve for name in point} | {"step", measured}
    columns = [name for name in FIRST if name in names]
    columns += sorted(names - set(columns))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(curve)
    return text.getvalue()


def summary(curve: Points, step: int) -> dict[str, float]:
    """What was last measured up to a step, with `steps` of the whole run, the `selected_step`, and how rewards rose."""
    reached: dict[str, float] = {}
    for point in curve:
        if point["step"] <= step:
            reached |= point
    left_out = {"step", "learning_rate", "grad_norm"}
    measured = {name: value for name, value in reached.items() if name not in left_out}
    return {"steps": curve[-1]["step"] if curve else step, "selected_step": step, **measured, **_rise(curve)}


def _rise(curve: Points) -> dict[str, float]:
    """The mean reward over the first and the last tenth of the points that have one, where any has."""
    rewards = [point["reward"] for point in curve if "reward" in point]
    tenth = max(len(rewards) // 10, 1)
    parts = {"reward_first_tenth": rewards[:tenth], "reward_last_tenth": rewards[-tenth:]}
    return {name: _rounded(sum(part) / len(part)) for name, part in parts.items() if part}
