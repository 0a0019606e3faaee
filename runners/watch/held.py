"""The settings that a trainer of transformers holds, by the option of the engine that stands for each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runners.watch.compare import GROUPS, deepspeed

ARGUMENTS = (
    "learning_rate", "lr_scheduler_type", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm",
    "optim", "num_train_epochs", "max_steps", "per_device_eval_batch_size", "gradient_accumulation_steps",
    "seed", "data_seed", "bf16", "fp16", "save_strategy", "save_steps", "eval_strategy", "eval_steps",
    "metric_for_best_model", "greater_is_better", "load_best_model_at_end", "label_smoothing_factor",
    "dataloader_drop_last", "average_tokens_across_devices", "full_determinism", "torch_compile", "use_liger_kernel",
    "ignore_data_skip", "save_only_model", "eval_delay", "eval_on_start", "auto_find_batch_size", "use_cpu",
)  # fmt: skip
"""Options that stand under their own name in the trainer's arguments."""
LORA = {
    "lora_rank": "r",
    "lora_alpha": "lora_alpha",
    "lora_dropout": "lora_dropout",
    "lora_bias": "bias",
    "use_rslora": "use_rslora",
    "use_dora": "use_dora",
    "init_weights": "init_lora_weights",
    "target_modules": "target_modules",
    "modules_to_save": "modules_to_save",
}
"""Option → attribute of the adapter's configuration in the model."""
GROUP = {"learning_rate": "initial_lr", "weight_decay": "weight_decay", "epsilon": "eps"}
"""Setting of the optimizer → key of its parameter groups."""


def settings(trainer: Any, args: Any, model: Any) -> dict[str, Any]:
    """Option → value, not yet normal. Options that this trainer does not have are left out."""
    return {
        **{name: getattr(args, name) for name in ARGUMENTS if hasattr(args, name)},
        **_warmup(args),
        "per_device_train_batch_size": args.train_batch_size,  # times the GPUs that one process spreads a batch over
        "world_size": args.world_size,
        **_model(model),
        **_adapter(model),
        **_optimizer(getattr(trainer, "optimizer", None)),
        **deepspeed(_deepspeed(args)),
    }


def trainable(model: Any) -> tuple[int, int]:
    """The parameters that training changes, and all of them; ZeRO-3 keeps the number of those it has spread out."""
    sizes = [(getattr(p, "ds_numel", None) or p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(size for size, trains in sizes if trains), sum(size for size, _ in sizes)


def _model(model: Any) -> dict[str, Any]:
    """How the model was loaded, as far as its configuration says so."""
    config = getattr(model, "config", None)
    found = {"torch_dtype": getattr(config, "dtype", None), "attn_impl": getattr(config, "_attn_implementation", None)}
    return {option: value for option, value in found.items() if value is not None}


def _warmup(args: Any) -> dict[str, Any]:
    """transformers 5 has one number for both: below one it is a part of all steps."""
    ratio = getattr(args, "warmup_ratio", None)
    steps = args.warmup_steps
    if ratio:
        return {"warmup_ratio": ratio}
    return {"warmup_ratio": steps if steps < 1 else None, "warmup_steps": steps}


def _adapter(model: Any) -> dict[str, Any]:
    """The configuration of the adapter that trains; nothing when the model has none."""
    configurations = getattr(model, "peft_config", None)
    if not configurations:
        return {}
    active = getattr(model, "active_adapter", "default")
    config = configurations.get(active) or next(iter(configurations.values()))
    found = {option: getattr(config, name, None) for option, name in LORA.items()}
    return {option: value for option, value in found.items() if value is not None}


def _optimizer(optimizer: Any) -> dict[str, Any]:
    """The values of all parameter groups, each once; a setting that not every group has is left out."""
    groups = list(getattr(optimizer, "param_groups", ()))
    found = {name: _each(group.get(key) for group in groups) for name, key in GROUP.items()}
    for place, name in enumerate(("beta1", "beta2")):
        found[name] = _each((group.get("betas") or (None, None))[place] for group in groups)
    return {f"{GROUPS}{name}": values for name, values in found.items() if values and None not in values}


def _each(values: Iterable[Any]) -> list[Any]:
    return sorted(set(values), key=lambda value: (value is None, value or 0))


def _deepspeed(args: Any) -> Any:
    """DeepSpeed's configuration: the trainer's own, or that of accelerate, which started it."""
    plugin = getattr(args, "deepspeed_plugin", None)
    own = getattr(args, "hf_deepspeed_config", None) or getattr(plugin, "hf_ds_config", None)
    return getattr(own, "config", None)
