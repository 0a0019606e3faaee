"""A module as a file: ONNX through `torch.export`, TorchScript through `torch.jit.trace`; the same bytes each time."""

from __future__ import annotations

import contextlib
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from runners.exporting.folder import INPUT, OUTPUT

EXAMPLE = 2  # rows of the example that is traced; a batch of 1 would be taken for a constant
EXTERNAL_BYTES = 1_500_000_000
"""Weights beyond this stand in a file beside the ONNX file, whose format ends at 2 GB."""
DEBUG = ".debug_pkl"


def example(shape: Sequence[int]) -> torch.Tensor:
    """What is traced with: rows of a shape."""
    return torch.linspace(-1, 1, EXAMPLE * math.prod(shape)).reshape(EXAMPLE, *shape)


def write_onnx(module: torch.nn.Module, shape: Sequence[int], opset: int, file: Path) -> None:
    """Write an ONNX file whose batch is dynamic."""
    import onnx

    large = sum(p.numel() * p.element_size() for p in module.parameters()) > EXTERNAL_BYTES
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            module,
            (example(shape),),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=opset,
            verbose=False,
        )
    model = program.model_proto
    _forget_places(model)
    external: dict[str, Any] = (
        {"save_as_external_data": True, "location": f"{file.name}.data", "all_tensors_to_one_file": True}
        if large
        else {}
    )
    onnx.save_model(model, str(file), **external)


def _forget_places(model: Any) -> None:
    """Take away where in the source each node comes from: paths of this machine."""
    for graph in (model.graph, *model.functions):
        del graph.metadata_props[:]
        for part in (*graph.node, *graph.value_info):
            del part.metadata_props[:]
            part.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
    model.doc_string = ""
    del model.metadata_props[:]


def write_torchscript(module: torch.nn.Module, shape: Sequence[int], file: Path) -> None:
    """Write a TorchScript file, without the records that tell where in the source each line comes from."""
    whole = file.with_suffix(".traced")
    with _quiet(), torch.no_grad():
        torch.jit.trace(module, example(shape), check_trace=False).save(str(whole))
    _without_debug(whole, file)
    whole.unlink()


def _without_debug(source: Path, target: Path) -> None:
    """The archive without its debug records; torch's own writer keeps tensors aligned."""
    reader = torch._C.PyTorchFileReader(str(source))
    writer = torch._C.PyTorchFileWriter(str(target))
    own = {"version", "byteorder", ".data/serialization_id", ".format_version", ".storage_alignment"}
    for name in reader.get_all_records():
        if not name.endswith(DEBUG) and name not in own:
            content = reader.get_record(name)
            writer.write_record(name, content, len(content))
    writer.write_end_of_file()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the tracers' remarks on what is a constant: it is meant to be, and the result is compared."""
    with warnings.catch_warnings(), Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        warnings.simplefilter("ignore")
        yield
