"""recipe ls: the recipes of this project."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from compiler.commands.ls_table import Row, grouped, lines
from compiler.passes import build
from compiler.plan import Plan
from compiler.render import render
from compiler.write import differences
from schema.console import AsFormat, Format, recipe_files
from schema.diagnostics import RecipeError
from schema.load import load
from schema.stages import Quantize
from schema.toolchain import METHODS_NOT_RUN, NEEDS_GPU, OWN_CODE, is_smoke

AROUND = ("prepare", "check", "merge", "predict", "evaluate")


def ls(format: AsFormat = Format.TEXT) -> None:
    """List the recipes of this project: kinds of stages, models, hardware, compiled, smoke run, last run."""
    rows = [row for file in recipe_files(Path()) for row in listed(file)]
    if format is Format.JSON:
        print(json.dumps({"format_version": 1, "recipes": [asdict(row) for row in rows]}, indent=1, ensure_ascii=False))
        return
    if not rows:
        print("there is no recipe in recipes/ here; `recipe new NAME` writes one")
        return
    if not sys.stdout.isatty():
        print("\n".join(lines(rows)))
        return
    from rich.console import Console  # colours are only for people
    from rich.text import Text

    console = Console()
    for line, heading in grouped(rows, console.width):
        console.print(Text(line, style="bold" if heading else ""), soft_wrap=True)
    console.print(Text(_legend(rows), style="dim"), soft_wrap=True)


def _legend(rows: list[Row]) -> str:
    recipes = len({row.name.partition("/")[0] for row in rows})
    said = f"{len(rows)} variants of {recipes} recipes"
    said += "" if {row.compiled for row in rows} - {"yes"} else ", all compiled"
    return f"\n{said}.\ntested: the tests run it to its end on a CPU; GPU: it needs one, so no test does"


def listed(file: Path) -> list[Row]:
    """A row for each instance of a recipe, or one that says that it has errors."""
    try:
        loaded = load(file, {})
        has_smoke = any(is_smoke(instance.variant) for instance in loaded.instances)
        plans = (build(loaded, instance.variant) for instance in loaded.instances)
        return [_row(loaded.root, plan, has_smoke) for plan in plans]
    except RecipeError as error:
        count = sum(diagnostic.severity == "error" for diagnostic in error.diagnostics)
        return [Row(file.stem, str(file), f"{count} error{'s' if count > 1 else ''}: recipe validate {file}")]


def _row(root: Path, plan: Plan, has_smoke: bool) -> Row:
    recipe = plan.instance.recipe
    hardware = recipe.hardware
    device = f"{hardware.nodes} × {hardware.gpus} GPU" if hardware.gpus else "CPU"
    stale = differences(root / plan.pipeline, render(plan))
    missing = not (root / plan.pipeline / "manifest.json").exists()
    return Row(
        plan.label,
        plan.file,
        recipe.description if plan.instance.variant is None else "",
        ", ".join(dict.fromkeys(kind for stage in plan.stages if (kind := stage.kind) not in AROUND)),
        ", ".join(model.id for model in recipe.models.values()),
        device + (f" {hardware.gpu_memory}" if hardware.gpu_memory else ""),
        "no" if missing else "stale" if stale else "yes",
        _smoke(plan, has_smoke),
        _last_run(root, plan),
    )


def _smoke(plan: Plan, has_smoke: bool) -> str:
    """Whether the tests run this instance to its end on a CPU; of what cannot run there, the reason."""
    smoke = is_smoke(plan.instance.variant)
    toolchains = NEEDS_GPU if smoke else NEEDS_GPU | OWN_CODE
    methods = [stage.stage.method for stage in plan.stages if isinstance(stage.stage, Quantize)]
    reasons = [
        *(toolchains[stage.toolchain] for stage in plan.stages if stage.toolchain in toolchains),
        *(METHODS_NOT_RUN[method] for method in methods if method in METHODS_NOT_RUN),
    ]
    hardware = plan.instance.recipe.hardware
    alone = plan.instance.variant is None and not has_smoke and hardware.gpus == 0
    if not reasons and (smoke or alone):
        return "run"
    count = hardware.gpus * hardware.nodes
    needs = f"needs {count} GPUs" if count > 1 else "needs a GPU" if count else "its smoke variant is"
    return f"not run: {reasons[0] if reasons else needs}"


def _last_run(root: Path, plan: Plan) -> str:
    """When the last stage that ran ended, and how many stages have a record of this very launch."""
    records: list[dict[str, Any]] = []
    for stage in plan.stages:
        try:
            records.append(json.loads((root / stage.out / "run.json").read_bytes()))
        except (OSError, ValueError):
            continue
    if not records:
        return "never"
    current = sum(record.get("key") in {stage.key for stage in plan.stages} for record in records)
    ended = max(str(record.get("ended", "")) for record in records)
    return f"{ended[:16].replace('T', ' ')}, {current} of {len(plan.stages)} stages"
