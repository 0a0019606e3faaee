"""accelerate's configuration of a launch, and the launcher that reads it.

What TRL's trainer says itself (steps of accumulation, mixed precision, clipping) stands in its options and not here:
accelerate refuses a second say beside a DeepSpeed file.
"""

from __future__ import annotations

from typing import Any

from compiler.plan import Command, FilePath, Plan, StagePlan, Value, Variable
from schema.hardware import Hardware

NAME = "accelerate"


def config(hardware: Hardware, deepspeed: str | None) -> dict[str, Any]:
    """The content of `accelerate launch --config_file`."""
    sharded = {
        "deepspeed_config": {
            "deepspeed_multinode_launcher": "standard",  # torchrun's way; the others need passwords and host lists
            "zero3_init_flag": (deepspeed or "").startswith("zero3"),
        }
    }
    return {
        "compute_environment": "LOCAL_MACHINE",
        "debug": False,
        "distributed_type": "DEEPSPEED" if deepspeed else "MULTI_GPU" if hardware.world > 1 else "NO",
        "enable_cpu_affinity": False,
        "machine_rank": 0,
        "main_training_function": "main",
        "num_machines": hardware.nodes,
        "num_processes": hardware.world,
        "rdzv_backend": "static",
        "same_network": True,
        "use_cpu": hardware.gpus == 0,
        **(sharded if deepspeed else {}),
    }


def launcher(plan: Plan, planned: StagePlan, deepspeed: str | None) -> Command:
    """`accelerate launch` with its files; on several machines the cluster says which one this is."""
    beside = f"{plan.pipeline}/{planned.name}"
    options: dict[str, Value] = {"config_file": FilePath(NAME, f"{beside}.{NAME}.json")}
    if deepspeed:
        options["deepspeed_config_file"] = FilePath("deepspeed", f"{beside}.deepspeed.json")
    if plan.instance.recipe.hardware.nodes > 1:
        options |= {
            "machine_rank": Variable("NODE_RANK"),
            "main_process_ip": Variable("MASTER_ADDR"),
            "main_process_port": Variable("MASTER_PORT"),
        }
    return Command(("accelerate", "launch"), options, (NAME, "launch"))
