"""A model with smaller numbers: weights of a language model through ms-swift, or an export through onnxruntime.

small: {kind: quantize, model: merged, method: gptq, bits: 4, data: data.train}
int8: {kind: quantize, model: exported, method: int8-static, data: data.train, check: data.validation}
"""

from typing import Literal

from pydantic import Field

from schema.base import Positive, Reference, default
from schema.stage import Product, Stage, Use
from schema.training import EngineArgs

OF_EXPORTS = ("int8-dynamic", "int8-static")
"""Methods of onnxruntime, for exports; the others are ms-swift's, for models."""
CALIBRATED = ("gptq", "awq", "int8-static")
"""Methods that look at data."""


class Quantize(Stage):
    """Hands over `model` or `export`, and `metrics.json`: size before and after; of an export difference and accuracy, too."""

    kind: Literal["quantize"]
    model: Reference
    """A name in `models`, or a stage that hands over a model; for `int8-…` one that hands over an export."""
    method: Literal["gptq", "awq", "bnb", "fp8", "int8-dynamic", "int8-static"]
    bits: Literal[2, 3, 4, 8] | None = None
    """Bits of a weight, for gptq, awq and bnb."""
    group_size: int = Field(128, ge=-1)
    """Weights that share a scale, for gptq and awq; -1 for all of a row."""
    data: Reference | None = None
    """`STAGE.SPLIT` that gptq, awq and int8-static are calibrated with."""
    samples: Positive = 256
    """Rows of it at most."""
    max_length: Positive = 2048
    """Tokens of a calibration example."""
    check: Reference | None = None
    """`STAGE.SPLIT` on which an export is compared before and after."""
    engine: EngineArgs = default(EngineArgs)

    @property
    def of_export(self) -> bool:
        """Whether it is an export that gets smaller."""
        return self.method in OF_EXPORTS

    @property
    def uses(self) -> tuple[Use, ...]:
        model = Use("model", ("model",), self.model, ("export",) if self.of_export else ("models", "model"))
        named = (("data", self.data), ("check", self.check))
        return (model, *(Use(role, (role,), split, ("rows",)) for role, split in named if split is not None))

    @property
    def gives(self) -> Product:
        return "export" if self.of_export else "model"
