"""The one list of what cannot change a result and so is no part of a stage's identity, each with its reason."""

from __future__ import annotations

IGNORED_OPTIONS: dict[str, str] = {
    "output_dir": "a place",
    "result_path": "a place",
    "to": "a place",
    "from": "a place within the working folder",
    "raw": "a place within the working folder",
    "evaluation": "a place within the working folder",
    "add_version": "shapes the name of the output folder",
    "create_checkpoint_symlink": "links beside the checkpoints",
    "resume_from_checkpoint": "a run that goes on ends with the same bytes as one that was not cut",
    "save_total_limit": "how many old checkpoints stay; the selected one always does",
    "logging_steps": "how often the log is written",
    "logging_strategy": "how often the log is written",
    "logging_dir": "a place",
    "report_to": "who is told",
    "run_name": "a label",
    "served_model_name": "a label",
    "served-model-name": "a label",
    "project": "a label",
    "swanlab_project": "a label",
    "swanlab_exp_name": "a label",
    "check_model": "asks the hub and warns",
    "dataset_num_proc": "workers keep the order of rows",
    "dataloader_num_workers": "workers keep the order of rows, and do not live on between epochs",
    "dataloader_prefetch_factor": "how far workers read ahead",
    "dataloader_pin_memory": "how batches travel to the GPU",
    "ddp_timeout": "when a hanging process is given up",
    "vllm_server_host": "a place",
    "vllm_server_port": "a place",
    "exist_ok": "the output folder is always new",
}

IGNORED_ENVIRONMENT: dict[str, str] = {
    "HF_HUB_OFFLINE": "models and data are local",
    "MODELSCOPE_CACHE": "a place",
    "TOKENIZERS_PARALLELISM": "threads of the tokenizer; its output is the same",
    "CUDA_VISIBLE_DEVICES": "which GPUs; how many of them is in the launch",
    "ROOT_IMAGE_DIR": "a place; the pictures in it belong to the data",
}
