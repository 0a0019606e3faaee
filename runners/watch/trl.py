"""The callback of our TRL programs: what a trainer of TRL holds, by TRL's names of the options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runners import trl_parts
from runners.watch import held
from runners.watch.report import Watch

PROGRAMS = tuple(("python", "-m", f"runners.trl_{command}") for command in ("sft", "dpo", "grpo"))
"""What the trainer may have been started as."""
NAMES = {
    "torch_dtype": "dtype",
    "attn_impl": "attn_implementation",
    "lora_rank": "lora_r",
    "target_modules": "lora_target_modules",
    "modules_to_save": "lora_modules_to_save",
}
"""Name of a held setting → TRL's option, where they differ."""
OWN = (
    "gradient_checkpointing", "loss_type", "packing", "completion_only_loss", "assistant_only_loss", "beta",
    "label_smoothing", "loss_weights", "truncation_mode", "f_divergence_type", "use_weighting", "disable_dropout",
    "sync_ref_model", "num_generations", "steps_per_generation", "max_completion_length", "temperature", "top_p", "top_k",
    "min_p", "repetition_penalty", "epsilon", "epsilon_high", "scale_rewards", "num_iterations", "reward_weights",
    "multi_objective_aggregation", "importance_sampling_level", "mask_truncated_completions", "top_entropy_quantile",
    "shuffle_dataset", "use_vllm", "vllm_mode", "vllm_tensor_parallel_size", "vllm_gpu_memory_utilization",
)  # fmt: skip
"""Options of TRL's own trainers, which stand under their names in the arguments, and some in the trainer, too."""
BITS = ("load_in_4bit", "load_in_8bit")
ALL_LINEAR = trl_parts.ALL_LINEAR
SHORTENED = 20
"""From this number of target modules on, PEFT looks for shorter names that mean the same."""


def watch(trainer: Any) -> None:
    """Have a trainer compared with the plan before its first step and after its last."""
    from transformers import TrainerCallback  # the engine, which only its own process may load

    class Recipe(TrainerCallback):  # type: ignore[misc]
        """Compares, and changes nothing."""

        def __init__(self) -> None:
            self.watch = Watch(PROGRAMS, trainer.args.process_index)

        def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            self.watch.begin(settings(trainer, args, self.watch.planned), held.trainable(trainer.model))

        def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
            self.watch.end(settings(trainer, args, self.watch.planned))

    trainer.add_callback(Recipe())


def settings(trainer: Any, args: Any, planned: Mapping[str, Any]) -> dict[str, Any]:
    """What a trainer of TRL holds, by option; what our programs put in place of `all-linear` is left out."""
    found = {NAMES.get(name, name): value for name, value in held.settings(trainer, args, trainer.model).items()}
    found |= dict(_own(trainer, args))
    targets = planned.get("lora_target_modules") or ()
    if ALL_LINEAR in targets or len(targets) >= SHORTENED:
        found.pop("lora_target_modules", None)
    if planned.get("use_peft"):
        return found | {bits: bool(getattr(trainer.model, f"is_loaded_in_{bits[-4:]}", False)) for bits in BITS}
    return found | _frozen(trainer.model)


def _own(trainer: Any, args: Any) -> Iterator[tuple[str, Any]]:
    """The trainer's own say before that of its arguments."""
    for name in OWN:
        if hasattr(args, name):
            said = getattr(trainer, name, None)
            yield name, said if isinstance(said, bool | int | float | str) else getattr(args, name)


def _frozen(model: Any) -> dict[str, bool]:
    """Whether no parameter of a part trains; parts that a model does not have are left out."""
    trains: dict[str, bool] = {}
    for name, parameter in model.named_parameters():
        part = trl_parts.part_of(name)
        trains[part] = trains.get(part, False) or bool(parameter.requires_grad)
    return {f"freeze_{part}": not some for part, some in trains.items()}
