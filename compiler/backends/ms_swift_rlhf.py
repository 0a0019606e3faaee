"""ms-swift 4.6: `swift rlhf` with GRPO and DPO.

What an adapter of the stage before means was tried: with `--adapters` alone the reference is the model without it, a full
fine-tune ignores it in silence, and with `--ref_adapters` too the loss of DPO starts at ln 2, as it has to.
"""

from __future__ import annotations

from dataclasses import replace

from compiler.backends import curves, rewards
from compiler.backends.fields import Fields, model_below
from compiler.backends.ms_swift_training import (
    ENGINE,
    LORA,
    SFT_DEFAULTS,
    TRAINING,
    WATCH,
    training_launch,
    training_options,
)
from compiler.plan import Command, InputPath, Launch, Output, Plan, StagePlan, Value
from schema.stages import Dpo, Grpo
from schema.training import AlignmentStage
from schema.tuner import FullTuner

GRPO: Fields = {
    "num_generations": ("generations",),
    "max_length": ("max_prompt_length",),
    "max_completion_length": ("max_completion_length",),
    "temperature": ("temperature",),
    "top_p": ("top_p",),
    "beta": ("beta",),
    "epsilon": ("epsilon",),
    "epsilon_high": ("epsilon_high",),
    "loss_type": ("loss_type",),
    "scale_rewards": ("scale_rewards",),
    "num_iterations": ("iterations",),
    **TRAINING,
}
"""Option → the field of a `grpo` stage that it is."""

VLLM: Fields = {
    "vllm_mode": ("rollout", "mode"),
    "vllm_tensor_parallel_size": ("rollout", "tensor_parallel"),
    "vllm_gpu_memory_utilization": ("rollout", "gpu_memory_utilization"),
    "vllm_enforce_eager": ("rollout", "enforce_eager"),
    "sleep_level": ("rollout", "sleep"),
    "offload_model": ("rollout", "offload_model"),
    "offload_optimizer": ("rollout", "offload_optimizer"),
    "vllm_server_host": ("rollout", "host"),
    "vllm_server_port": ("rollout", "port"),
}
"""The same where vLLM samples."""

OF_COLOCATED = ("vllm_tensor_parallel_size", "vllm_gpu_memory_utilization", "vllm_enforce_eager", "sleep_level")
OF_SERVER = ("vllm_server_host", "vllm_server_port")

GRPO_DEFAULTS: dict[str, Value] = {
    **SFT_DEFAULTS,
    "loss_scale": "last_round",
    "remove_unused_columns": False,  # rewards read them
    "dataloader_drop_last": True,  # groups stay whole
    "advantage_estimator": "grpo",
    "kl_in_reward": False,
    "importance_sampling_level": "token",
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "dynamic_sample": False,
    "overlong_filter": False,
    "top_entropy_quantile": 1.0,
    "sync_ref_model": False,
    "async_generate": False,
    "log_completions": False,
    "ds3_gather_for_generation": True,
}
DPO: Fields = {
    "max_length": ("max_length",),
    "beta": ("beta",),
    "loss_type": ("loss_type",),
    "label_smoothing": ("label_smoothing",),
    **TRAINING,
}
"""Option → the field of a `dpo` stage that it is."""

DPO_DEFAULTS: dict[str, Value] = {**SFT_DEFAULTS, "loss_scale": "last_round"}


def grpo(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """The rewards' plugin; `swift rlhf --rlhf_type grpo`; then the checkpoint that goes on."""
    stage, batch = planned.stage, planned.batch
    assert isinstance(stage, Grpo) and batch is not None
    own: dict[str, Value | None] = {
        "rlhf_type": "grpo",
        "external_plugins": rewards.PLUGIN,
        "reward_funcs": rewards.names(stage.rewards),
        "reward_weights": tuple(reward.weight for reward in stage.rewards),
        "top_k": stage.top_k or -1,
        "truncation_strategy": "delete" if stage.too_long == "replace" else stage.too_long,
        "steps_per_generation": batch.accumulation,
        **_adapters(planned, stage, compared=stage.beta > 0),
        **_reference(planned, stage, compared=stage.beta > 0),
        "use_vllm": stage.rollout.engine == "vllm",
        **_length_of_vllm(stage),
    }
    table = {**GRPO, **_vllm(stage)}
    options = training_options(plan, planned, table, own, GRPO_DEFAULTS)
    train = Command(("swift", "rlhf"), options, (ENGINE, "rlhf"), stage.engine.args, WATCH, True, {**table, **LORA})
    check = rewards.plugin(plan, planned, stage.files)
    launch = training_launch(plan, planned, train, (check,), tuple(rewards.modules(stage.rewards)))
    files = {**launch.files, "rewards": rewards.config(stage.rewards, stage.files)}
    return replace(launch, files=files), curves.outputs(stage, "reward", "Reward")


def dpo(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """`swift rlhf --rlhf_type dpo`; then the checkpoint that goes on."""
    stage = planned.stage
    assert isinstance(stage, Dpo)
    own: dict[str, Value | None] = {
        "rlhf_type": "dpo",
        "rpo_alpha": stage.sft_weight or None,
        "truncation_strategy": "delete" if stage.too_long == "error" else stage.too_long,
        **_adapters(planned, stage, compared=True),
        **_reference(planned, stage, compared=True),
    }
    options = training_options(plan, planned, DPO, own, DPO_DEFAULTS)
    train = Command(("swift", "rlhf"), options, (ENGINE, "rlhf"), stage.engine.args, WATCH, True, {**DPO, **LORA})
    return training_launch(plan, planned, train), curves.outputs(stage, "loss", "Training curve")


def _adapters(planned: StagePlan, stage: AlignmentStage, compared: bool) -> dict[str, Value | None]:
    """The adapter of the stage before, where training starts, and in a frozen copy what it is compared with."""
    below = model_below(planned)
    if below.role == "model":
        return {}
    before = InputPath("model", planned.input("model").path)
    return {
        "adapters": before if stage.adapter == "stack" else None,
        "ref_adapters": before if compared else None,
    }


def _reference(planned: StagePlan, stage: AlignmentStage, compared: bool) -> dict[str, Value | None]:
    """The model that a full fine-tune is compared with: written out, because a run that goes on has another `model`."""
    if not compared or not isinstance(stage.tuner, FullTuner):
        return {}
    assert planned.model is not None
    return {"ref_model": model_below(planned), "ref_model_type": planned.model.type}


def _vllm(stage: Grpo) -> Fields:
    """The options of vLLM that mean something in its mode."""
    if stage.rollout.engine != "vllm":
        return {}
    unused = OF_SERVER if stage.rollout.mode == "colocate" else OF_COLOCATED
    return {option: path for option, path in VLLM.items() if option not in unused}


def _length_of_vllm(stage: Grpo) -> dict[str, Value | None]:
    if stage.rollout.engine != "vllm" or stage.rollout.mode != "colocate":
        return {}
    return {"vllm_max_model_len": stage.max_prompt_length + stage.max_completion_length}
