"""Answer every row of a split with a model.

answers: {kind: predict, model: merged, data: data.validation, max_new_tokens: 16}
"""

from typing import Literal

from pydantic import Field

from schema.base import Positive, Reference, default
from schema.stage import Product, Stage, Use
from schema.training import EngineArgs


class Predict(Stage):
    """Hands over `predictions.jsonl`: input, label, answer, and what was parsed from the answer."""

    kind: Literal["predict"]
    model: Reference
    """A name in `models`, or a stage that hands over a model, an adapter or a student."""
    data: Reference
    """`STAGE.SPLIT` of a `prepare` stage."""
    batch: Positive = 1
    """Rows answered at once by one process."""
    max_new_tokens: Positive = 64
    """Tokens of an answer at most."""
    temperature: float = Field(0.0, ge=0)
    """0 always takes the likeliest token."""
    top_p: float = Field(1.0, gt=0, le=1)
    max_length: Positive = 2048
    """Tokens of a question and its answer."""
    parse: Literal["label", "exact", "none"] = "label"
    """Look for one class name in the answer, take the answer as it is, or parse nothing."""
    engine: EngineArgs = default(EngineArgs)

    @property
    def uses(self) -> tuple[Use, ...]:
        return (
            Use("model", ("model",), self.model, ("models", "model", "adapter", "student")),
            Use("data", ("data",), self.data, ("rows",)),
        )

    @property
    def gives(self) -> Product:
        return "predictions"
