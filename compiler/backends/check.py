"""A look at a model and a few rows: `python -m runners.predict.check`."""

from __future__ import annotations

from compiler.backends.answering import loaded
from compiler.backends.fields import own_environment, without_nulls
from compiler.plan import Command, InputPath, Launch, Output, OutputPath, Plan, StagePlan, Value
from schema.stages import Check

RUNNER = "runners.predict.check"


def check(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """One forward pass and one generation over the first rows."""
    stage = planned.stage
    assert isinstance(stage, Check)
    options: dict[str, Value | None] = {
        **loaded(plan, planned),
        "data": InputPath("data", planned.input("data").path),
        "batch": stage.batch,
        "max_new_tokens": stage.max_new_tokens,
        "to": OutputPath("result"),
    }
    command = Command(("python", "-m", RUNNER), without_nulls(options))
    return Launch((command,), own_environment(plan), runners=(RUNNER,)), (Output("check.json"),)
