"""What engines call the fields of the language, from the options of ms-swift, TRL, transformers, peft and accelerate.

A target is a path in a stage (`tuner.rank`) or in the recipe (`models.NAME.dtype`).
"""

from __future__ import annotations

_TUNER = {
    "tuner.kind": "train_type tuner_type sft_type finetuning_type peft_type use_peft use_lora",
    "tuner.rank": "lora_r lora_rank r lora_dim",
    "tuner.alpha": "lora_alpha",
    "tuner.dropout": "lora_dropout",
    "tuner.target_modules": "target_modules lora_target_modules lora_target lora_modules",
    "tuner.modules_to_save": "modules_to_save lora_modules_to_save",
    "tuner.bias": "lora_bias",
    "tuner.init": "init_weights init_lora_weights",
    "tuner.rank_stabilized": "use_rslora rslora",
    "tuner.dora": "use_dora",
    "tuner.bits": "quant_bits quantization_bit load_in_4bit load_in_8bit bits",
    "tuner.quantization": "quant_method quantization_method",
    "tuner.freeze.vision": "freeze_vit freeze_vision_tower freeze_vision",
    "tuner.freeze.aligner": "freeze_aligner freeze_projector freeze_multi_modal_projector",
    "tuner.freeze.language": "freeze_llm freeze_language_model",
}
_TRAINING = {
    "optimizer.name": "optim optimizer_type",
    "optimizer.learning_rate": "lr learning_rate base_lr peak_lr",
    "optimizer.vision_learning_rate": "vit_lr vision_lr",
    "optimizer.aligner_learning_rate": "aligner_lr projector_lr mm_projector_lr",
    "optimizer.schedule": "lr_scheduler_type lr_scheduler scheduler lr_schedule",
    "optimizer.warmup_ratio": "warmup_ratio warmup",
    "optimizer.warmup_steps": "warmup_steps num_warmup_steps",
    "optimizer.weight_decay": "weight_decay wd",
    "optimizer.betas": "adam_beta1 adam_beta2 adam_betas",
    "optimizer.epsilon": "adam_epsilon adam_eps eps",
    "optimizer.max_grad_norm": "max_grad_norm gradient_clipping grad_clip clip_grad",
    "batch.micro": "per_device_train_batch_size per_gpu_train_batch_size micro_batch_size train_batch_size batch_size "
    "train_micro_batch_size_per_gpu",
    "batch.global": "gradient_accumulation_steps grad_accum accumulation_steps accumulation global_batch_size "
    "effective_batch_size total_batch_size",
    "epochs": "num_train_epochs num_epochs n_epochs epoch",
    "max_steps": "train_steps num_train_steps total_steps",
    "max_length": "max_seq_length max_seq_len seq_len cutoff_len model_max_length block_size context_length",
    "too_long": "truncation_strategy truncation",
    "packing": "pack sample_packing",
    "precision": "mixed_precision",
    "gradient_checkpointing": "activation_checkpointing vit_gradient_checkpointing",
    "deepspeed": "deepspeed_config zero_stage zero zero_optimization",
    "evaluation.data": "val_dataset eval_dataset validation_dataset",
    "evaluation.every": "eval_steps eval_strategy evaluation_strategy eval_interval",
    "evaluation.micro_batch": "per_device_eval_batch_size per_gpu_eval_batch_size eval_batch_size",
    "checkpoints.every": "save_steps save_strategy save_interval",
    "checkpoints.keep": "save_total_limit",
    "checkpoints.select": "load_best_model_at_end",
    "checkpoints.metric": "metric_for_best_model",
    "checkpoints.higher_is_better": "greater_is_better",
    "early_stopping.patience": "early_stop_interval early_stopping_patience early_stop patience",
    "logging.every": "logging_steps logging_strategy log_interval log_steps",
    "logging.trackers": "report_to tracker trackers",
    "logging.project": "swanlab_project wandb_project",
    "logging.http.url": "base_url callback_url report_url webhook",
    "logging.http.task": "task_id job_id",
    "classes": "num_labels num_classes n_classes",
    "multi_label": "problem_type multilabel",
    "overlap_comm": "overlap_communication",
    "temperature": "infonce_temperature",
    "in_batch_negatives": "infonce_use_batch use_batch",
    "hard_negatives": "infonce_hard_negatives",
}
_ALIGNMENT = {
    "generations": "num_generations group_size num_return_sequences",
    "max_prompt_length": "prompt_length max_prompt_len",
    "max_completion_length": "response_length completion_length",
    "iterations": "num_iterations",
    "epsilon": "clip_range cliprange epsilon_low",
    "epsilon_high": "clip_range_high",
    "beta": "kl_coef kl_coeff dpo_beta",
    "rewards": "reward_funcs reward_functions reward_func reward_weights external_plugins",
    "scale_rewards": "reward_scaling",
    "sft_weight": "rpo_alpha",
    "adapter": "adapters ref_adapters ref_model",
    "rollout.engine": "use_vllm",
    "rollout.mode": "vllm_mode",
    "rollout.gpu_memory_utilization": "vllm_gpu_memory_utilization",
    "rollout.tensor_parallel": "vllm_tensor_parallel_size",
    "rollout.enforce_eager": "vllm_enforce_eager",
    "rollout.sleep": "sleep_level vllm_enable_sleep_mode",
    "rollout.host": "vllm_server_host",
    "rollout.port": "vllm_server_port",
}
_RECIPE = {
    "datasets.NAME.columns.answer": "chosen solution",
    "datasets.NAME.columns.rejected": "rejected_response",
    "models.NAME.id": "model_id model_name model_name_or_path pretrained_model_name_or_path base_model",
    "models.NAME.revision": "model_revision",
    "models.NAME.hub": "use_hf use_modelscope hub_source",
    "models.NAME.type": "model_type",
    "models.NAME.template": "template chat_template template_type",
    "models.NAME.dtype": "torch_dtype dtype bf16 fp16 model_dtype",
    "models.NAME.attention": "attn_impl attn_implementation use_flash_attn flash_attn attention_implementation",
    "models.NAME.max_pixels": "max_pixels image_max_pixels",
    "models.NAME.min_pixels": "min_pixels image_min_pixels",
    "datasets.NAME.split.validation": "split_dataset_ratio dataset_test_ratio val_ratio validation_split test_size",
    "datasets.NAME.system": "system system_prompt",
    "datasets.NAME.prompt": "prompt query instruction",
    "hardware.gpus": "nproc_per_node num_gpus n_gpus n_gpu num_processes gpus_per_node",
    "hardware.nodes": "nnodes num_nodes num_machines",
    "hardware.threads": "omp_num_threads num_threads",
    "seed": "data_seed random_seed random_state",
    "max_new_tokens": "max_tokens max_completion_length max_generation_length",
    "data": "dataset train_dataset train_data train_file",
}

