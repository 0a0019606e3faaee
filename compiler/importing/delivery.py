"""Smaller numbers and servers: which option of `swift export`, `swift deploy` and `vllm serve` is which field."""

from __future__ import annotations

from compiler.importing.draft import Draft, Path
from compiler.importing.left import Given

BY_OPTION: dict[str, dict[str, Path]] = {
    "quantize": {
        "quant_method": ("method",),
        "quant_bits": ("bits",),
        "group_size": ("group_size",),
        "quant_n_samples": ("samples",),
        "max_length": ("max_length",),
    },
    "deploy": {
        "infer_backend": ("backend",),
        "max_batch_size": ("max_concurrent",),
        "vllm_max_num_seqs": ("max_concurrent",),
        "vllm_max_model_len": ("max_model_length",),
        "max_length": ("max_model_length",),
        "vllm_gpu_memory_utilization": ("gpu_memory",),
        "vllm_tensor_parallel_size": ("tensor_parallel",),
        "port": ("port",),
    },
}
"""Kind of a stage → option of ms-swift → field."""
OF_VLLM: dict[str, dict[str, Path]] = {
    "deploy": {
        "max_num_seqs": ("max_concurrent",),
        "max_num_batched_tokens": ("max_batched_tokens",),
        "max_model_len": ("max_model_length",),
        "gpu_memory_utilization": ("gpu_memory",),
        "tensor_parallel_size": ("tensor_parallel",),
        "port": ("port",),
    }
}
"""The same of `vllm serve`."""
PLACEHOLDER = "data/questions.jsonl"
"""The rows of which a server is asked the first, until somebody says others."""
SERVERS = {
    ("swift", "rollout"): "a `grpo` stage says where it is: `rollout: {engine: vllm, mode: server, host: …}`",
    ("trl", "vllm-serve"): "a `grpo` stage says where it is: `rollout: {engine: vllm, mode: server, host: …}`",
    ("swift", "eval"): "stages `predict` and `evaluate` do that for data of the recipe",
}
"""Command → what a recipe has instead of a stage for it."""


def question(draft: Draft, trained: str | None) -> str | None:
    """Rows that a server can be asked one of: those of a training, or others that are prepared; None without any."""
    kinds = {path[1]: entry.value for path, entry in draft.placed.items() if path[2:] == ("kind",)}
    said = draft.placed.get(("stages", trained or "", "data"))
    if said is not None and isinstance(said.value, str):
        return said.value
    prepared = [name for name, kind in kinds.items() if kind == "prepare"]
    return f"{prepared[0]}.train" if prepared else None


def positional(given: dict[str, Given], model: Given | None) -> dict[str, Given]:
    """Options of `vllm serve` with the model, which it takes without a name."""
    return given | ({"model": model} if model is not None else {})
