"""The end of every training: a checkpoint goes on, and the curves of what was measured stand beside it.

What steps and what evaluations measure are two files: DVC draws an empty cell as 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from compiler.plan import Command, Output, OutputPath, Value
from schema.training import TrainingStage

RESULT = OutputPath("result")


def collect(stage: TrainingStage) -> Command:
    """The command that hands the checkpoint over."""
    options: dict[str, Value] = {
        "from": OutputPath("checkpoints"),
        "to": RESULT,
        "select": stage.checkpoints.select,
        **evaluation_file(bool(stage.evaluation.data)),
    }
    return Command(("python", "-m", "runners.collect", "checkpoint"), options)


def evaluation_file(evaluates: bool) -> dict[str, Value]:
    """The option that says where to write what evaluations measured."""
    return {"evaluation": OutputPath("result/evaluation.csv")} if evaluates else {}


def outputs(stage: TrainingStage, measured: str, title: str) -> tuple[Output, ...]:
    """What every training of a language model hands over; `measured` is drawn of steps and of evaluations."""
    evaluated = (f"eval_{measured}",) if stage.evaluation.data else ()
    return Output("model", "model"), Output("metrics.json", "metrics"), *drawn((measured,), evaluated, title)


def drawn(steps: Sequence[str], evaluations: Sequence[str], title: str) -> tuple[Output, ...]:
    """The curve of the steps; with evaluations, theirs too."""
    curves = [("curve.csv", steps, title), ("evaluation.csv", evaluations, "Evaluation")]
    return tuple(
        Output(file, "plot", {"x": "step", "y": list(names) if len(names) > 1 else names[0], "title": title})
        for file, names, title in curves
        if names
    )