SYNONYMS: dict[str, str] = {
    name: target
    for table in (_TUNER, _TRAINING, _ALIGNMENT, _RECIPE)
    for target, names in table.items()
    for name in names.split()
}
"""An engine's option → our field."""

NOTES: dict[str, str] = {
    **dict.fromkeys(
        ("gradient_accumulation_steps", "grad_accum", "accumulation_steps", "accumulation"),
        "accumulation is derived from it",
    ),
    **dict.fromkeys(("save_steps", "eval_steps", "logging_steps"), "with its unit, such as `500 steps`"),
    **dict.fromkeys(("bf16", "fp16"), "`bfloat16`, `float16` or `float32`"),
    "output_dir": "remove it: a stage writes to outputs/RECIPE/STAGE",
    "logging_dir": "remove it: logs stand beside the checkpoints of the stage",
    "resume_from_checkpoint": "remove it: a run that was cut goes on by itself",
    "overwrite_output_dir": "remove it: `recipe run --force` starts over",
    "cuda_visible_devices": "remove it: `recipe run --gpus 0,1` chooses the GPUs",
    "device_map": "remove it: the launcher places the model",
    "master_addr": "remove it: the launcher sets it",
    "master_port": "remove it: the launcher sets it",
}
"""An engine's option → what else there is to say, or what to do where we have no field for it."""

VALUES: dict[str, str] = {
    **dict.fromkeys(("bf16", "torch.bfloat16", "brain"), "bfloat16"),
    **dict.fromkeys(("fp16", "half", "torch.float16"), "float16"),
    **dict.fromkeys(("fp32", "float", "torch.float32", "full_precision"), "float32"),
    **dict.fromkeys(("flash_attn", "flash", "flash_attention", "fa2", "flash_attn_2"), "flash_attention_2"),
    **dict.fromkeys(("fa3", "flash_attn_3"), "flash_attention_3"),
    **dict.fromkeys(("swift", "ms_swift", "modelscope_swift"), "ms-swift"),
    **dict.fromkeys(("hf", "hugging_face"), "huggingface"),
    **dict.fromkeys(("ms", "model_scope"), "modelscope"),
    **dict.fromkeys(("tb",), "tensorboard"),
    **dict.fromkeys(("bitsandbytes",), "bnb"),
    **dict.fromkeys(("qlora", "adapter", "peft"), "lora"),
    **dict.fromkeys(("full_finetune", "all", "freeze"), "full"),
    **dict.fromkeys(("finetune", "fine_tune", "train", "supervised"), "sft"),
    **dict.fromkeys(("infer", "inference", "generate"), "predict"),
    **dict.fromkeys(("eval", "score", "metrics"), "evaluate"),
    **dict.fromkeys(("merge_lora",), "merge"),
    **dict.fromkeys(("preference", "preferences", "chosen_rejected"), "prefer"),
    **dict.fromkeys(("prompt", "prompts", "solution"), "solve"),
    **dict.fromkeys(("accuracy_reward", "exact_match"), "exact"),
    **dict.fromkeys(("seq_cls", "classification", "classifier"), "classify"),
    **dict.fromkeys(("multi_label_classification", "tags"), "tag"),
    **dict.fromkeys(("embedding", "infonce", "contrastive"), "embed"),
    **dict.fromkeys(("mean_average_precision",), "map"),
    **dict.fromkeys(("imagefolder", "images", "image"), "image-folder"),
    **dict.fromkeys(("json", "ndjson"), "jsonl"),
    **dict.fromkeys(("acc",), "accuracy"),
}
"""An engine's value → ours, for `nearest(value, choices, VALUES)`."""
