"""Commands, environment, generated files and outputs of every stage, by the backend of its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from compiler.backends import ms_swift, ms_swift_rlhf, own
from compiler.plan import Launch, Output, Plan, StagePlan
from schema.stages import Classify, Dpo, Evaluate, Grpo, Merge, Predict, Prepare, Sft, Stage
from schema.training import TrainingStage

Backend = Callable[[Plan, StagePlan], tuple[Launch, tuple[Output, ...]]]

BACKENDS: dict[type[Stage], Backend] = {
    Prepare: own.prepare,
    Sft: ms_swift.sft,
    Classify: ms_swift.sft,
    Grpo: ms_swift_rlhf.grpo,
    Dpo: ms_swift_rlhf.dpo,
    Merge: ms_swift.merge,
    Predict: ms_swift.predict,
    Evaluate: own.evaluate,
}


def launch(plan: Plan) -> Plan:
    """Every stage with its launch."""
    return replace(plan, stages=tuple(_launched(plan, stage) for stage in plan.stages))


def _launched(plan: Plan, planned: StagePlan) -> StagePlan:
    if planned.model is None and any("models" in use.accepts or "adapter" in use.accepts for use in planned.stage.uses):
        return planned  # its model is not known, which has been reported
    launch, outputs = BACKENDS[type(planned.stage)](plan, planned)
    return replace(planned, launch=launch, outputs=outputs, resumes=_resumes(planned.stage))


def _resumes(stage: Stage) -> bool:
    """Training goes on from a checkpoint, but the engine forgets how long an early stop has been waiting, and answers
    that were to be used again.
    """
    forgets = isinstance(stage, Grpo) and stage.iterations > 1
    return isinstance(stage, TrainingStage) and stage.early_stopping is None and not forgets
