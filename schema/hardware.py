"""Hardware: the shape of the machine a recipe is written for.

hardware: {nodes: 1, gpus: 8, gpu: H100, gpu_memory: 80GiB}
"""

import re

from pydantic import Field

from schema.base import Model, Positive, Size

OLDER = {
    "Kepler": r"K20|K40|K80",
    "Maxwell": r"M40|M60",
    "Pascal": r"P100|P40|P4|GTX ?10\d0",
    "Volta": r"V100S?|TITAN V",
    "Turing": r"T4|TITAN RTX|(RTX ?)?20[678]0|GTX ?16\d0|QUADRO RTX ?\d000",
}
"""Generation → names of its GPUs; flash-attn 2 has no kernels for these (its README), and none of them computes in bfloat16."""
NEWER = {
    "Ampere": r"A100X?|A800|A10[GM]?|A16|A2|A30|A40|(RTX ?)?A([12456]000|4500|5500)|(RTX ?)?30[5-9]0",
    "Ada": r"L4|L20|L40[GS]?|(RTX ?)?40[6-9]0D?|RTX ?\d000 ADA",
    "Hopper": r"H20|H100|H200|H800|GH200",
    "Blackwell": r"G?B[123]00|(RTX ?)?50[6-9]0D?|RTX PRO \d000",
}
"""The same of those that it runs on."""
USUAL = "V100 2080 A100 A800 A10 A10G A30 A40 A6000 3090 L20 L40 L40S 4090 H20 H100 H200 H800 B200 5090"
"""Names that a name which is not known may be a slip of."""


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
    name = (hardware.gpu or "").upper().replace("_", " ")
    known = {**OLDER, **NEWER}.items()
    return next((gen for gen, names in known if re.search(rf"(?<!BI-)\b({names})( ?TI| ?SUPER)?\b", name)), None)


def misspelt(gpu: str) -> str | None:
    """The usual GPU whose name differs in one character from a name that is not known; None for any other free name.

    The first letter is no slip: it tells makers and families apart.

    >>> misspelt("A-100"), misspelt("H10O"), misspelt("NVIDIA V10"), misspelt("RTX 4900")
    ('A100', 'H100', 'V100', '4090')
    >>> [misspelt(other) for other in ("MI300X", "TPU v5e", "DCU Z100", "K100_AI", "BI-V100", "Kunlun R200", "P800", "T10")]
    [None, None, None, None, None, None, None, None]
    """
    from rapidfuzz.distance import OSA  # only here: most recipes name a GPU that is known, or none

    if generation(Hardware.model_construct(gpu=gpu)) is not None:
        return None
    plain = re.sub(r"[^A-Z0-9 ]|RTX|GTX", "", gpu.upper().replace("_", " "))
    words = [word for word in (*plain.split(), plain.replace(" ", "")) if any(map(str.isdigit, word))]
    close = [(OSA.distance(word, name), name) for word in words for name in USUAL.split() if word[0] == name[0]]
    distance, name = min(close, default=(2, ""))
    return name if distance < 2 else None
