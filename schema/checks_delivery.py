"""Rules of what follows training: exports, smaller numbers, servers and measurements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from schema.context import Context, Rule
from schema.diagnostics import Diagnostic
from schema.signature import toolchain
from schema.stage import Stage
from schema.stages.benchmark import Benchmark
from schema.stages.deploy import Deploy
from schema.stages.export import Export
from schema.stages.quantize import CALIBRATED, Quantize
from schema.students import FAMILIES

S = TypeVar("S", bound=Stage)
BITS: dict[str, tuple[int, ...]] = {"gptq": (2, 3, 4, 8), "awq": (4,), "bnb": (4, 8)}
"""Method → the bits that it knows; the others have no choice."""


def exports_have_outputs(context: Context) -> Iterator[Diagnostic]:
    """R0381: a whole model is exported where it tells classes apart; text is written by a loop, which is no graph."""
    recipe = context.recipe
    for name, stage in _of(context, Export):
        fixed = recipe.classifier(stage.model) or recipe.student(stage.model)
        if stage.part == "whole" and not fixed:
            message = f"`{stage.model}` writes text word by word, and an export is one computation"
            help = "write `part: vision` for its vision tower, or export a model that a `classify` or `distill` stage trained"
            yield Diagnostic("R0381", message, help, (context.at("stages", name, "model"),))


def export_sizes_are_known(context: Context) -> Iterator[Diagnostic]:
    """R0382: an export has one size of picture, which TensorRT and models of any size have to be told."""
    for name, stage in _of(context, Export):
        if stage.image_size is not None:
            continue
        if context.recipe.student(stage.model) is None:
            message = "this model reads pictures of any size, and an export reads one"
            yield Diagnostic("R0382", message, "add `image_size: [HEIGHT, WIDTH]`", (context.key_at("stages", name),))
        elif stage.tensorrt is not None:
            message = "TensorRT has to be told the size of the pictures"
            where = context.at("stages", name, "tensorrt")
            yield Diagnostic("R0382", message, "add `image_size: [HEIGHT, WIDTH]`", (where,))


def engines_can_be_built(context: Context) -> Iterator[Diagnostic]:
    """R0383: TensorRT reads the ONNX file, and its three batches rise."""
    for name, stage in _of(context, Export):
        if stage.tensorrt is None:
            continue
        if "onnx" not in stage.formats:
            places = (context.at("stages", name, "tensorrt"), context.at("stages", name, "formats"))
            yield Diagnostic("R0383", "TensorRT builds its engine of an ONNX file", "add `onnx` to `formats`", places)
        batch = stage.tensorrt.batch
        if tuple(sorted(batch)) != batch:
            message = f"a smallest, usual and largest batch of {', '.join(map(str, batch))} do not rise"
            help = f"write `batch: {sorted(batch)}`"
            yield Diagnostic("R0383", message, help, (context.at("stages", name, "tensorrt", "batch"),))


def bits_fit(context: Context) -> Iterator[Diagnostic]:
    """R0384: a method has the bits that it is asked for."""
    for name, stage in _of(context, Quantize):
        known = BITS.get(stage.method, ())
        if stage.bits is None and known:
            help = f"add `bits: {4 if 4 in known else known[0]}`"
            message = f"`{stage.method}` has to be told how many bits a weight gets"
            yield Diagnostic("R0384", message, help, (context.at("stages", name, "method"),))
        elif stage.bits is not None and stage.bits not in known:
            message = f"`{stage.method}` has no {stage.bits} bits"
            help = "write " + " or ".join(f"`bits: {bits}`" for bits in known) if known else "remove `bits`"
            yield Diagnostic("R0384", message, help, (context.at("stages", name, "bits"),))


def calibration_is_used(context: Context) -> Iterator[Diagnostic]:
    """R0385: a method that looks at data has some, and another has none."""
    for name, stage in _of(context, Quantize):
        if (stage.method in CALIBRATED) == (stage.data is not None):
            continue
        if stage.data is None:
            does = "learns from" if stage.aware else "is calibrated with"
            message = f"`{stage.method}` {does} rows, and none are named"
            yield Diagnostic("R0385", message, "add `data: STAGE.train`", (context.at("stages", name, "method"),))
        else:
            message = f"`{stage.method}` looks at no data"
            yield Diagnostic("R0385", message, "remove `data`", (context.at("stages", name, "data"),))


def checks_are_of_exports(context: Context) -> Iterator[Diagnostic]:
    """R0386: `check` runs an export; answers of a language model are predicted and scored by stages of their own."""
    for name, stage in _of(context, Quantize):
        if stage.check is not None and not (stage.of_export or stage.aware):
            message = f"`check` compares exports, and `{stage.method}` makes a model smaller"
            help = f"remove it; a `predict` stage with `model: {name}` and an `evaluate` stage score the model"
            yield Diagnostic("R0386", message, help, (context.at("stages", name, "check"),))


def students_round_while_they_learn(context: Context) -> Iterator[Diagnostic]:
    """R0467: `int8-qat` trains students of convolutions, and `training` says how; other methods train nothing."""
    for name, stage in _of(context, Quantize):
        path, student = ("stages", name), context.recipe.student(stage.model)
        if stage.training is not None and not stage.aware:
            message = f"`{stage.method}` trains nothing"
            help = "remove `training`, or write `method: int8-qat` and name a student"
            yield Diagnostic("R0467", message, help, (context.at(*path, "training"),))
        elif stage.aware and student is not None and not student.student.facts.convolutional:
            fitting = " or ".join(f"`{family}`" for family, facts in FAMILIES.items() if facts.convolutional)
            message = f"`int8-qat` trains convolutions on, and `{student.student.family}` is not made of them alone"
            help = f"export it and write `method: int8-dynamic`, or train a student of the family {fitting}"
            places = (context.at(*path, "method"), context.at("stages", stage.model, "student", "family"))
            yield Diagnostic("R0467", message, help, places)


def servers_can_run(context: Context) -> Iterator[Diagnostic]:
    """R0387: vLLM has a GPU, as many as are to share a model; what only vLLM has is asked of vLLM."""
    hardware = context.recipe.hardware
    for name, stage in _of(context, Deploy):
        choice = context.at("stages", name, "server" if stage.server == "vllm" else "backend")
        if stage.on_vllm and hardware.gpus == 0:
            places = (choice, replace(context.at("hardware", "gpus"), label="no GPU"))
            yield Diagnostic(
                "R0387", "vLLM needs a GPU", "write `server: ms-swift` and `backend: transformers`", places
            )
        elif stage.on_vllm and stage.tensor_parallel > hardware.gpus:
            message = f"{stage.tensor_parallel} GPUs are to share the model, and a machine has {hardware.gpus}"
            help = f"write `tensor_parallel: {hardware.gpus}`"
            yield Diagnostic("R0387", message, help, (context.at("stages", name, "tensor_parallel"),))
        for field in ("max_batched_tokens", "tensor_parallel"):
            if not stage.on_vllm and getattr(stage, field) not in (None, 1):
                help = "write `backend: vllm`, or remove it"
                place = context.at("stages", name, field)
                yield Diagnostic("R0387", f"`{field}` is for vLLM, and transformers answers here", help, (place,))


def vllm_is_told_known_options(context: Context) -> Iterator[Diagnostic]:
    """R0388: options of `vllm serve` are checked where the toolchain holds it; it serves no head of ms-swift's."""
    for name, stage in _of(context, Deploy):
        if stage.server != "vllm":
            continue
        if stage.engine.args and "vllm" not in toolchain(context.recipe.toolchain_of(name)):
            message = "`vllm serve` is not part of the toolchain, so its options cannot be checked"
            help = "write `toolchain: vllm` in the stage"
            yield Diagnostic("R0388", message, help, (context.at("stages", name, "engine", "args"),))
        if context.recipe.classifier(stage.model) is not None:
            message = f"`{stage.model}` has a head of ms-swift's, which `vllm serve` does not know"
            yield Diagnostic("R0388", message, "write `server: ms-swift`", (context.at("stages", name, "server"),))


def sizes_are_apart(context: Context) -> Iterator[Diagnostic]:
    """R0389: batch sizes are those of a curve: they rise."""
    for name, stage in _of(context, Benchmark):
        wanted = tuple(sorted(set(stage.batch_sizes)))
        if wanted != stage.batch_sizes:
            help = f"write `batch_sizes: {list(wanted)}`"
            place = context.at("stages", name, "batch_sizes")
            yield Diagnostic("R0389", "the batch sizes do not rise", help, (place,))


def _of(context: Context, kind: type[S]) -> Iterator[tuple[str, S]]:
    return ((name, stage) for name, stage in context.recipe.stages.items() if isinstance(stage, kind))


RULES: tuple[Rule, ...] = (
    exports_have_outputs,
    export_sizes_are_known,
    engines_can_be_built,
    bits_fit,
    calibration_is_used,
    checks_are_of_exports,
    students_round_while_they_learn,
    servers_can_run,
    vllm_is_told_known_options,
    sizes_are_apart,
)
