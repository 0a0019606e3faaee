"""Rules of choices that are computed by kernels of GPUs, of all or of the newer ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from schema.context import Context, Rule
from schema.diagnostics import Diagnostic
from schema.hardware import NEWER, OLDER, generation
from schema.stages import Quantize
from schema.tuner import LoraTuner

GENERATIONS = (*OLDER, *NEWER)
SINCE = {"flash_attention_2": "Ampere", "flash_attention_3": "Ampere", "fp8": "Ada", "eetq": GENERATIONS[0]}
"""A choice that a CPU has no kernels for → the first generation of GPUs that has them."""
INSTEAD = {"fp8": "`method: bnb` and `bits: 8`", "eetq": "`quantization: bnb`"}
OTHERWISE = {"fp8": ": the engine would write bfloat16"}


def choices_have_their_gpu(context: Context) -> Iterator[Diagnostic]:
    """R0399: what is computed by kernels of GPUs has a GPU, of a generation that has them."""
    hardware = context.recipe.hardware
    found = generation(hardware)
    for choice, path in _choices(context):
        since, instead = SINCE[choice], INSTEAD.get(choice, "`attention: auto`")
        if hardware.gpus == 0:
            places = (context.at(*path), replace(context.at("hardware", "gpus"), label="no GPU"))
            message = f"`{choice}` needs a GPU, and the hardware has none"
            yield Diagnostic("R0399", message, f"write {instead}", places)
        elif found is not None and GENERATIONS.index(found) < GENERATIONS.index(since):
            places = (context.at(*path), replace(context.at("hardware", "gpu"), label=found))
            message = f"`{choice}` needs {since} or newer, and {hardware.gpu} is {found}{OTHERWISE.get(choice, '')}"
            yield Diagnostic("R0399", message, f"write {instead}, or a newer `gpu`", places)


def _choices(context: Context) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each such choice of a recipe, and where it stands."""
    for name, spec in context.recipe.models.items():
        if spec.attention in SINCE:
            yield spec.attention, ("models", name, "attention")
    for name, stage in context.recipe.stages.items():
        if isinstance(stage, Quantize) and stage.method in SINCE:
            yield stage.method, ("stages", name, "method")
    for name, training in context.training():
        if isinstance(training.tuner, LoraTuner) and training.tuner.quantization in SINCE:
            yield training.tuner.quantization, ("stages", name, "tuner", "quantization")


RULES: tuple[Rule, ...] = (choices_have_their_gpu,)
