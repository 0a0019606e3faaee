"""Gather a model whose weights an engine made smaller, and say how much smaller its files are.

python -m runners.quantized --before .recipe/models/x --from "$RECIPE_OUT/quantized" --to "$RECIPE_OUT/result"

Written are model/ and metrics.json: the bytes of the weights before and after, and after divided by before. How well the
smaller model answers is told by a `predict` and an `evaluate` stage of each.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from runners import cli, collect
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_json

WEIGHTS = ("*.safetensors", "*.bin", "*.pt")
DIGITS = 4


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0616 when the engine left no weights, R0684 when they are as large as before."""
    parser = argparse.ArgumentParser(prog="python -m runners.quantized", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--before", type=Path, required=True, metavar="DIR", help="the model as it was")
    parser.add_argument("--from", dest="source", type=Path, required=True, metavar="DIR", help="what the engine wrote")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(argv)
    options.to.mkdir(parents=True, exist_ok=True)
    collect.model(options.source, options.to)
    before, after = weights(options.before), weights(options.to / "model")
    if after >= before:
        message = f"the weights are no smaller than before: {after} bytes, and they were {before}"
        help = "see the engine's log: some kernels want a newer GPU, and some layers are left as they are"
        raise RecipeError([Diagnostic("R0684", message, help)])
    metrics = {"bytes_before": before, "bytes_after": after, "ratio": round(after / before, DIGITS)}
    write_json(options.to / "metrics.json", metrics)
    print(", ".join(f"{name} {value:g}" for name, value in metrics.items()))
    return 0


def weights(model: Path) -> int:
    """Bytes of the files of weights in a model's folder. Errors: RecipeError R0616 when there are none."""
    for pattern in WEIGHTS:
        if files := list(model.glob(pattern)):
            return sum(file.stat().st_size for file in files)
    raise RecipeError([Diagnostic("R0616", f"there are no weights in {model}", "see the end of the engine's log")])


if __name__ == "__main__":
    cli.run(main)
