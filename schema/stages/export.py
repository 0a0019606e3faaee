"""A model in formats that need no training library: ONNX, TorchScript, and an engine of TensorRT.

exported: {kind: export, model: train, image_size: [224, 224], data: data.validation}
"""

from typing import Annotated, Literal

from pydantic import Field

from schema.base import Model, Positive, Reference
from schema.stage import Product, Stage, Use

Side = Annotated[int, Field(ge=1, le=8192)]


class TensorRt(Model):
    """An engine that `trtexec` builds of the ONNX file, on a machine that has the program; elsewhere a report says so."""

    fp16: bool = True
    """Let it choose kernels in half precision."""
    workspace: Positive = 4096
    """MiB of memory that it may use while it tries kernels."""
    batch: Annotated[tuple[Positive, Positive, Positive], Field()] = (1, 8, 32)
    """The smallest batch, the one that it is made for, and the largest."""


class Export(Stage):
    """Hands over `export`: a folder of `export.json` and the model in each format, in float32, its batch dynamic."""

    kind: Literal["export"]
    model: Reference
    """A stage that hands over a model or a student; for `part: vision` also a name in `models`."""
    part: Literal["whole", "vision"] = "whole"
    """A classifier from picture to scores of classes, or the vision tower of a model with its projector."""
    image_size: Annotated[tuple[Side, Side], Field()] | None = None
    """Height and width in pixels of all its pictures. A student has its own."""
    formats: tuple[Literal["onnx", "torchscript"], ...] = Field(("onnx", "torchscript"), min_length=1)
    """What is written; each is checked against the model."""
    opset: int = Field(20, ge=18, le=23)
    """ONNX's version of operators."""
    data: Reference
    """`STAGE.SPLIT` whose pictures the export is held against its original with."""
    rows: Positive = 32
    """So many rows of it."""
    tolerance: float = Field(1e-4, gt=0)
    """The largest absolute difference from the original's outputs."""
    tensorrt: TensorRt | None = None

    @property
    def uses(self) -> tuple[Use, ...]:
        return (
            Use("model", ("model",), self.model, ("models", "model", "student")),
            Use("data", ("data",), self.data, ("rows",)),
        )

    @property
    def gives(self) -> Product:
        return "export"
