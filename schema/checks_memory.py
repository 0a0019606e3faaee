"""The rule that what training keeps on a GPU fits it: a lower bound, so that what it warns of cannot work.

Weights, gradients and the optimizer's state alone, as ZeRO counts and shards them (arXiv:1910.02054, section 3.1); pictures,
activations, buffers and what the allocator loses come on top. A model's size is what its name says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from schema.base import bytes_of
from schema.context import Context, Rule
from schema.diagnostics import Diagnostic
from schema.models import ModelSpec
from schema.training import TrainingStage
from schema.tuner import FullTuner, LoraTuner

BILLIONS = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)B(?![a-z])", re.IGNORECASE)
PACKED = re.compile(r"awq|gptq|gguf|hqq|mlx|fp[48]|nf4|bnb|int[48]|[2-8]-?bit|w[48]a|gpt-oss", re.IGNORECASE)
"""Names of weights that are quantised already."""
NAMED = 0.95
"""Of what a name says, so much is there at least: Llama 3.2 Vision 11B has 10.67 billion weights, Qwen2.5-0.5B 0.494."""
UNFROZEN = 0.7
"""Of a model whose vision tower is frozen, so much is trained at least: 1.54 of the 2.2 billion of Qwen2-VL-2B."""
BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}
ELSEWHERE = {"optim", "deepspeed", "fsdp", "fsdp_config", "device_map", "quant_bits", "load_in_4bit", "load_in_8bit"}
"""Options of engines that change what lies on a GPU."""
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes on each GPU, at least."""

    weights: float
    gradients: float
    states: float

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.states

    def __str__(self) -> str:
        """As people say it.

        >>> print(Kept(14 * GIB, 0, 0)), print(Kept(2 * GIB, GIB, GIB))
        14 GiB of weights
        4 GiB (2 of weights, 1 of gradients, 1 of the optimizer)
        (None, None)
        """
        parts = {"weights": self.weights, "gradients": self.gradients, "the optimizer": self.states}
        told = [f"{part / GIB:.0f} of {name}" for name, part in parts.items() if part >= GIB / 2]
        if len(told) == 1:
            return told[0].replace(" of", " GiB of", 1)
        return f"{self.total / GIB:.0f} GiB ({', '.join(told)})"


def billions(id: str) -> float | None:
    """The weights of a model, in billions, as its name says; None where it does not.

    >>> billions("Qwen/Qwen2-VL-7B-Instruct"), billions("Qwen/Qwen3-30B-A3B"), billions("google/gemma-3-4b-it")
    (7.0, 30.0, 4.0)
    >>> billions("tiny/qwen2-vl"), billions("openbmb/MiniCPM-V-2_6")
    (None, None)
    """
    found = [float(number) for number in BILLIONS.findall(id.rpartition("/")[2])]
    return max(found, default=None)


def kept(stage: TrainingStage, spec: ModelSpec, world: int) -> Kept | None:
    """What a stage keeps on each of `world` GPUs; None where the model's name does not tell its size."""
    size = billions(spec.id)
    if size is None or spec.path or PACKED.search(spec.id) or ELSEWHERE & stage.engine.args.keys():
        return None
    count, each = size * NAMED * 1e9, BYTES[spec.dtype]
    zero, _, offload = (stage.deepspeed or "zero0").removeprefix("zero").partition("-")
    level, share = int(zero), 1 / world
    weights = count * (stage.tuner.bits / 8 if isinstance(stage.tuner, LoraTuner) and stage.tuner.bits else each)
    weights *= (0 if offload else share) if level == 3 else 1
    if not isinstance(stage.tuner, FullTuner) or stage.tuner.freeze.language:
        return Kept(weights, 0, 0)
    frozen = stage.tuner.freeze.vision or stage.tuner.freeze.aligner
    trained = count * (UNFROZEN if frozen else 1)
    gradients = trained * each * ((0 if offload else share) if level >= 2 else 1)
    if not stage.optimizer.name.startswith("adamw_torch") or (offload and level):
        return Kept(weights, gradients, 0)
    # Two moments as the weights are; DeepSpeed keeps both, and the weights once more, in float32.
    states = trained * (2 * each if level == 0 else 8 if each == 4 else 12)
    return Kept(weights, gradients, states * (share if level else 1))


def training_fits(context: Context) -> Iterator[Diagnostic]:
    """R0329: weights, gradients and optimizer state fit a GPU (warning)."""
    hardware = context.recipe.hardware
    if hardware.gpus == 0 or hardware.gpu_memory is None:
        return
    room = bytes_of(hardware.gpu_memory)
    for name, stage in context.training():
        model = context.recipe.base_model(name)
        spec = context.recipe.models.get(model or "")
        needed = kept(stage, spec, hardware.world) if spec else None
        if spec is None or needed is None or needed.total <= room:
            continue
        message = f"`{name}` keeps at least {needed} on each GPU, and one has {hardware.gpu_memory}"
        size = replace(context.at("models", model, "id"), label=f"{billions(spec.id):g} billion weights")
        places = (context.key_at("stages", name), size, context.at("hardware", "gpu_memory"))
        yield Diagnostic("R0329", message, _instead(stage, spec, hardware.world, room), places, "warning")


def _instead(stage: TrainingStage, spec: ModelSpec, world: int, room: float) -> str:
    """The first change with which the bound is kept."""
    changes: dict[str, dict[str, object]] = {
        "`deepspeed: zero2`": {"deepspeed": "zero2"},
        "`deepspeed: zero3`": {"deepspeed": "zero3"},
        "`tuner: {kind: lora}`": {"tuner": LoraTuner()},
        "`tuner: {kind: lora}` and `deepspeed: zero3`": {"tuner": LoraTuner(), "deepspeed": "zero3"},
        "`tuner: {kind: lora, bits: 4, quantization: bnb}`": {
            "tuner": LoraTuner(bits=4, quantization="bnb"),
            "deepspeed": None,
        },
        "`deepspeed: zero3-offload`": {"deepspeed": "zero3-offload"},
    }
    for words, change in changes.items():
        found = kept(stage.model_copy(update=change), spec, world)
        if found is not None and found.total <= room:
            return f"write {words}, or name more or larger GPUs"
    return "name more or larger GPUs, or a smaller model"


RULES: tuple[Rule, ...] = (training_fits,)
