"""Launchers: accelerate, DeepSpeed's and torch's. What they say of hardware is the recipe's, the rest is compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from compiler.importing.call import Call, Calls, by_name
from compiler.importing.files import read_mapping
from compiler.importing.left import Given, Left
from compiler.plan import StagePlan
from schema.yaml_core import resolve

LAUNCHERS = {
    ("accelerate", "launch"): ("accelerate", "launch"),
    ("deepspeed",): ("deepspeed", "deepspeed"),
    ("torchrun",): ("torch", "torchrun"),
    ("python", "-m", "torch.distributed.run"): ("torch", "torchrun"),
    ("python", "-m", "torch.distributed.launch"): ("torch", "torchrun"),
    ("python", "-m", "accelerate.commands.launch"): ("accelerate", "launch"),
}
PLACED = {
    "num_processes": "num_processes",
    "num_machines": "nnodes",
    "num_nodes": "nnodes",
    "nnodes": "nnodes",
    "num_gpus": "nproc_per_node",
    "nproc_per_node": "nproc_per_node",
    "mixed_precision": "mixed_precision",
    "gradient_accumulation_steps": "gradient_accumulation_steps",
    "gradient_clipping": "max_grad_norm",
    "deepspeed_config_file": "deepspeed",
    "zero_stage": "zero_stage",
    "offload_optimizer_device": "offload_optimizer_device",
    "offload_param_device": "offload_param_device",
    "cpu": "use_cpu",
    "use_cpu": "use_cpu",
}
"""Option of a launcher, or key of its configuration → the name under which it is looked at later."""
SAID = {
    "module": "the recipe's engine starts itself",
    "use_deepspeed": "`deepspeed` of the stage says it",
    "distributed_type": "the hardware of the recipe and `deepspeed` of the stage say it",
    "compute_environment": "a recipe is not bound to one",
    "multi_gpu": "`hardware` of the recipe says it",
    "standalone": "the launcher is started for one machine when `hardware.nodes` is 1",
    **dict.fromkeys(
        ("main_process_port", "main_process_ip", "master_addr", "master_port", "node_rank", "machine_rank"),
        "the launcher, or the cluster, sets it when the recipe runs",
    ),
    **dict.fromkeys(("gpu_ids", "include"), "`recipe run --gpus` chooses the GPUs"),
}
OF_DEEPSPEED = {"zero3_save_16bit_model": ("zero_optimization", "stage3_gather_16bit_weights_on_model_save")}
"""Key of accelerate's configuration → where DeepSpeed's own says it."""
NOTHING = ("auto", "none", "null", "[]", "{}")
"""Values of a configuration that leave a thing to the trainer, or to nobody."""
_LOCAL_GPUS = re.compile(r"localhost:(\d+(?:,\d+)*)\Z")
_OWN_CONFIGURATION = {"zero1": "1", "zero2": "2", "zero3": "3", "multi_gpu": "", "single_gpu": ""}
"""Configuration that TRL brings for `--accelerate_config` → its ZeRO stage."""


def options_of(found: Calls, own: list[Given], folder: Path) -> tuple[dict[str, Given], dict[str, Given]]:
    """What a launcher and its configuration file say of hardware, precision and accumulation; and the rest."""
    given = by_name(own)
    config = given.pop("config_file", None)
    configured = read(found, config, folder) if config is not None else []
    placed: dict[str, Given] = {}
    rest: dict[str, Given] = {}
    for option in [*(replace(one, name=one.written.rpartition(".")[2]) for one in configured), *given.values()]:
        name = PLACED.get(option.name)
        if option.name == "include" and (local := _LOCAL_GPUS.match(option.value)):
            placed["nproc_per_node"] = replace(option, name="nproc_per_node", values=(str(local[1].count(",") + 1),))
        elif name is None or option.value.lower() == "auto":
            rest[option.name or option.written] = option
        else:
            if name in placed:
                found.left.append(
                    placed[name].left(
                        f"line {option.place.line} of the command gives it again, and the last one counts"
                    )
                )
            told = f"`{option.name}` is `{name}` of the engine" if name == "max_grad_norm" else ""
            placed[name] = replace(option, name=name, renamed=told)
    return placed, rest


def read(found: Calls, config: Given, folder: Path) -> list[Given]:
    """What a configuration file says."""
    options, left = read_mapping(config, folder)
    found.left += left or [config.left("it was read, and what it says is listed with its own lines", "R0735")]
    return options


def of_trl(named: Given) -> list[Given]:
    """What a configuration says that TRL brings itself; empty for another name."""
    stage = _OWN_CONFIGURATION.get(named.value)
    if stage is None:
        return []
    said = {"num_processes": "8" if named.value != "single_gpu" else "1", "mixed_precision": "bf16"}
    said |= {"zero_stage": stage} if stage else {}
    return [replace(named, name=name, written=name, values=(value,)) for name, value in said.items()]


def outcome(call: Call, given: Given, stage: StagePlan) -> Left | None:
    """What became of an option of a launcher: nothing to tell where the compiled launch has it with the same value."""
    if given.odd and given.name not in SAID:
        return given.left(given.odd)
    if _compiled(given, stage):
        return None
    if given.name in SAID:
        return given.left(SAID[given.name], "R0735")
    if given.value.lower() in NOTHING or not given.values:
        return given.left("it leaves this to the trainer", "R0735")
    return given.left("it is the launcher's, and recipes have no field for it")


def _compiled(given: Given, stage: StagePlan) -> bool:
    """Whether a compiled configuration of accelerate or DeepSpeed says the same."""
    files = stage.launch.files
    known: Mapping[str, Any] = files.get("accelerate", {})
    known = {**known, **known.get("deepspeed_config", {})}
    path = OF_DEEPSPEED.get(given.name)
    if path is not None:
        known = {given.name: files.get("deepspeed", {}).get(path[0], {}).get(path[1])}
    try:
        return given.name in known and known[given.name] == _plain(given.value)
    except ValueError:
        return False


def _plain(text: str) -> Any:
    """A value as YAML 1.2 has it; launchers write booleans with capitals, too."""
    return {"True": True, "False": False}.get(text, resolve(text) if text else text)
