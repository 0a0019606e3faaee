"""A model with smaller numbers: weights of a language model through ms-swift, an export through onnxruntime, or a
student that is trained on with the rounding in place, through torchao.

small: {kind: quantize, model: merged, method: gptq, bits: 4, data: data.train}
int8: {kind: quantize, model: exported, method: int8-static, data: data.train, check: data.validation}
qat: {kind: quantize, model: small, method: int8-qat, data: data.train, check: data.validation}
"""

from typing import Annotated, Literal

from pydantic import Field

from schema.base import Model, Positive, Reference, default
from schema.stage import Product, Stage, Use
from schema.training import EngineArgs, by_name

OF_EXPORTS = ("int8-dynamic", "int8-static")
"""Methods of onnxruntime, for exports; the others are ms-swift's, for models."""
AWARE = "int8-qat"
"""The method that trains: quantisation-aware, for students of convolutions."""
CALIBRATED = ("gptq", "awq", "int8-static", AWARE)
"""Methods that look at data."""


class AwareTraining(Model):
    """How `int8-qat` trains a student on, with the labels' loss and AdamW."""

    epochs: float = Field(3.0, gt=0)
    """How often each row is seen."""
    learning_rate: float | None = Field(None, gt=0)
    """Peak learning rate of a cosine; a tenth of what is recommended for the family when absent."""
    batch: Positive | None = None
    """Examples of a step; what is recommended for the family when absent."""


Engine = Annotated[EngineArgs, Field(strict=False), by_name(EngineArgs, ("ms-swift",))]


class Quantize(Stage):
    """Hands over `model` or `export`, and `metrics.json`: size before and after; of an export difference and accuracy, too."""

    kind: Literal["quantize"]
    model: Reference
    """A name in `models`, or a stage that hands over a model; for `int8-dynamic` and `int8-static` one that hands over
    an export, for `int8-qat` one that hands over a student."""
    method: Literal["gptq", "awq", "bnb", "fp8", "int8-dynamic", "int8-static", "int8-qat"]
    """For models gptq, awq, bnb and fp8; for exports int8-dynamic and int8-static; for students int8-qat."""
    bits: Literal[2, 3, 4, 8] | None = None
    """Bits of a weight, for gptq, awq and bnb."""
    group_size: int = Field(128, ge=-1)
    """Weights that share a scale, for gptq and awq; -1 for all of a row."""
    data: Reference | None = None
    """`STAGE.SPLIT` that gptq, awq and int8-static are calibrated with, and int8-qat learns from."""
    samples: Positive = 256
    """Rows of it at most."""
    max_length: Positive = 2048
    """Tokens of a calibration example."""
    check: Reference | None = None
    """`STAGE.SPLIT` on which an export or a student is compared before and after."""
    training: AwareTraining | None = Field(None, exclude_if=lambda said: said is None)
    """Of `int8-qat`; three epochs when absent."""
    engine: Engine = default(EngineArgs)
    """Options of it that the language has no field for."""

    @property
    def of_export(self) -> bool:
        """Whether it is an export that gets smaller."""
        return self.method in OF_EXPORTS

    @property
    def aware(self) -> bool:
        """Whether it is a student that is trained on."""
        return self.method == AWARE

    @property
    def uses(self) -> tuple[Use, ...]:
        model = Use("model", ("model",), self.model, self._accepts)
        named = (("data", self.data), ("check", self.check))
        return (model, *(Use(role, (role,), split, ("rows",)) for role, split in named if split is not None))

    @property
    def _accepts(self) -> tuple[Product | Literal["models"], ...]:
        return ("student",) if self.aware else ("export",) if self.of_export else ("models", "model")

    @property
    def gives(self) -> Product:
        return "export" if self.of_export or self.aware else "model"
