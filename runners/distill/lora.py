"""Adapters in a student's network (peft), and folding them in again. The head is always trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runners.distill.students.base import Student


def inject(student: Student, lora: Mapping[str, Any]) -> Any:
    """Put adapters of random weights into `student.network`; peft's view of it, None where the rank is 0."""
    if lora["rank"] == 0:
        return None
    from peft import LoraConfig
    from peft.tuners.lora import LoraModel
    from torch.nn import Conv2d

    config = LoraConfig(
        r=lora["rank"],
        lora_alpha=lora["alpha"],
        lora_dropout=lora["dropout"],
        target_modules=list(lora["target_modules"]),
        # `proj` is also what a ViT calls the convolution that cuts a picture into patches.
        exclude_modules=[name for name, module in student.network.named_modules() if isinstance(module, Conv2d)],
        bias=lora["bias"],
    )
    adapted = LoraModel(student.network, config, "default")
    student.network.head.requires_grad_(True)
    return adapted


def fold(student: Student, adapted: Any) -> None:
    """Fold the adapters into the weights; the network is what it was before, with other weights."""
    if adapted is not None:
        student.network = adapted.merge_and_unload()
