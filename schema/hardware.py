"""Hardware: the shape of the machine a recipe is written for.

hardware: {nodes: 1, gpus: 8, gpu: H100, gpu_memory: 80GiB}
"""

from pydantic import Field

from schema.base import Model, Positive, Size


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
