"""Answer every row of a split with a model.

answers: {kind: predict, model: merged, data: data.validation, max_new_tokens: 16}
"""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, JsonValue

from schema.base import Model, Positive, Reference, default
from schema.stage import Product, Stage, Use
from schema.training import by_name

EngineName = Literal["ms-swift", "transformers", "vllm"]


Share = Annotated[float, Field(gt=0, le=1)]


class AnswerEngine(Model):
    """Which engine answers, and options of it that the language has no field for."""

    name: EngineName = "ms-swift"
    """The engine."""
    args: dict[str, JsonValue] = {}
    """Option → value, checked against the engine's recorded signature."""


Engine = Annotated[AnswerEngine, Field(strict=False), by_name(AnswerEngine, get_args(EngineName))]
"""`engine: vllm` is short for `engine: {name: vllm}`."""


def _younger(value: float | None) -> Any:
    """A field that older recipes do not have: where it says nothing new it is no part of what they ask for."""
    return Field(value, exclude_if=lambda said: said == value)


OF_VLLM = ("gpu_memory", "tensor_parallel", "max_concurrent", "max_batched_tokens")
"""Fields that say something to vLLM alone."""


class Predict(Stage):
    """Hands over `predictions.jsonl`: input, label, answer, and what was parsed from the answer."""

    kind: Literal["predict"]
    model: Reference
    """A name in `models`, or a stage that hands over a model, an adapter or a student."""
    data: Reference
    """`STAGE.SPLIT` of a `prepare` stage."""
    batch: Positive = 1
    """Rows answered at once by one process; vLLM batches by itself."""
    max_new_tokens: Positive = 64
    """Tokens of an answer at most."""
    temperature: float = Field(0.0, ge=0)
    """0 always takes the likeliest token."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Sample from the likeliest tokens that have this share of the probability together."""
    beams: Positive = _younger(1)
    """Answers that are followed side by side in search of the likeliest; with `engine: transformers`."""
    returned: Positive = _younger(1)
    """Answers of each row that are handed over as `candidates`, best first; the best is the answer."""
    length_penalty: float = _younger(1.0)
    """An answer's score is its log-probability divided by its number of tokens to this power: above 1 prefers long ones."""
    max_length: Positive = 2048
    """Tokens of a question and its answer."""
    parse: Literal["label", "exact", "none"] = "label"
    """Look for one class name in the answer, take the answer as it is, or parse nothing."""
    engine: Engine = default(AnswerEngine)
    """What answers; a name, or a map with options of it."""
    gpu_memory: Share = _younger(0.9)
    """The share of a GPU's memory that vLLM takes."""
    tensor_parallel: Positive | None = _younger(None)
    """GPUs that share a model, for vLLM; those of a machine when absent. They have to divide the model's attention heads."""
    max_concurrent: Positive | None = _younger(None)
    """Rows that vLLM answers at once at most; when absent vLLM says."""
    max_batched_tokens: Positive | None = _younger(None)
    """Tokens of one step of vLLM at most; when absent vLLM says."""

    @property
    def uses(self) -> tuple[Use, ...]:
        return (
            Use("model", ("model",), self.model, ("models", "model", "adapter", "student")),
            Use("data", ("data",), self.data, ("rows",)),
        )

    @property
    def gives(self) -> Product:
        return "predictions"
