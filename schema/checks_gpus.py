"""Rules of GPUs: what all or the newer ones have kernels for, and the number formats that they compute in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from schema.context import Context, Rule
from schema.diagnostics import Diagnostic, Severity
from schema.hardware import NEWER, OLDER, generation, misspelt
from schema.stage import Stage
from schema.stages import Deploy, Grpo, Predict, Quantize
from schema.tuner import FullTuner, LoraTuner

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


def formats_have_their_gpu(context: Context) -> Iterator[Diagnostic]:
    """R0376: GPUs before Ampere do not compute in bfloat16: torch emulates it, slowly, and vLLM refuses it."""
    hardware = context.recipe.hardware
    found = generation(hardware)
    if hardware.gpus == 0 or found not in OLDER:
        return
    gpu = replace(context.at("hardware", "gpu"), label=found)
    refusing = {context.recipe.base_model(name) for name, stage in context.recipe.stages.items() if _on_vllm(stage)}
    for name, spec in context.recipe.models.items():
        if spec.dtype == "bfloat16":
            what = "vLLM refuses it there" if name in refusing else "it is emulated there, many times slower"
            message = f"the model is in bfloat16, which {hardware.gpu} does not compute in: {what}"
            places = (context.at("models", name, "dtype"), gpu)
            severity: Severity = "error" if name in refusing else "warning"
            yield Diagnostic("R0376", message, "write `dtype: float16`, or a newer `gpu`", places, severity)
    for name, stage in context.recipe.stages.items():
        if getattr(stage, "precision", None) == "bfloat16":
            message = f"bfloat16, which {hardware.gpu} does not compute in, is emulated there, many times slower"
            places = (context.at("stages", name, "precision"), gpu)
            yield Diagnostic("R0376", message, "write `precision: float16`, or a newer `gpu`", places, "warning")


def _on_vllm(stage: Stage) -> bool:
    match stage:
        case Predict():
            return stage.engine.name == "vllm"
        case Grpo():
            return stage.rollout.engine == "vllm" and stage.rollout.mode == "colocate"
        case Deploy():
            return stage.on_vllm
    return False


def gpus_are_known(context: Context) -> Iterator[Diagnostic]:
    """R0377: a GPU that is not known here is none that is, misspelt."""
    gpu = context.recipe.hardware.gpu
    if gpu is not None and (meant := misspelt(gpu)):
        message = f"no GPU `{gpu}` is known, so nothing is said of what it cannot do"
        yield Diagnostic("R0377", message, f"write `gpu: {meant}`", (context.at("hardware", "gpu"),), "warning")


def scaled_losses_have_whole_weights(context: Context) -> Iterator[Diagnostic]:
    """R0378: float16 training scales the loss, and torch scales no gradients back that are float16 themselves."""
    for name, stage in context.training():
        model = context.recipe.base_model(name)
        if model is None or not isinstance(stage.tuner, FullTuner) or stage.deepspeed is not None:
            continue
        weights = context.recipe.models[model].dtype
        if weights == (stage.precision or weights) == "float16":
            message = f"`{name}` trains all weights in float16, whose gradients the engine cannot scale back"
            more = "" if stage.precision else " and `precision: float16` in the stage"
            help = f"write `dtype: float32` in the model{more}, or let `deepspeed: zero2` keep the whole weights"
            places = (context.at("models", model, "dtype"), context.at("stages", name, "tuner"))
            yield Diagnostic("R0378", message, help, places)


RULES: tuple[Rule, ...] = (
    choices_have_their_gpu,
    formats_have_their_gpu,
    gpus_are_known,
    scaled_losses_have_whole_weights,
)
