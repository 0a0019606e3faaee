"""TRL 0.29: GRPO and DPO, `accelerate launch … -m runners.trl_grpo` and `… -m runners.trl_dpo`.

An adapter of the stage before means the same as for ms-swift: training goes on in it or beside it, and a frozen copy of
it is what is compared with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from compiler.backends import curves, rewards
from compiler.backends.fields import Fields, model_below
from compiler.backends.trl_training import (
    BATCHES,
    LOOP,
    OTHERWISE,
    TRAINING,
    Unsaid,
    training_launch,
    training_options,
    unsaid,
)
from compiler.plan import FilePath, InputPath, Launch, Output, Plan, StagePlan, Value
from schema.diagnostics import Diagnostic
from schema.stages import Dpo, Grpo
from schema.training import AlignmentStage
from schema.tuner import FullTuner

GRPO: Fields = {
    "num_generations": ("generations",),
    "max_prompt_length": ("max_prompt_length",),
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
VLLM: Mapping[str, Fields] = {
    "colocate": {
        "vllm_tensor_parallel_size": ("rollout", "tensor_parallel"),
        "vllm_gpu_memory_utilization": ("rollout", "gpu_memory_utilization"),
    },
    "server": {"vllm_server_host": ("rollout", "host"), "vllm_server_port": ("rollout", "port")},
}
"""The same where vLLM samples, by its mode."""
UNSAID_OF_GRPO: Unsaid = {("too_long",): ("replace",)}  # TRL cuts no questions
UNSAID_OF_VLLM: Unsaid = {
    ("rollout", "enforce_eager"): (False,),
    ("rollout", "sleep"): ("0", "2"),
    ("rollout", "offload_model"): (False,),
    ("rollout", "offload_optimizer"): (False,),
}
GRPO_DEFAULTS: dict[str, Value] = {
    "trust_remote_code": False,
    "shuffle_dataset": True,
    "remove_unused_columns": False,  # rewards read them
    "disable_dropout": False,
    "cast_lm_head_to_fp32": False,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "multi_objective_aggregation": "sum_then_normalize",
    "importance_sampling_level": "token",
    "mask_truncated_completions": False,
    "top_entropy_quantile": 1.0,
    "use_bias_correction_kl": False,
    "sync_ref_model": False,
    "use_transformers_paged": False,
    "log_completions": False,
    "ds3_gather_for_generation": True,
    **BATCHES,
    **LOOP,
}

DPO: Fields = {
    "max_length": ("max_length",),
    "too_long": ("too_long",),
    "beta": ("beta",),
    "label_smoothing": ("label_smoothing",),
    **TRAINING,
}
"""Option → the field of a `dpo` stage that it is."""
DPO_DEFAULTS: dict[str, Value] = {
    "trust_remote_code": False,
    "disable_dropout": True,
    "f_divergence_type": "reverse_kl",
    "use_weighting": False,
    "precompute_ref_log_probs": False,
    "padding_free": False,
    "sync_ref_model": False,
    "train_sampling_strategy": "random",
    **BATCHES,
    "activation_offloading": False,
    **LOOP,
}
UNSMOOTHED = "sigmoid"
"""A loss for which ms-swift knows `label_smoothing`, and TRL ignores it."""


def grpo_problems(plan: Plan, planned: StagePlan) -> Iterator[Diagnostic]:
    """R0330: what a `grpo` stage says and TRL has no option for."""
    stage = planned.stage
    assert isinstance(stage, Grpo)
    samples = stage.rollout.engine == "vllm" and stage.rollout.mode == "colocate"
    return unsaid(plan, planned, {**UNSAID_OF_GRPO, **(UNSAID_OF_VLLM if samples else {})})


def dpo_problems(plan: Plan, planned: StagePlan) -> Iterator[Diagnostic]:
    """R0330, and R0350: a loss that ignores what the recipe says of it."""
    stage = planned.stage
    assert isinstance(stage, Dpo)
    yield from unsaid(plan, planned, {})
    if stage.label_smoothing and stage.loss_type == UNSMOOTHED:
        message = f"TRL's loss `{stage.loss_type}` ignores `label_smoothing`"
        help = f"write `loss_type: robust`, or {OTHERWISE}"
        yield Diagnostic("R0350", message, help, (plan.instance.at("stages", planned.name, "label_smoothing"),))


def grpo(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """TRL's GRPO with our rewards; then the checkpoint that goes on."""
    stage, batch = planned.stage, planned.batch
    assert isinstance(stage, Grpo) and batch is not None
    table = {**GRPO, **_vllm(stage)}
    own: dict[str, Value | None] = {
        "rewards": FilePath("rewards", f"{plan.pipeline}/{planned.name}.rewards.json"),
        "reward_files": tuple(InputPath(use.role, use.file) for use in stage.files),
        "reward_weights": tuple(reward.weight for reward in stage.rewards),
        "top_k": stage.top_k or 0,
        "steps_per_generation": batch.accumulation,
        **_compared(planned, stage, compared=stage.beta > 0),
        "use_vllm": stage.rollout.engine == "vllm",
        **_mode(stage),
    }
    options = training_options(plan, planned, table, own, GRPO_DEFAULTS)
    launch = training_launch(plan, planned, "grpo", options, table)
    files = {**launch.files, "rewards": rewards.config(stage.rewards, stage.files)}
    runners = (*launch.runners, *rewards.modules(stage.rewards))
    return replace(launch, files=files, runners=runners), curves.outputs(stage, "reward", "Reward")


def dpo(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """TRL's DPO; then the checkpoint that goes on."""
    stage = planned.stage
    assert isinstance(stage, Dpo)
    sft = stage.sft_weight
    own: dict[str, Value | None] = {
        "loss_type": (stage.loss_type, "sft") if sft else (stage.loss_type,),
        "loss_weights": (1.0, sft) if sft else None,
        "truncation_mode": "keep_end" if stage.too_long == "left" else "keep_start",
        **_compared(planned, stage, compared=True),
    }
    options = training_options(plan, planned, DPO, own, DPO_DEFAULTS)
    launch = training_launch(plan, planned, "dpo", options, {**DPO, "loss_type": ("loss_type",)})
    return launch, curves.outputs(stage, "loss", "Training curve")


def _compared(planned: StagePlan, stage: AlignmentStage, compared: bool) -> dict[str, Value | None]:
    """The adapter of the stage before, and what the policy is compared with.

    A full fine-tune names its reference, because a run that goes on has another `model_name_or_path`.
    """
    below = model_below(planned)
    if isinstance(stage.tuner, FullTuner):
        return {"reference_model": below if compared else None}
    if below.role == "model":
        return {}
    before = InputPath("model", planned.input("model").path)
    return {
        "adapter": before if stage.adapter == "stack" else None,
        "reference_adapter": before if compared else None,
    }


def _vllm(stage: Grpo) -> Fields:
    """The options of vLLM that mean something in its mode."""
    return VLLM[stage.rollout.mode] if stage.rollout.engine == "vllm" else {}


def _mode(stage: Grpo) -> dict[str, Value | None]:
    if stage.rollout.engine != "vllm":
        return {}
    if stage.rollout.mode == "server":
        return {"vllm_mode": "server"}
    length = stage.max_prompt_length + stage.max_completion_length
    return {
        "vllm_mode": "colocate",
        "vllm_max_model_length": length,
        "vllm_enable_sleep_mode": stage.rollout.sleep == "2",
    }
