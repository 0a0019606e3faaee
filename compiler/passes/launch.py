"""Commands, environment, generated files and outputs of every stage, by the backend of its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from compiler.backends import (
    answering,
    check,
    delivery,
    distill,
    embeddings,
    ms_swift,
    ms_swift_rlhf,
    own,
    serving,
    synthesize,
    trl,
    trl_rlhf,
    trl_training,
)
from compiler.plan import Launch, Output, Plan, StagePlan
from schema.diagnostics import Diagnostic
from schema.stages import (
    Benchmark,
    Check,
    Classify,
    Deploy,
    Distill,
    Dpo,
    Embed,
    Evaluate,
    Export,
    Features,
    Grpo,
    Merge,
    Predict,
    Prepare,
    Quantize,
    Retrieve,
    Sft,
    Stage,
    Synthesize,
)
from schema.training import TrainingStage

Backend = Callable[[Plan, StagePlan], tuple[Launch, tuple[Output, ...]]]
Problems = Callable[[Plan, StagePlan], Iterator[Diagnostic]]

BACKENDS: dict[type[Stage], Backend] = {
    Prepare: own.prepare,
    Sft: ms_swift.sft,
    Classify: ms_swift.sft,
    Grpo: ms_swift_rlhf.grpo,
    Dpo: ms_swift_rlhf.dpo,
    Distill: distill.distill,
    Merge: ms_swift.merge,
    Predict: answering.predict,
    Evaluate: own.evaluate,
    Embed: embeddings.embed,
    Features: embeddings.features,
    Retrieve: embeddings.retrieve,
    Synthesize: synthesize.synthesize,
    Export: delivery.export,
    Quantize: delivery.quantize,
    Deploy: serving.deploy,
    Benchmark: delivery.benchmark,
    Check: check.check,
}
"""Kind of a stage → what launches it; training on another engine than ms-swift is below."""
TRL: dict[type[Stage], tuple[Backend, Problems]] = {
    Sft: (trl.sft, trl.problems),
    Grpo: (trl_rlhf.grpo, trl_rlhf.grpo_problems),
    Dpo: (trl_rlhf.dpo, trl_rlhf.dpo_problems),
}
"""Kind of a training stage → what launches it with TRL, and what TRL cannot do of it."""


def launch(plan: Plan) -> Plan:
    """Every stage with its launch, and what its engine cannot do of what the recipe asks for."""
    launched = replace(plan, stages=tuple(_launched(plan, stage) for stage in plan.stages))
    wrong = (problem for stage in plan.stages if _by_trl(stage.stage) for problem in _problems(plan, stage))
    untraced = (problem for stage in plan.stages for problem in delivery.problems(plan, stage))
    return replace(launched, diagnostics=(*plan.diagnostics, *wrong, *untraced))


def _by_trl(stage: Stage) -> bool:
    return isinstance(stage, TrainingStage) and stage.engine.name == trl_training.ENGINE


def _problems(plan: Plan, planned: StagePlan) -> Iterator[Diagnostic]:
    _, problems = TRL.get(type(planned.stage), (None, trl_training.no_trainer))
    return problems(plan, planned)


def _launched(plan: Plan, planned: StagePlan) -> StagePlan:
    recipe = plan.instance.recipe
    if planned.model is None and recipe.base_model(planned.name) is not None:
        return planned  # its model is not known, which has been reported
    kind = type(planned.stage)
    trl_backend = TRL[kind][0] if _by_trl(planned.stage) and kind in TRL else None
    backend = trl_backend or _student(plan, planned.stage) or BACKENDS[kind]
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
