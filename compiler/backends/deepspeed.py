"""DeepSpeed configurations: ZeRO stages 0 to 3 (arXiv:1910.02054), with and without offload to the CPU (arXiv:2101.06840).

What the trainer knows better stands as `auto`: transformers fills it from the command line.
"""

from __future__ import annotations

from typing import Any

BUCKET = 500_000_000
"""DeepSpeed's default bucket size, in elements."""


def config(name: str, overlap: bool = False) -> dict[str, Any]:
    """The configuration behind `zero0` … `zero3-offload`; `overlap` of communication with the backward pass."""
    stage, _, offload = name.removeprefix("zero").partition("-")
    return {
        "fp16": {
            "enabled": "auto",
            "loss_scale": 0,
            "loss_scale_window": 1000,
            "initial_scale_power": 16,
            "hysteresis": 2,
            "min_loss_scale": 1,
        },
        "bf16": {"enabled": "auto"},
        "zero_optimization": _zero(int(stage), bool(offload), overlap),
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "steps_per_print": 2000,
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "wall_clock_breakdown": False,
        **({"zero_force_ds_cpu_optimizer": False} if offload else {}),
    }


def _zero(stage: int, offload: bool, overlap: bool) -> dict[str, Any]:
    zero: dict[str, Any] = {"stage": stage}
    if stage == 0:
        return zero
    zero |= {"overlap_comm": overlap, "contiguous_gradients": True}
    zero |= {"reduce_bucket_size": "auto" if stage == 3 else BUCKET}
    if stage < 3:
        zero |= {"reduce_scatter": True, "allgather_partitions": True, "allgather_bucket_size": BUCKET}
    else:
        zero |= {
            "stage3_prefetch_bucket_size": "auto",
            "stage3_param_persistence_threshold": "auto",
            "stage3_max_live_parameters": 1_000_000_000,
            "stage3_max_reuse_distance": 1_000_000_000,
            "stage3_gather_16bit_weights_on_model_save": True,
            "sub_group_size": 1_000_000_000,
        }
    if offload:
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": True}
        if stage == 3:
            zero["offload_param"] = {"device": "cpu", "pin_memory": True}
    return zero
