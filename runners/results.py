"""What a run has to show at its end: scores, confusion matrix, training curve, and DVC's page with the plots."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runners.dvc import Dvc, Signals
from runners.pipeline import Pipeline, Step
from schema.files import read_json

SCORING = ("evaluate", "retrieve", "export", "quantize", "benchmark")
"""Kinds of stages that hand over numbers to look at: scores, what a model lost in another form, how fast it is."""
WIDTH = 110  # columns where no terminal says how many it has; ten classes fit


def metrics(pipeline: Pipeline) -> dict[str, Mapping[str, Any]]:
    """Stage → its metrics, of those that have run and have some."""
    found = {step.name: read_json(pipeline.root / step.out / "metrics.json") for step in pipeline.steps}
    return {name: numbers for name, numbers in found.items() if isinstance(numbers, dict)}


def present(pipeline: Pipeline) -> bool:
    """Scores, confusion matrix and curve on standard output. Returns whether there was something."""
    from rich.console import Console

    from runners.show import show

    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    shown = [(step.name, found) for step in _last_first(pipeline) if (found := show(pipeline.root / step.out))]
    for name, renderables in shown:
        if len(shown) > 1:
            console.print()
            console.print(name, style="bold cyan")
        for renderable in renderables:
            console.print()
            console.print(renderable)
    return bool(shown)


def _last_first(pipeline: Pipeline) -> Iterator[Step]:
    """The stages, scores before the trainings that led to them."""
    yield from (step for step in pipeline.steps if step.kind in SCORING)
    yield from (step for step in pipeline.steps if step.kind not in SCORING)


def plots_page(pipeline: Pipeline) -> str | None:
    """Have DVC make its page with the plots; its path relative to the root, None when there is nothing to plot."""
    folder = Path(pipeline.folder)
    there = [plot for plot in pipeline.plots if (pipeline.root / folder / plot).is_file()]
    if not there:
        return None
    page = f".recipe/plots/{pipeline.label}"
    targets = [pipeline.target(f":{plot}") for plot in there]
    (pipeline.root / page).mkdir(parents=True, exist_ok=True)
    with Signals() as signals:
        dvc = Dvc(pipeline.root, signals)
        code = dvc.run(("plots", "show", "--out", page, *targets), {}, lambda stream, line: None)
    made = f"{page}/index.html"
    return made if code == 0 and (pipeline.root / made).is_file() else None
