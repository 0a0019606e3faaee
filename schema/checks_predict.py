"""Rules of stages that answer: what each engine can do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from schema.context import Context
from schema.diagnostics import Diagnostic
from schema.stages import Check, Predict
from schema.stages.predict import OF_VLLM


def answers_are_possible(context: Context) -> Iterator[Diagnostic]:
    """R0360, R0361, R0362, R0363: beams, several answers, further options and classifiers, by engine."""
    for name, stage in context.recipe.stages.items():
        if isinstance(stage, Predict):
            for code, field, message, help in _impossible(stage, context.recipe.classifier(stage.model) is not None):
                yield Diagnostic(code, message, help, (context.at("stages", name, field),))
            yield from _on_vllm(context, name, stage)


def _on_vllm(context: Context, name: str, stage: Predict) -> Iterator[Diagnostic]:
    """R0362: what only vLLM has is asked of vLLM, which has as many GPUs as share a model and kernels of its own."""
    recipe = context.recipe
    if stage.engine.name != "vllm":
        for field in OF_VLLM:
            if getattr(stage, field) != Predict.model_fields[field].default:
                message = f"`{field}` is for vLLM, and {stage.engine.name} answers here"
                place = context.at("stages", name, field)
                yield Diagnostic("R0362", message, "write `engine: vllm`, or remove it", (place,))
        return
    gpus = recipe.hardware.gpus
    if gpus == 0:
        places = (context.at("stages", name, "engine"), replace(context.at("hardware", "gpus"), label="no GPU"))
        message = "vLLM answers on GPUs, and the hardware has none"
        yield Diagnostic("R0362", message, "write `engine: transformers`", places)
    elif stage.tensor_parallel is not None and stage.tensor_parallel > gpus:
        message = f"{stage.tensor_parallel} GPUs are to share the model, and a machine has {gpus}"
        place = context.at("stages", name, "tensor_parallel")
        yield Diagnostic("R0362", message, f"write `tensor_parallel: {gpus}`", (place,))
    spec = recipe.models.get(stage.model)
    if spec is not None and spec.attention in ("eager", "sdpa"):
        message = f"vLLM has no `{spec.attention}` attention; it takes a kernel of its own for `{name}`"
        places = (context.at("models", stage.model, "attention"), context.at("stages", name, "engine"))
        yield Diagnostic("R0362", message, "write `attention: auto` or `flash_attention_2`", places, "warning")


def _impossible(stage: Predict, classifies: bool) -> Iterator[tuple[str, str, str, str]]:
    """Code, field, what is wrong with it, and what to write."""
    engine, beams, returned = stage.engine.name, stage.beams, stage.returned
    for field in ("beams", "returned", "length_penalty"):
        if getattr(stage, field) != 1 and engine != "transformers":
            message = f"`engine: {engine}` gives one answer, without beams"
            yield "R0360", field, message, f"write `engine: transformers`, or leave `{field}` out"
    if engine == "transformers" and stage.temperature == 0 and returned > beams:
        message = f"{returned} answers cannot come from {beams} beam{'s' if beams > 1 else ''}"
        yield "R0361", "returned", message, f"write `beams: {returned}`"
    if engine == "transformers" and stage.temperature > 0 and beams > 1:
        message = "beams search for the likeliest answer, and a temperature draws one"
        yield "R0361", "temperature", message, "write `temperature: 0`, or leave `beams` out"
    if engine != "ms-swift" and stage.engine.args:
        message = f"`engine: {engine}` has no options but the fields of the stage"
        yield "R0362", "engine", message, "leave `args` out"
    if engine != "ms-swift" and classifies:
        yield "R0363", "engine", f"`engine: {engine}` reads no classes from a head", "write `engine: ms-swift`"


def checks_read_text(context: Context) -> Iterator[Diagnostic]:
    """R0364: a check asks for words, which a model with another head does not write."""
    for name, stage in context.recipe.stages.items():
        head = context.recipe.head(stage.model) if isinstance(stage, Check) else None
        if isinstance(stage, Check) and head is not None:
            message = f"`{name}` asks for words, and `{stage.model}` was trained to {head.kind}"
            yield Diagnostic("R0364", message, "check the model below it", (context.at("stages", name, "model"),))
