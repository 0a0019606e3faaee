"""recipe check pipelines/animals-lora: what the first stage of every pipeline runs. Leaves a constant stamp."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from compiler.compilation import compiled, find_stale
from compiler.render import MANIFEST
from compiler.render.dvc import STAMP
from compiler.write import replace_file
from schema.diagnostics import Diagnostic, RecipeError
from schema.load import load
from schema.render import text

STAMPED = "The compiled files of this pipeline say what its recipe says.\n"


def main(argv: Sequence[str]) -> int:
    """0 and a stamp when the pipeline is what its recipe compiles to, else 1."""
    if len(argv) != 1:
        print("usage: recipe check pipelines/NAME", file=sys.stderr)
        return 2
    sources: dict[str, str] = {}
    try:
        check(Path(argv[0]), sources)
    except RecipeError as error:
        print(text(error.diagnostics, sources), file=sys.stderr)
        return 1
    return 0


def check(pipeline: Path, sources: dict[str, str]) -> None:
    """Compile again in memory, compare, and stamp. Raises RecipeError when something differs."""
    try:
        compiled_from = json.loads((pipeline / MANIFEST).read_bytes())["recipe"]
        file, variant = Path(compiled_from["file"]), compiled_from["variant"]
    except (OSError, ValueError, KeyError, TypeError):
        raise RecipeError([Diagnostic("R0405", f"{pipeline} is not compiled", "run `recipe compile`")]) from None
    loaded = load(file, sources)
    plans = compiled(loaded)
    stale = list(find_stale(Path(), loaded, plans))
    if stale:
        raise RecipeError(stale)
    outputs = [plan.outputs for plan in plans if plan.instance.variant == variant]
    if not outputs:
        message = f"{file} has no variant `{variant}` any more"
        raise RecipeError([Diagnostic("R0405", message, f"run `recipe compile {file}`")])
    replace_file(Path(outputs[0], STAMP), STAMPED)
