"""Hardware: the shape of the machine a recipe is written for.

hardware: {nodes: 1, gpus: 8, gpu: H100, gpu_memory: 80GiB}
"""

import re

from pydantic import Field

from schema.base import Model, Positive, Size

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


class Hardware(Model):
    """Machines of one kind. Which GPUs of a machine are used is said where the recipe runs, not here."""

    nodes: Positive = 1
    """Machines that train together."""
    gpus: int = Field(1, ge=0)
    """GPUs of each machine; 0 runs on the CPU."""
    gpu: str | None = Field(None, min_length=1, examples=["A100", "RTX 4090"])
    """The model of the GPUs."""
    gpu_memory: Size | None = None
    """Memory of one GPU."""
    threads: Positive = 4
    """CPU threads of each process. It can change the last bits of a result, so it is part of the recipe."""

    @property
    def processes(self) -> int:
        """Processes of one machine: one for each GPU, or one on the CPU."""
        return max(self.gpus, 1)

    @property
    def world(self) -> int:
        """Processes of all machines."""
        return self.nodes * self.processes


def generation(hardware: Hardware) -> str | None:
    """The generation of the GPUs; None where the recipe names none, or one that is not known.

    >>> generation(Hardware(gpu="NVIDIA A100-SXM4-80GB")), generation(Hardware(gpu="V100")), generation(Hardware(gpu="X"))
    ('Ampere', 'Volta', None)
    """
    name = (hardware.gpu or "").upper()
    return next((gen for gen, names in {**OLDER, **NEWER}.items() if re.search(rf"\b({names})\b", name)), None)
