"""recipe ls: the recipes of this project."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from compiler.passes import build
from compiler.plan import Plan
from compiler.render import render
from compiler.write import differences
from schema.console import recipe_files
from schema.diagnostics import RecipeError
from schema.load import load
from schema.stages import Quantize
from schema.toolchain import METHODS_NOT_RUN, NEEDS_GPU, is_smoke

AROUND = ("prepare", "check", "merge", "predict", "evaluate")


@dataclass(frozen=True)
class Row:
    """One instance of a recipe."""

    name: str
    file: str
    what: str
    kinds: str
    """The kinds of its stages but those that every recipe has around them."""
    models: str
    hardware: str
    compiled: str
    smoke: str
    """Whether its smoke test is run, or why not."""
    last_run: str


def ls(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """List the recipes of this project: kinds of stages, models, hardware, compiled, smoke run, last run."""
    rows = [row for file in recipe_files(Path()) for row in _rows(file)]
    if as_json:
        print(json.dumps({"format_version": 1, "recipes": [asdict(row) for row in rows]}, indent=1, ensure_ascii=False))
        return
    if not rows:
        print("there is no recipe in recipes/ here; `recipe new NAME` writes one")
        return
    from rich.console import Console  # tables are only for people
    from rich.table import Column, Table

    table = Table(Column("recipe", no_wrap=True), box=None, header_style="bold", pad_edge=False)
    for name in ("kinds", "models", "hardware", "compiled", "smoke run", "last run"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(row.name, row.kinds or row.what, row.models, row.hardware, row.compiled, row.smoke, row.last_run)
    Console().print(table)


def _rows(file: Path) -> list[Row]:
    try:
        loaded = load(file, {})
        return [_row(loaded.root, build(loaded, instance.variant)) for instance in loaded.instances]
    except RecipeError as error:
        count = sum(diagnostic.severity == "error" for diagnostic in error.diagnostics)
        return [
            Row(
                file.stem,
                str(file),
                f"{count} error{'s' if count > 1 else ''}: recipe validate {file}",
                "",
                "",
                "",
                "",
                "",
                "",
            )
        ]


def _row(root: Path, plan: Plan) -> Row:
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
        _smoke(plan),
        _last_run(root, plan),
    )


def _smoke(plan: Plan) -> str:
    """Whether the tests run this instance to its end on a CPU; of what cannot run there, the reason."""
    methods = (stage.stage.method for stage in plan.stages if isinstance(stage.stage, Quantize))
    reasons = [
        *(NEEDS_GPU.get(stage.toolchain) for stage in plan.stages),
        *(METHODS_NOT_RUN.get(method) for method in methods),
    ]
    reason = next((f"not run: {reason}" for reason in reasons if reason), None)
    if reason:
        return reason
    return "run" if is_smoke(plan.instance.variant) else ""


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
