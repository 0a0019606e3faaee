"""One metric of several instances of a recipe side by side: models as lines, scores as columns.

recipe compare recipes/okvqa.yaml

instance  model                        scores-before  scores-after  change   rows
okvqa     Qwen/Qwen2.5-VL-7B-Instruct          0.512         0.561  +0.049  5,046
gemma     LLM-Research/gemma-3-12b-it          0.498         0.530  +0.032  5,046
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runners.compare_students import columns, remarks
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import read_json
from schema.load import Instance
from schema.stages import Distill

if TYPE_CHECKING:
    from rich.table import Table

FORMAT = 1
DIGITS = 6
MAIN = ("vqa_accuracy", "accuracy", "map", "f1_macro", "recall_at_1", "map50_95", "miou")
"""Metrics that stand for the others, the first that there is."""
COUNTS = ("rows", "unparsed", "unanswered")
NONE = "–"


@dataclass(frozen=True, slots=True)
class Line:
    """What one instance came to: stage that scores → its metrics, of those that have run, and what is to be said."""

    instance: str
    model: str
    metrics: Mapping[str, Mapping[str, float]]
    remarks: tuple[str, ...] = ()
    students: bool = False
    """Whether the scores are those of students, which are no steps of one way."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`stages` are the columns; `missing` are the instances that have no scores yet."""

    recipe: str
    metric: str
    stages: tuple[str, ...]
    lines: tuple[Line, ...]
    missing: tuple[str, ...]

    def scores(self, line: Line) -> list[float | None]:
        """A line's scores in the order of the stages."""
        return [line.metrics.get(stage, {}).get(self.metric) for stage in self.stages]

    def change(self, line: Line) -> float | None:
        """By how much the last score is above the first."""
        scores = self.scores(line)
        first, last = scores[0], scores[-1]
        return (
            None if len(scores) < 2 or line.students or first is None or last is None else round(last - first, DIGITS)
        )


def compare(root: Path, recipe: str, instances: Sequence[Instance], metric: str | None) -> Comparison:
    """The comparison. Errors: RecipeError R0648 when nothing has run, R0649 when no score has the metric."""
    lines = [_line(root, instance) for instance in instances]
    run = tuple(line for line in lines if line.metrics)
    if not run:
        help = f"run it: `recipe run recipes/{recipe}.yaml`, and its variants with `--variant NAME`"
        raise RecipeError([Diagnostic("R0648", f"no instance of {recipe} has scores yet", help)])
    chosen = _metric(run, metric)
    stages = dict.fromkeys(name for line in run for name, found in line.metrics.items() if chosen in found)
    missing = tuple(line.instance for line in lines if not line.metrics)
    return Comparison(recipe, chosen, tuple(stages), run, missing)


def _line(root: Path, instance: Instance) -> Line:
    stages = instance.recipe.stages
    metrics: dict[str, Mapping[str, float]] = {}
    for name, stage in stages.items():
        values = read_json(root / "outputs" / instance.label / name / "metrics.json")
        if isinstance(values, dict):
            metrics |= columns(name, stage, values)
    scored = [name for name, stage in stages.items() if stage.gives == "scores"]
    said, students = tuple(remarks(instance)), any(isinstance(stage, Distill) for stage in stages.values())
    return Line(instance.variant or instance.recipe.name, _model(instance, scored), metrics, said, students)


def _model(instance: Instance, scored: Iterable[str]) -> str:
    """The pretrained model that the scores go back to."""
    recipe = instance.recipe
    for name in scored:
        for use in recipe.stages[name].uses:
            model = recipe.base_model(use.name)
            if model is not None:
                return recipe.models[model].id
    return ""


def _metric(lines: Sequence[Line], wanted: str | None) -> str:
    known = dict.fromkeys(name for line in lines for found in line.metrics.values() for name in found)
    metric = wanted or next((name for name in MAIN if name in known), None)
    if metric in known:
        return metric
    message = f"no score is called `{wanted}`" if wanted else "none of the scores stands for the others"
    listed = ", ".join(f"`{name}`" for name in known if name not in COUNTS)
    raise RecipeError([Diagnostic("R0649", message, f"give `--metric`, one of {listed}")])


def document(comparison: Comparison) -> dict[str, Any]:
    """The comparison for programs."""
    return {
        "format_version": FORMAT,
        "recipe": comparison.recipe,
        "metric": comparison.metric,
        "stages": list(comparison.stages),
        "instances": [
            {
                "instance": line.instance,
                "model": line.model,
                "scores": dict(zip(comparison.stages, comparison.scores(line), strict=True)),
                "change": comparison.change(line),
                "rows": _rows(comparison, line),
            }
            for line in comparison.lines
        ],
        "remarks": list(dict.fromkeys(remark for line in comparison.lines for remark in line.remarks)),
        "not_run": list(comparison.missing),
    }


def _rows(comparison: Comparison, line: Line) -> int | None:
    """How many rows the last of its scores counts."""
    counts = [line.metrics[stage].get("rows") for stage in comparison.stages if stage in line.metrics]
    counts = [count for count in counts if count is not None] if line.students else counts
    return int(counts[-1]) if counts and counts[-1] is not None else None


def _changes(comparison: Comparison) -> bool:
    """Whether its scores are those of steps, so that what lies between the first and the last says something."""
    return len(comparison.stages) > 1 and not any(line.students for line in comparison.lines)


def _head(comparison: Comparison) -> list[str]:
    change = ["change"] if _changes(comparison) else []
    return ["instance", "model", *comparison.stages, *change, "rows"]


def _cells(comparison: Comparison, line: Line) -> list[str]:
    scores = [NONE if score is None else f"{score:.3f}" for score in comparison.scores(line)]
    change, rows = comparison.change(line), _rows(comparison, line)
    changed = [NONE if change is None else f"{change:+.3f}"] if _changes(comparison) else []
    return [line.instance, line.model, *scores, *changed, NONE if rows is None else f"{rows:,}"]


def markdown(comparison: Comparison) -> str:
    """A table in Markdown, with numbers on the right."""
    head = _head(comparison)
    lines = [head, ["---", "---", *["---:"] * (len(head) - 2)]]
    lines += [_cells(comparison, line) for line in comparison.lines]
    text = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    return f"**{comparison.recipe}**: {comparison.metric}\n\n{text}{_missing(comparison, before=chr(10))}"


def _missing(comparison: Comparison, before: str = "") -> str:
    said = dict.fromkeys(remark for line in comparison.lines for remark in line.remarks)
    missing = [f"Not run: {', '.join(comparison.missing)}"] if comparison.missing else []
    return "".join(f"{before}{line}\n" for line in (*said, *missing))


def table(comparison: Comparison) -> tuple[Table, str]:
    """A table for a terminal, and the line below it."""
    from rich.table import Table

    head = _head(comparison)
    drawn = Table(*head, title=f"{comparison.recipe}: {comparison.metric}", title_justify="left", box=None)
    for column in drawn.columns[2:]:
        column.justify = "right"
    for line in comparison.lines:
        drawn.add_row(*_cells(comparison, line))
    return drawn, _missing(comparison)
