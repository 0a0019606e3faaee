"""recipe check pipelines/animals-lora: what the first stage of every pipeline runs. Leaves a constant stamp."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from compiler.commands.compile import compiled, find_stale
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
        manifest = json.loads((pipeline / MANIFEST).read_bytes())
        file = Path(manifest["recipe"]["file"])
    except (OSError, ValueError, KeyError, TypeError):
        raise RecipeError([Diagnostic("R0405", f"{pipeline} is not compiled", "run `recipe compile`")]) from None
    plans = compiled(load(file, sources))
    stale = list(find_stale(Path(), plans))
    if stale:
        raise RecipeError(stale)
    plan = next(plan for plan in plans if plan.pipeline == pipeline.as_posix())
    replace_file(Path(plan.outputs, STAMP), STAMPED)
