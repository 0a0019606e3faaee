"""Predictions by the engine that the stage names: ms-swift, transformers (`runners.predict`) or vLLM."""

from __future__ import annotations

from compiler.backends import ms_swift
from compiler.backends.fields import own_environment, picture_folder, without_nulls
from compiler.plan import KEPT, Command, InputPath, Launch, Output, OutputPath, Plan, StagePlan, Value
from schema.stages import Predict


def predict(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """Every row's answer, and what was parsed from it."""
    assert isinstance(planned.stage, Predict)
    name = planned.stage.engine.name
    if name == "ms-swift":
        return ms_swift.predict(plan, planned)
    return (_transformers if name == "transformers" else _vllm)(plan, planned), (Output("predictions.jsonl"),)


def _transformers(plan: Plan, planned: StagePlan) -> Launch:
    """`python -m runners.predict`: batches of rows that look alike, with or without beams."""
    stage, model = planned.stage, planned.model
    assert isinstance(stage, Predict) and model is not None
    options: dict[str, Value | None] = {
        **loaded(plan, planned),
        **_rows(plan, planned),
        "batch": stage.batch,
        "beams": stage.beams,
        "returned": stage.returned,
        "length_penalty": stage.length_penalty,
        **_sampling(plan, stage),
        "work": OutputPath(f"{KEPT}/answers.jsonl"),
        "to": OutputPath("result"),
    }
    command = Command(("python", "-m", "runners.predict"), without_nulls(options))
    return Launch((command,), own_environment(plan), runners=("runners.predict.__main__",))


def _vllm(plan: Plan, planned: StagePlan) -> Launch:
    """`python -m runners.predict.vllm`: many rows in one call, which vLLM batches itself."""
    stage = planned.stage
    assert isinstance(stage, Predict)
    model = planned.model
    assert model is not None
    own = model.spec.attention.startswith("flash_attention")  # else vLLM takes what suits the GPU
    options: dict[str, Value | None] = {
        **loaded(plan, planned),
        "attention": model.attention if own else None,
        **_rows(plan, planned),
        **_sampling(plan, stage),
        "tensor_parallel_size": stage.tensor_parallel or max(plan.instance.recipe.hardware.gpus, 1),
        "gpu_memory_utilization": stage.gpu_memory,
        "max_num_seqs": stage.max_concurrent,
        "max_num_batched_tokens": stage.max_batched_tokens,
        "work": OutputPath(f"{KEPT}/answers.jsonl"),
        "to": OutputPath("result"),
    }
    command = Command(("python", "-m", "runners.predict.vllm"), without_nulls(options))
    return Launch((command,), own_environment(plan), runners=("runners.predict.vllm",))


def loaded(plan: Plan, planned: StagePlan) -> dict[str, Value | None]:
    """The model that answers, and how it is loaded."""
    model = planned.model
    assert model is not None
    given = InputPath("model", planned.input("model").path)
    used = plan.instance.recipe.stages.get(planned.stage.model)  # type: ignore[attr-defined]
    adapter = used is not None and used.gives == "adapter"
    return {
        "model": InputPath("base", planned.input("base").path) if adapter else given,
        "adapter": given if adapter else None,
        "dtype": model.spec.dtype,
        "attention": model.attention,
        "max_pixels": model.spec.max_pixels,
        "min_pixels": model.spec.min_pixels,
        "image_folder": picture_folder(plan, planned),
    }


def _rows(plan: Plan, planned: StagePlan) -> dict[str, Value | None]:
    stage = planned.stage
    assert isinstance(stage, Predict)
    return {
        "data": InputPath("data", planned.input("data").path),
        "classes": InputPath("classes", planned.input("classes").path),
        "parse": stage.parse,
    }


def _sampling(plan: Plan, stage: Predict) -> dict[str, Value | None]:
    return {
        "max_new_tokens": stage.max_new_tokens,
        "max_length": stage.max_length,
        "temperature": stage.temperature,
        "top_p": stage.top_p,
        "seed": plan.instance.recipe.seed,
    }
