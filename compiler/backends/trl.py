"""TRL 0.29: supervised fine-tuning, `accelerate launch … -m runners.trl_sft`."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.backends import curves
from compiler.backends.fields import Fields
from compiler.backends.trl_training import (
    BATCHES,
    LOOP,
    Unsaid,
    training_launch,
    training_options,
    unsaid,
)
from compiler.backends.trl_training import TRAINING as SHARED
from compiler.plan import Launch, Output, Plan, StagePlan, Value
from schema.diagnostics import Diagnostic
from schema.training import TrainingStage

TRAINING: Fields = {"max_length": ("max_length",), "too_long": ("too_long",), **SHARED}
"""Option → the field of an `sft` stage that it is."""
UNSAID: Unsaid = {("packing",): (False,)}  # TRL packs no pictures
DEFAULTS: dict[str, Value] = {
    "trust_remote_code": False,
    "completion_only_loss": True,
    "assistant_only_loss": False,
    "loss_type": "nll",
    "packing": False,
    "padding_free": False,
    "shuffle_dataset": False,
    "train_sampling_strategy": "random",
    **BATCHES,
    "activation_offloading": False,
    **LOOP,
}


def problems(plan: Plan, planned: StagePlan) -> Iterator[Diagnostic]:
    """R0330: what an `sft` stage says and TRL has no option for."""
    return unsaid(plan, planned, UNSAID)


def sft(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """TRL's SFT; then the checkpoint that goes on."""
    stage = planned.stage
    assert isinstance(stage, TrainingStage)
    options = training_options(plan, planned, TRAINING, {}, DEFAULTS)
    launch = training_launch(plan, planned, "sft", options, TRAINING)
    return launch, curves.outputs(stage, "loss", "Training curve")
