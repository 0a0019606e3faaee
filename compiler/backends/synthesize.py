"""Rows that a model makes from its own answers: `python -m runners.synthesize`."""

from __future__ import annotations

from compiler.backends.answering import loaded
from compiler.backends.fields import own_environment, without_nulls
from compiler.plan import KEPT, Command, FilePath, InputPath, Json, Launch, Output, OutputPath, Plan, StagePlan, Value
from schema.stages import Synthesize

TEMPLATES = ("prompt", "ask", "teach", "per_question", "max_relations", "batch", "max_new_tokens")
"""Fields that the configuration holds; texts of several lines are easier to read there."""


def synthesize(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """The model writes paths, and those that hold become rows."""
    stage = planned.stage
    assert isinstance(stage, Synthesize)
    held_out = InputPath("held_out", planned.input("held_out").path) if stage.held_out else None
    options: dict[str, Value | None] = {
        **loaded(plan, planned),
        "predictions": InputPath("predictions", planned.input("predictions").path),
        "data": InputPath("data", planned.input("data").path),
        "held_out": held_out,
        "config": FilePath("synthesize", f"{plan.pipeline}/{planned.name}.synthesize.json"),
        "work": OutputPath(f"{KEPT}/paths.jsonl"),
        "to": OutputPath("result"),
    }
    config: dict[str, Json] = {name: getattr(stage, name) for name in TEMPLATES}
    command = Command(("python", "-m", "runners.synthesize"), without_nulls(options))
    launch = Launch((command,), own_environment(plan), {"synthesize": config}, runners=("runners.synthesize",))
    return launch, (Output("train.jsonl"), Output("paths.jsonl"), Output("report.json"))
