"""Export a model to ONNX and TorchScript, and hold each file against the original on real pictures.

python -m runners.export --model outputs/x/train/model --family qwen2_vl --part whole --size 224 224 \\
    --data outputs/x/data/validation.jsonl --classes outputs/x/data/classes.json --to outputs/x/exported

Written are export/ (export.json and the files) and metrics.json: the largest absolute difference of each format on the
rows, the agreement of the likeliest class and the accuracy where there are classes. Everything runs in float32 on the CPU, so
what is compared is the export and not a number format. Batches of 1, of 3 and of 16 are run, with the rows again from the
first where there are not enough: the batch is dynamic.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runners import cli
from runners.exporting import folder as folders
from runners.exporting import pictures
from runners.exporting.folder import FILES, Exported, Runnable
from runners.exporting.pictures import Labels, Tensor
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_json

if TYPE_CHECKING:
    from runners.exporting.subject import Subject

BATCHES = (1, 3)
CHUNK = 16  # rows at once
SHOWN = 3  # significant digits of a difference; the rest is noise of the order of summation


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0590 to R0594."""
    options = _parse(argv)
    rows = pictures.read_rows(options.data, options.rows)
    classes = json.loads(options.classes.read_bytes()) if options.classes else []
    subject = _subject(options, rows, classes)
    target = options.to / "export"
    target.mkdir(parents=True, exist_ok=True)
    files = {name: FILES[name] for name in options.formats}
    _write(subject, options.opset, files, target)
    named = classes if subject.output == "logits" else []
    folders.write(
        Exported(subject.family, subject.output, subject.looks, files, options.opset, named, subject.student), target
    )
    seen = list(pictures.fitted(rows, options.data, subject.looks))
    metrics = compare(subject, target, seen, pictures.labels(rows, named) if named else None)
    write_json(options.to / "metrics.json", metrics)
    print(", ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
    _within(metrics, options.tolerance)
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m runners.export", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, metavar="DIR")
    parser.add_argument("--family", required=True, help="`student`, or ms-swift's model type")
    parser.add_argument("--part", choices=("whole", "vision"), default="whole")
    parser.add_argument("--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--data", type=Path, required=True, metavar="FILE")
    parser.add_argument("--rows", type=int, default=32, help="how many rows are compared")
    parser.add_argument("--classes", type=Path, metavar="FILE")
    parser.add_argument("--formats", nargs="+", choices=tuple(FILES), default=list(FILES))
    parser.add_argument("--opset", type=int, default=20)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    return parser.parse_args(argv)


def _subject(options: argparse.Namespace, rows: Sequence[dict[str, Any]], classes: Sequence[str]) -> Subject:
    """The model and its wrapper. Each family's module loads what it needs and nothing else."""
    size = tuple(options.size) if options.size else None
    if options.family == "student":
        from runners.exporting.student import student

        return student(options.model, size, rows[0])
    assert size is not None  # the recipe has been checked
    if options.part == "whole":
        from runners.exporting.qwen2_vl import classifier

        return classifier(options.model, size, len(classes), _same_prompt(rows, options.data))
    if options.family == "qwen2_vl":
        from runners.exporting.qwen2_vl import vision
    else:
        from runners.exporting.llava import vision
    return vision(options.model, size)


def _same_prompt(rows: Sequence[dict[str, Any]], data: Path) -> dict[str, Any]:
    """A row whose prompt is that of all. Errors: RecipeError R0592."""
    for number, row in enumerate(rows, 1):
        if row["messages"] != rows[0]["messages"]:
            message = f"row {number} of {data} asks something else than the first, and an export holds one prompt"
            raise RecipeError([Diagnostic("R0592", message, "prepare the data with one `prompt` for all rows")])
    return rows[0]


def _write(subject: Subject, opset: int, files: dict[str, str], target: Path) -> None:
    from runners.exporting import formats

    for name, file in files.items():
        if name == "onnx":
            formats.write_onnx(subject.module, subject.looks.shape, opset, target / file)
        else:
            formats.write_torchscript(subject.module, subject.looks.shape, target / file)


def compare(subject: Subject, target: Path, seen: Sequence[Any], wanted: Labels | None) -> dict[str, float]:
    """Name → value: rows, and for each format its largest difference from the original."""
    import torch

    with torch.inference_mode():
        parts = [subject.original(seen[begin : begin + CHUNK]).numpy() for begin in range(0, len(seen), CHUNK)]
    right = np.concatenate(parts)
    metrics: dict[str, float] = {"rows": len(seen), "outputs": int(right[0].size), "scale": _short(np.abs(right).max())}
    if wanted is not None:
        metrics["accuracy_original"] = pictures.accuracy(right, wanted)
    images = pictures.tensors(seen, subject.looks)
    for name in folders.read(target).files:
        run = folders.runnable(target, name)
        metrics[f"{name}_max_difference"] = _short(_difference(run, images, right))
        if subject.output == "logits":
            found = in_chunks(run, images)
            metrics[f"{name}_same_class"] = pictures.equal(
                *(pictures.chosen(scores, wanted) for scores in (found, right))
            )
            if wanted is not None:
                metrics[f"{name}_accuracy"] = pictures.accuracy(found, wanted)
    return metrics


def _difference(run: Runnable, images: Tensor, right: Tensor) -> float:
    """The largest absolute difference, over batches of several sizes; NaN where anything is none."""
    filled = np.arange(max(len(images), CHUNK)) % len(images)
    found = [np.abs(in_chunks(run, images[filled], size) - right[filled]).max() for size in (*BATCHES, CHUNK)]
    return float(np.max(found))


def in_chunks(run: Runnable, images: Tensor, size: int = CHUNK) -> Tensor:
    """The output for all rows, so many at once."""
    return np.concatenate([run(images[begin : begin + size]) for begin in range(0, len(images), size)])


def _short(value: float) -> float:
    return float(f"{float(value):.{SHOWN}g}")


def _within(metrics: dict[str, float], tolerance: float) -> None:
    """Errors: RecipeError R0594 with each format that is too far away; what is not a number is."""
    names = [name for name in FILES if f"{name}_max_difference" in metrics]
    far = [name for name in names if not metrics[f"{name}_max_difference"] <= tolerance]
    if far:
        listed = ", ".join(f"{name} by {metrics[f'{name}_max_difference']:.3g}" for name in far)
        message = (
            f"the export differs from its original on {metrics['rows']} rows: {listed}, and {tolerance:g} is allowed"
        )
        help = f"the original's outputs reach {metrics['scale']:g}; raise `tolerance` if the difference is small beside that"
        raise RecipeError([Diagnostic("R0594", message, help)])


if __name__ == "__main__":
    cli.run(main)
