"""Commands, environment, generated files and outputs of every stage, by the backend of its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from compiler.backends import delivery, distill, ms_swift, ms_swift_rlhf, own, serving, trl
from compiler.plan import Launch, Output, Plan, StagePlan
from schema.stages import (
    Benchmark,
    Classify,
    Deploy,
    Distill,
    Dpo,
    Evaluate,
    Export,
    Grpo,
    Merge,
    Predict,
    Prepare,
    Quantize,
    Sft,
    Stage,
)
from schema.training import TrainingStage

Backend = Callable[[Plan, StagePlan], tuple[Launch, tuple[Output, ...]]]

BACKENDS: dict[type[Stage], Backend] = {
    Prepare: own.prepare,
    Sft: ms_swift.sft,
    Classify: ms_swift.sft,
    Grpo: ms_swift_rlhf.grpo,
    Dpo: ms_swift_rlhf.dpo,
    Distill: distill.distill,
    Merge: ms_swift.merge,
    Predict: ms_swift.predict,
    Evaluate: own.evaluate,
    Export: delivery.export,
    Quantize: delivery.quantize,
    Deploy: serving.deploy,
    Benchmark: delivery.benchmark,
}
"""Kind of a stage → what launches it; training on another engine than ms-swift is below."""
TRAINERS: dict[str, Backend] = {"trl": trl.sft}
"""Engine that a training stage names → the same."""


def launch(plan: Plan) -> Plan:
    """Every stage with its launch, and what its engine cannot do of what the recipe asks for."""
    launched = replace(plan, stages=tuple(_launched(plan, stage) for stage in plan.stages))
    wrong = (problem for stage in plan.stages if _trainer(stage.stage) for problem in trl.problems(plan, stage))
    untraced = (problem for stage in plan.stages for problem in delivery.problems(plan, stage))
    return replace(launched, diagnostics=(*plan.diagnostics, *wrong, *untraced))


def _trainer(stage: Stage) -> Backend | None:
    return TRAINERS.get(stage.engine.name) if isinstance(stage, TrainingStage) else None


def _launched(plan: Plan, planned: StagePlan) -> StagePlan:
    recipe = plan.instance.recipe
    if planned.model is None and recipe.base_model(planned.name) is not None:
        return planned  # its model is not known, which has been reported
    backend = _trainer(planned.stage) or _student(plan, planned.stage) or BACKENDS[type(planned.stage)]
    launch, outputs = backend(plan, planned)
    return replace(planned, launch=launch, outputs=outputs, resumes=_resumes(planned.stage))


def _student(plan: Plan, stage: Stage) -> Backend | None:
    """What answers with a student."""
    asked = isinstance(stage, Predict) and plan.instance.recipe.student(stage.model) is not None
    return distill.predict if asked else None


def _resumes(stage: Stage) -> bool:
    """Training goes on from a checkpoint, but the engine forgets how long an early stop has been waiting, and answers
    that were to be used again.
    """
    forgets = isinstance(stage, Grpo) and stage.iterations > 1
    return isinstance(stage, TrainingStage | Distill) and stage.early_stopping is None and not forgets
