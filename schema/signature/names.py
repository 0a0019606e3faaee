"""Names of options that people write: those of older versions, and those that a recipe has a field for."""

from __future__ import annotations

from collections.abc import Iterable

from schema.synonyms import SYNONYMS

RENAMED = {
    # ms-swift 3 → 4
    "train_type": "tuner_type",
    "metric": "eval_metric",
    "gpu_memory_utilization": "vllm_gpu_memory_utilization",
    "tensor_parallel_size": "vllm_tensor_parallel_size",
    "pipeline_parallel_size": "vllm_pipeline_parallel_size",
    "data_parallel_size": "vllm_data_parallel_size",
    "enable_expert_parallel": "vllm_enable_expert_parallel",
    "max_num_seqs": "vllm_max_num_seqs",
    "enforce_eager": "vllm_enforce_eager",
    "disable_custom_all_reduce": "vllm_disable_custom_all_reduce",
    "limit_mm_per_prompt": "vllm_limit_mm_per_prompt",
    "max_lora_rank": "vllm_max_lora_rank",
    "enable_prefix_caching": "vllm_enable_prefix_caching",
    "use_async_engine": "vllm_use_async_engine",
    "tp": "lmdeploy_tp",
    "session_len": "lmdeploy_session_len",
    "cache_max_entry_count": "lmdeploy_cache_max_entry_count",
    "quant_policy": "lmdeploy_quant_policy",
    "vision_batch_size": "lmdeploy_vision_batch_size",
    "tp_size": "sglang_tp_size",
    "dp_size": "sglang_dp_size",
    "context_length": "sglang_context_length",
    "mem_fraction_static": "sglang_mem_fraction_static",
    "multi_turn_func": "multi_turn_scheduler",
    # ms-swift 2
    "sft_type": "tuner_type",
    "model_id_or_path": "model",
    "template_type": "template",
    "dtype": "torch_dtype",
    "use_flash_attn": "attn_impl",
    "quantization_bit": "quant_bits",
    "lora_target_modules": "target_modules",
    "lora_dropout_p": "lora_dropout",
    "lora_bias_trainable": "lora_bias",
    "lora_lr_ratio": "lorap_lr_ratio",
    "batch_size": "per_device_train_batch_size",
    "eval_batch_size": "per_device_eval_batch_size",
    "acc_steps": "gradient_accumulation_steps",
    "dataset_test_ratio": "split_dataset_ratio",
    "dataset_seed": "data_seed",
    "custom_train_dataset_path": "dataset",
    "custom_val_dataset_path": "val_dataset",
    "system_prompt": "system",
    "ckpt_dir": "adapters",
    "deepspeed_config_path": "deepspeed",
    "max_steps_per_epoch": "max_steps",
    # transformers 4 → 5
    "evaluation_strategy": "eval_strategy",
    "no_cuda": "use_cpu",
    "save_safetensors": "safe_serialization",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "per_gpu_eval_batch_size": "per_device_eval_batch_size",
    "include_tokens_per_second": "include_num_input_tokens_seen",
    # other tools
    "lr": "learning_rate",
    "wd": "weight_decay",
    "epochs": "num_train_epochs",
    "num_epochs": "num_train_epochs",
    "lora_r": "lora_rank",
    "r": "lora_rank",
    "lr_scheduler": "lr_scheduler_type",
    "scheduler": "lr_scheduler_type",
    "warmup": "warmup_ratio",
    "gradient_clipping": "max_grad_norm",
    "max_seq_length": "max_length",
    "max_seq_len": "max_length",
    "model_max_length": "max_length",
    "cutoff_len": "max_length",
    "early_stopping_patience": "early_stop_interval",
    "flash_attn": "attn_impl",
    "attn_implementation": "attn_impl",
    "finetuning_type": "tuner_type",
    "lora_target": "target_modules",
    "load_in_4bit": "quant_bits",
    "load_in_8bit": "quant_bits",
    "precision": "torch_dtype",
    "per_device_batch_size": "per_device_train_batch_size",
    "num_workers": "dataloader_num_workers",
    "prompt": "system",
    "max_prompt_length": "max_length",
    "do_sample": "temperature",
}
"""A name that no longer exists, or is another tool's → the option of ms-swift 4.6. Edit distance cannot find these."""

FIELDS = SYNONYMS | {
    "model": "model",
    "val_dataset": "evaluation.data",
    "max_batch_size": "batch",
    **{name: name for name in ("max_new_tokens", "max_steps", "packing", "seed", "temperature", "top_p")},
    **{name: name for name in ("deepspeed", "gradient_checkpointing", "max_length")},
}
"""Option of an engine → the field of a recipe that says it, in a stage or from the top of the recipe."""


def near(name: str, known: Iterable[str], count: int = 1) -> list[str]:
    """The known names that look most like one, best first.

    >>> near("learning_rte", ["seed", "learning_rate"])
    ['learning_rate']
    """
    from difflib import get_close_matches  # only when something is wrong

    return get_close_matches(name, list(known), count, 0.7)
