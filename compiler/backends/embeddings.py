"""Embeddings: `swift sft --task_type embedding` (ms-swift 4.6), and our own runner that asks what was trained.

`swift infer --task_type embedding` fails in that version: it looks for the choices of a chat in an embedding.
"""

from __future__ import annotations

from dataclasses import replace

from compiler.backends import curves
from compiler.backends.fields import without_nulls
from compiler.backends.ms_swift import SUPERVISED
from compiler.backends.ms_swift_training import (
    ENGINE,
    LORA,
    SFT_DEFAULTS,
    WATCH,
    environment,
    training_launch,
    training_options,
)
from compiler.plan import Command, InputPath, Launch, Output, OutputPath, Plan, StagePlan, Value
from schema.stages import Embed, Features, Retrieve

FEATURES = "runners.features"
PAIRS = "runners.scores.pairs"
RESULT = OutputPath("result")


def embed(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """`swift sft` with the contrastive loss; then the checkpoint that goes on."""
    stage = planned.stage
    assert isinstance(stage, Embed)
    own: dict[str, Value | None] = {
        "loss_type": "infonce",
        "truncation_strategy": "delete" if stage.too_long == "error" else stage.too_long,
    }
    options = training_options(plan, planned, SUPERVISED, own, SFT_DEFAULTS)
    train = Command(("swift", "sft"), options, (ENGINE, "sft"), stage.engine.args, WATCH, True, {**SUPERVISED, **LORA})
    launch = training_launch(plan, planned, train)
    return replace(launch, env={**launch.env, **_contrast(stage)}), curves.outputs(stage, "loss", "Training curve")


def _contrast(stage: Embed) -> dict[str, str]:
    """What the loss reads from the environment and has no option for."""
    said = {
        "INFONCE_TEMPERATURE": str(stage.temperature),
        "INFONCE_USE_BATCH": str(stage.in_batch_negatives).lower(),
        "INFONCE_MASK_FAKE_NEGATIVE": "false",
        "INFONCE_INCLUDE_QQ": "false",
        "INFONCE_INCLUDE_DD": "false",
    }
    return said if stage.hard_negatives is None else said | {"INFONCE_HARD_NEGATIVES": str(stage.hard_negatives)}


def features(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """`python -m runners.features` on every row."""
    stage, model = planned.stage, planned.model
    assert isinstance(stage, Features) and model is not None
    used = plan.instance.recipe.stages.get(stage.model)
    adapter = used is not None and used.gives == "adapter"
    given = InputPath("model", planned.input("model").path)
    options: dict[str, Value | None] = {
        "model": InputPath("base", planned.input("base").path) if adapter else given,
        "adapter": given if adapter else None,
        "model-type": model.type,
        "template": model.template,
        "dtype": model.spec.dtype,
        "attention": model.attention,
        "data": InputPath("data", planned.input("data").path),
        "pooling": stage.pooling,
        "batch": stage.batch,
        "max-length": stage.max_length,
        "to": RESULT,
    }
    command = Command(("python", "-m", FEATURES), without_nulls(options))
    launch = Launch((command,), environment(plan, planned, model), runners=(FEATURES,))
    return launch, (Output("embeddings"),)


def retrieve(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """`python -m runners.scores.pairs` on the embeddings."""
    stage = planned.stage
    assert isinstance(stage, Retrieve)
    options: dict[str, Value] = {
        "embeddings": InputPath("embeddings", planned.input("embeddings").path),
        "metrics": stage.metrics,
        "at": stage.at,
        "to": RESULT,
    }
    launch = Launch((Command(("python", "-m", PAIRS), options),), runners=(PAIRS,))
    return launch, (Output("metrics.json", "metrics"), Output("ranks.csv"))
