"""Make an exported ONNX file smaller with 8-bit integers, and say what that costs.

python -m runners.quantize --export outputs/x/exported/export --method int8-static \\
    --calibration outputs/x/data/train.jsonl --samples 128 --check outputs/x/data/validation.jsonl --to outputs/x/int8

`int8-dynamic` stores weights as integers and finds the range of activations while it runs; `int8-static` fixes that
range with calibration rows (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html).
Written are export/ and metrics.json: bytes before and after, the largest difference, the accuracy of what tells classes
apart, and of students that find boxes or pixels what their tasks are scored with.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from runners import cli
from runners.exporting import folder as folders
from runners.exporting import pictures
from runners.exporting.folder import INPUT, Exported, Runnable
from runners.exporting.pictures import Labels, Tensor
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_json

CHUNK = 16  # rows at once
FILE = "model.onnx"
PRODUCTS = ["MatMul", "Gemm", "Conv"]
"""What computes with integers. Sums and masks stay as they are: a mask's -3e38 would leave no step for the rest."""


class Scorer(Protocol):
    """Takes the results of rows in their order, and scores them."""

    def add(self, result: Tensor) -> None:
        """The results [B, …] of the rows that follow."""

    def metrics(self) -> dict[str, float]:
        """Name → score of all rows."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0582, R0591, R0593, R0596."""
    options = _parse(argv)
    exported = folders.read(options.export)
    if "onnx" not in exported.files:
        help = "add `onnx` to the `formats` of the `export` stage"
        raise RecipeError([Diagnostic("R0596", f"{options.export} holds no ONNX file to quantise", help)])
    before = options.export / exported.files["onnx"]
    target = options.to / "export"
    target.mkdir(parents=True, exist_ok=True)
    calibration = _images(options.calibration, options.samples, exported) if options.calibration else None
    quantize(before, target / FILE, calibration)
    folders.write(replace(exported, files={"onnx": FILE}), target)
    metrics: dict[str, float] = {"bytes_before": _size(before), "bytes_after": _size(target / FILE)}
    if options.check:
        metrics |= compare(folders.onnx(before), folders.onnx(target / FILE), options.check, exported)
    write_json(options.to / "metrics.json", metrics)
    print(", ".join(f"{name} {value:.6g}" for name, value in metrics.items()))
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m runners.quantize", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--export", type=Path, required=True, metavar="DIR")
    parser.add_argument("--method", choices=("int8-dynamic", "int8-static"), required=True)
    parser.add_argument("--calibration", type=Path, metavar="FILE", help="rows, for int8-static")
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--check", type=Path, metavar="FILE", help="rows to compare on")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(argv)
    if (options.method == "int8-static") != (options.calibration is not None):
        parser.error("`--calibration` is for `int8-static`, which needs it")
    return options


def quantize(before: Path, after: Path, calibration: Tensor | None) -> None:
    """Write the file with integers. Weights have 7 bits: processors without VNNI add two products in 16 bits.

    Ranges are dynamic without calibration rows [N, *shape], else static.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(before), str(prepared), skip_symbolic_shape=True)
        if calibration is None:
            quantize_dynamic(
                str(prepared), str(after), op_types_to_quantize=PRODUCTS,
                weight_type=QuantType.QInt8, reduce_range=True,
            )  # fmt: skip
        else:
            quantize_static(
                str(prepared), str(after), _reader(calibration), quant_format=QuantFormat.QDQ,
                op_types_to_quantize=PRODUCTS, per_channel=True, reduce_range=True,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            )  # fmt: skip


def _reader(images: Tensor) -> Any:
    """The pictures one by one, as onnxruntime asks for them."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rest = iter(images)

        def get_next(self) -> dict[str, Tensor] | None:
            image = next(self.rest, None)
            return None if image is None else {INPUT: image[None]}

    return Reader()


def _images(data: Path, count: int | None, exported: Exported) -> Tensor:
    rows = pictures.read_rows(data, count)
    return pictures.tensors(list(pictures.fitted(rows, data, exported.looks)), exported.looks)


def _size(file: Path) -> int:
    """Bytes of an ONNX file, with those of the weights beside it."""
    return sum(path.stat().st_size for path in file.parent.glob(f"{file.name}*"))


def compare(before: Runnable, after: Runnable, data: Path, exported: Exported) -> dict[str, float]:
    """What the same rows give before and after. Errors: RecipeError R0582 where that is no number."""
    rows = pictures.read_rows(data, None)
    scorers = [_scorer(exported, rows, data) for _ in range(2)]  # before and after
    far = 0.0
    for begin in range(0, len(rows), CHUNK):
        seen = list(pictures.fitted(rows[begin : begin + CHUNK], data, exported.looks))
        images = pictures.tensors(seen, exported.looks)
        old, new = before(images), after(images)
        far = float(np.maximum(far, np.abs(old - new).max()))  # which keeps what is no number
        for scorer, result in zip(scorers, (old, new), strict=True):
            scorer.add(result)
    if not np.isfinite(far):
        message = f"the 8-bit file differs from its original by {far} on rows of {data}"
        help = "write `method: int8-dynamic`, which finds ranges while it runs, or leave this export in float32"
        raise RecipeError([Diagnostic("R0582", message, help)])
    found: dict[str, float] = {"rows": len(rows), "max_difference": float(f"{far:.3g}")}
    if exported.output == "logits":
        old, new = (scorer.chosen for scorer in scorers if isinstance(scorer, Classes))
        found["same_class"] = pictures.equal(old, new)
    for when, scorer in zip(("before", "after"), scorers, strict=True):
        found |= {f"{name}_{when}": value for name, value in scorer.metrics().items()}
    return found


def _scorer(exported: Exported, rows: Sequence[dict[str, Any]], data: Path) -> Scorer:
    if exported.output in ("boxes", "pixels"):
        from runners.exporting.scoring import Places

        return Places(exported, data)
    return Classes(pictures.labels(rows, exported.classes) if exported.output == "logits" else None)


class Classes:
    """The accuracy of logits; nothing of other outputs, or of rows without labels."""

    def __init__(self, wanted: Labels | None) -> None:
        self.wanted = wanted
        self.parts: list[Any] = []

    def add(self, result: Tensor) -> None:
        """The logits [B, classes] of the rows that follow."""
        self.parts.append(pictures.chosen(result, self.wanted))

    @property
    def chosen(self) -> Any:
        """The class of each row, or which classes it has."""
        return np.concatenate(self.parts)

    def metrics(self) -> dict[str, float]:
        """The accuracy."""
        return {} if self.wanted is None else {"accuracy": pictures.equal(self.chosen, self.wanted)}


if __name__ == "__main__":
    cli.run(main)
