"""A student whose forward pass rounds as 8-bit integers would, for training and for an ONNX file that has them.

torchao's quantisation of a graph of `torch.export` (https://docs.pytorch.org/ao/stable/pt2e_quantization): what is rounded
are the inputs and the weights of convolutions and linear layers, as `runners.quantize` does after training. Weights that
are not learned stay as they are: they are no filters but constants, such as the bins of YOLO's boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchao.quantization import pt2e
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, QuantizationSpec, Quantizer
from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

from runners.distill.students.base import Student, StudentOutput
from runners.exporting import formats

PRODUCTS = (torch.ops.aten.conv2d.default, torch.ops.aten.linear.default)
"""What computes with integers."""
LEAST_STEP = 2.0**-12
"""Of a scale."""
ACTIVATION = QuantizationSpec(
    torch.uint8,
    pt2e.FusedMovingAvgObsFakeQuantize.with_args(observer=pt2e.MovingAverageMinMaxObserver, eps=LEAST_STEP),
    quant_min=0,
    quant_max=255,
    qscheme=torch.per_tensor_affine,
)
WEIGHT = QuantizationSpec(
    torch.int8,
    pt2e.FusedMovingAvgObsFakeQuantize.with_args(
        observer=pt2e.MovingAveragePerChannelMinMaxObserver, averaging_constant=1.0, eps=LEAST_STEP
    ),
    quant_min=-64,
    quant_max=63,
    qscheme=torch.per_channel_symmetric,
    ch_axis=0,
)
"""Of 7 bits: processors without VNNI add two products in 16 bits, and eight would not fit."""


class Products(Quantizer):  # type: ignore[misc]
    """Marks the inputs and learned weights of convolutions and linear layers, each filter with a scale of its own."""

    def __init__(self, learned: set[str]) -> None:
        super().__init__()
        self.learned = learned

    def annotate(self, model: Any) -> Any:
        """Mark them in a graph."""
        for node in model.graph.nodes:
            if node.op == "call_function" and node.target in PRODUCTS and str(node.args[1].target) in self.learned:
                specs = {node.args[0]: ACTIVATION, node.args[1]: WEIGHT}
                node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(input_qspec_map=specs, _annotated=True)
        return model

    def validate(self, model: Any) -> None:
        """Nothing can be marked twice."""


class Whole(nn.Module):  # type: ignore[misc]
    """[B, 3, H, W] → all that a student's loss and answers need."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student

    def forward(self, image: Tensor) -> Any:
        return self.student(image).task


class FakeQuantized(nn.Module):  # type: ignore[misc]
    """Stands for a student in its training. Its graph is that of evaluation: batch norms are part of the filters."""

    def __init__(self, student: Student, shape: Sequence[int]) -> None:
        super().__init__()
        self.of = (student,)  # in a tuple, so that its own weights are not trained as well
        self.classes = student.classes
        student.settle()
        batch = torch.export.Dim("batch")
        program = torch.export.export(
            Whole(student.eval()), (formats.example(shape),), dynamic_shapes=({0: batch},), strict=False
        )
        learned = {name for name, weight in program.named_parameters() if weight.requires_grad}
        self.graph = prepare_pt2e(program.module(), Products(learned))

    def train(self, mode: bool = True) -> FakeQuantized:
        """A graph has one mode."""
        return self

    def forward(self, inputs: Tensor) -> StudentOutput:
        found = self.graph(inputs)
        return StudentOutput(found, inputs)  # nobody compares its features

    def loss(self, output: StudentOutput, targets: Any) -> Tensor:
        """The student's own loss of the hard labels."""
        return self.of[0].to(output.features.device).loss(output, targets)

    def write_onnx(self, shape: Sequence[int], opset: int, file: Path) -> None:
        """Write what has been learned, with integers for weights; it cannot be trained on after that."""
        self.graph.to("cpu").apply(pt2e.disable_observer)
        formats.write_onnx(Result(convert_pt2e(self.graph), self.of[0]), shape, opset, file)


class Result(nn.Module):  # type: ignore[misc]
    """[B, 3, H, W] → the one tensor that an export gives."""

    def __init__(self, rounded: nn.Module, student: Student) -> None:
        super().__init__()
        self.rounded, self.of = rounded, (student,)  # not `graph`: torch's own modules are called so

    def forward(self, image: Tensor) -> Tensor:
        return self.of[0].result(StudentOutput(self.rounded(image), image))
