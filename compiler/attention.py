"""Which attention kernel `attention: auto` is: the best one that the toolchain, the hardware and the model's code have."""

from __future__ import annotations

from collections.abc import Mapping

from schema.hardware import NEWER, Hardware, generation
from schema.models import ModelSpec

FLASH = "flash-attn"
KERNELS = {"flash_attention_2": FLASH, "flash_attention_3": "flash-attn-3"}
"""Kernel → the package that it is part of; the others are part of torch."""

EAGER_ONLY = frozenset({"cogagent_chat", "cogagent_vqa", "cogvlm", "cogvlm2", "cogvlm2_video"})
"""Model types whose own code declares no other kernel, so that transformers refuses to load it with one."""


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
