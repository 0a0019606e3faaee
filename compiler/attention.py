"""Which attention kernel `attention: auto` is: the best one that the toolchain, the hardware and the model's code have."""

from __future__ import annotations

import re
from collections.abc import Mapping

from schema.hardware import Hardware
from schema.models import ModelSpec

FLASH = "flash-attn"
KERNELS = {"flash_attention_2": FLASH, "flash_attention_3": "flash-attn-3"}
"""Kernel → the package that it is part of; the others are part of torch."""

EAGER_ONLY = frozenset({"cogagent_chat", "cogagent_vqa", "cogvlm", "cogvlm2", "cogvlm2_video"})
"""Model types whose own code declares no other kernel, so that transformers refuses to load it with one."""

OLDER = {
    "Pascal": r"P100|P40|P4|GTX ?10\d0",
    "Volta": r"V100S?|TITAN V",
    "Turing": r"T4|TITAN RTX|(RTX ?)?20[678]0|GTX ?16\d0",
}
"""Generation → names of its GPUs; flash-attn 2 has no kernels for these (its README)."""
NEWER = {
    "Ampere": r"A100|A800|A10G?|A16|A2|A30|A40|(RTX ?)?A[2456]000|(RTX ?)?30[5-9]0",
    "Ada": r"L4|L20|L40S?|(RTX ?)?40[6-9]0D?|RTX ?\d000 ADA",
    "Hopper": r"H20|H100|H200|H800|GH200",
    "Blackwell": r"G?B[123]00|(RTX ?)?50[6-9]0D?|RTX PRO \d000",
}
"""The same of those that it runs on."""


def attention(spec: ModelSpec, type: str, hardware: Hardware, packages: Mapping[str, str]) -> tuple[str, str]:
    """The kernel that a model runs with, and why.

    Args:
        type: The model's type.
        packages: Package → version of the toolchain that runs it.
    """
    if spec.attention != "auto":
        return spec.attention, "as the recipe says"
    if type in EAGER_ONLY:
        return "eager", f"the code of {type} declares no other"
    lacks = _lacks(spec, hardware, packages)
    if lacks:
        return "sdpa", lacks
    return (
        "flash_attention_2",
        f"the toolchain has {FLASH} {packages[FLASH]}, and {hardware.gpu} is {generation(hardware)}",
    )


def _lacks(spec: ModelSpec, hardware: Hardware, packages: Mapping[str, str]) -> str:
    """Why flash-attn cannot be; empty where it can."""
    if FLASH not in packages:
        return f"the toolchain has no {FLASH}"
    if hardware.gpus == 0:
        return f"{FLASH} needs a GPU"
    if spec.dtype == "float32":
        return f"{FLASH} takes no float32"
    found = generation(hardware)
    if found in NEWER:
        return ""
    told = "the recipe names no GPU" if hardware.gpu is None else f"{hardware.gpu} is {found or 'not known'}"
    return f"{FLASH} needs Ampere or newer, and {told}"


def generation(hardware: Hardware) -> str | None:
    """The generation of the GPUs; None where the recipe names none, or one that is not known.

    >>> generation(Hardware(gpu="NVIDIA A100-SXM4-80GB")), generation(Hardware(gpu="V100")), generation(Hardware(gpu="X"))
    ('Ampere', 'Volta', None)
    """
    name = (hardware.gpu or "").upper()
    return next((gen for gen, names in {**OLDER, **NEWER}.items() if re.search(rf"\b({names})\b", name)), None)
