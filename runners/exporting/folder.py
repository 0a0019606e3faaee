"""The folder of an export: export.json, and the model in one or more formats. No torch is needed to run an ONNX file.

export.json: {"format_version": 1, "family": "qwen2_vl", "output": "logits", "classes": ["0", …], "opset": 20,
 "input": {"name": "image", "size": [56, 56], "mean": […], "std": […], "fit": "stretch",
 "resample": "bicubic", "frames": null}, "files": {"onnx": "model.onnx"}, "student": null}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runners.exporting.pictures import Tensor
from runners.exporting.subject import Looks
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import read_json, write_json

FORMAT = 1
NAME = "export.json"
INPUT, OUTPUT = "image", "result"
FILES = {"onnx": "model.onnx", "torchscript": "model.pt"}
"""Format → its file."""

Runnable = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Exported:
    """What export.json says."""

    family: str
    output: str
    looks: Looks
    files: Mapping[str, str]
    opset: int
    classes: Sequence[str] = ()
    student: Mapping[str, Any] | None = None
    """What a student says of itself, where it is one."""


def write(exported: Exported, folder: Path) -> None:
    """Write export.json."""
    document = {
        "format_version": FORMAT,
        "family": exported.family,
        "output": exported.output,
        "classes": list(exported.classes),
        "opset": exported.opset,
        "input": {"name": INPUT, **asdict(exported.looks)},
        "files": dict(exported.files),
        "student": exported.student,
    }
    write_json(folder / NAME, document)


def read(folder: Path) -> Exported:
    """What an export says of itself. Errors: RecipeError R0593 when the folder holds none of this format."""
    found: Any = read_json(folder / NAME)
    if not isinstance(found, dict) or found.get("format_version") != FORMAT:
        message = f"{folder} holds no export of format {FORMAT}"
        raise RecipeError([Diagnostic("R0593", message, "name a folder that an `export` stage handed over")])
    given = found["input"]
    looks = Looks(
        tuple(given["size"]),
        tuple(given["mean"]),
        tuple(given["std"]),
        given["fit"],
        given["resample"],
        given.get("frames"),
    )
    return Exported(
        found["family"],
        found["output"],
        looks,
        found["files"],
        found["opset"],
        tuple(found["classes"]),
        found.get("student"),
    )


def runnable(folder: Path, format: str, threads: int = 0) -> Runnable:
    """The model of an export as a function of [B, *shape]. `threads`: 0 leaves it to the library."""
    file = folder / read(folder).files[format]
    return onnx(file, threads) if format == "onnx" else torchscript(file)


def onnx(file: Path, threads: int = 0) -> Runnable:
    """An ONNX file, run by onnxruntime on a CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> Tensor:
        return np.asarray(session.run(None, {INPUT: images})[0])

    return run


def torchscript(file: Path) -> Runnable:
    """A TorchScript file, run by torch on a CPU."""
    import torch

    module = torch.jit.load(str(file), map_location="cpu").eval()

    def run(images: Tensor) -> Tensor:
        with torch.inference_mode():
            return np.asarray(module(torch.from_numpy(images)).numpy())

    return run
