"""Stages that our own runners carry out: data preparation and scores."""

from __future__ import annotations

from typing import Any, TypeGuard

from compiler.plan import Command, FilePath, InputPath, Json, Launch, Output, OutputPath, Plan, StagePlan, Value
from schema.checks_data import FOUND
from schema.datasets import Dataset
from schema.datasets.base import Columns, Embeddable
from schema.datasets.hub import fetched
from schema.datasets.okvqa import Okvqa
from schema.datasets.shapes import Shapes
from schema.stages import Classify, Distill, Evaluate, Predict, Prepare, Stage

APART = ("prompt", "prompt_file", "system", "split", "hub")
"""Fields that the configuration has elsewhere, and the hub: the same data comes from any."""

YOUNGER_COLUMNS = ("rejected", "label_separator", "positive", "negatives")

RESULT = OutputPath("result")
CONFUSION = {"template": "confusion", "x": "actual", "y": "predicted", "title": "Confusion matrix"}


def prepare(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """`python -m runners.prepare` with the data set's description as a file."""
    assert isinstance(planned.stage, Prepare)
    recipe = plan.instance.recipe
    dataset = recipe.datasets[planned.stage.dataset]
    described = dataset.model_dump(mode="json", exclude=_unsaid(dataset))
    if fetched(dataset):
        described["path"] = planned.input("dataset").path
    config: dict[str, Json] = {
        "dataset": {k: v for k, v in described.items() if k not in APART},
        "prompt": dataset.prompt,
        "system": dataset.system,
        **({} if isinstance(dataset, Okvqa) else {"split": described["split"]}),
        "task": planned.stage.task,
        "seed": recipe.seed,
    }
    counts = {stage.classes for stage in recipe.stages.values() if _classifies(stage, planned.name)}
    if len(counts) == 1:
        config["classes"] = counts.pop()  # what the data is checked against, before anything trains
    file = FilePath("prepare", f"{plan.pipeline}/{planned.name}.prepare.json")
    options: dict[str, Value] = {"config": file, "to": RESULT}
    if dataset.prompt_file is not None:
        options["prompt"] = InputPath("prompt", dataset.prompt_file)
    command = Command(("python", "-m", "runners.prepare"), options)
    names = [f"{split}.jsonl" for split in dataset.splits] + ["classes.json", "report.json"]
    names += dataset.makes(planned.stage.task)
    launch = Launch((command,), files={"prepare": config}, runners=("runners.prepare",))
    return launch, tuple(Output(name) for name in names)


def _unsaid(dataset: Dataset) -> dict[str, Any]:
    """Younger fields that say nothing, which older configurations do not have."""
    silent: dict[str, Any] = {}
    if isinstance(dataset, Okvqa):
        silent = {"external": True} if fetched(dataset) else {"id": True, "revision": True}
    if isinstance(dataset, Shapes) and dataset.noise is None:
        silent["noise"] = True
    if isinstance(dataset, Embeddable) and not dataset.embedded:
        silent["embedded"] = True
    columns = getattr(dataset, "columns", None)
    if isinstance(columns, Columns):
        silent["columns"] = {name for name in YOUNGER_COLUMNS if getattr(columns, name) is None}
    return silent


def _classifies(stage: Stage, rows: str) -> TypeGuard[Classify | Distill]:
    return (
        isinstance(stage, Classify | Distill)
        and stage.classes is not None
        and any(use.name == rows for use in stage.uses)
    )


def evaluate(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """`python -m runners.evaluate` on the predictions."""
    assert isinstance(planned.stage, Evaluate)
    predicting = plan.instance.recipe.stages[planned.stage.predictions]
    classifier = plan.instance.recipe.classifier(predicting.model) if isinstance(predicting, Predict) else None
    if classifier is not None and classifier.multi_label:
        return _tags(planned, planned.stage)
    student = plan.instance.recipe.student(predicting.model) if isinstance(predicting, Predict) else None
    if student is not None and student.learns in FOUND:
        return _found(planned)
    if planned.stage.metrics == ("vqa_accuracy",):
        return _agreement(planned)
    predictions = planned.input("predictions")
    options: dict[str, Value] = {
        "predictions": InputPath("predictions", predictions.path),
        "to": RESULT,
        "classes": InputPath("classes", planned.input("classes").path),
        "metrics": planned.stage.metrics,
    }
    launch = Launch((Command(("python", "-m", "runners.evaluate"), options),), runners=("runners.evaluate",))
    outputs = (
        Output("metrics.json", "metrics"),
        Output("report.json"),
        Output("confusion.csv", "plot", CONFUSION),
    )
    return launch, outputs


def _found(planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """`python -m runners.distill.score` on predictions of boxes or pixels."""
    options: dict[str, Value] = {
        "predictions": InputPath("predictions", planned.input("predictions").path),
        "to": RESULT,
        "classes": InputPath("classes", planned.input("classes").path),
    }
    program = "runners.distill.score"
    launch = Launch((Command(("python", "-m", program), options),), runners=(program,))
    return launch, (Output("metrics.json", "metrics"), Output("report.json"))


def _agreement(planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """`python -m runners.scores.agreement` on predictions with several people's answers."""
    options: dict[str, Value] = {
        "predictions": InputPath("predictions", planned.input("predictions").path),
        "to": RESULT,
    }
    program = "runners.scores.agreement"
    launch = Launch((Command(("python", "-m", program), options),), runners=(program,))
    return launch, (Output("metrics.json", "metrics"), Output("report.json"))


def _tags(planned: StagePlan, stage: Evaluate) -> tuple[Launch, tuple[Output, ...]]:
    """`python -m runners.scores.tags` on predictions with any number of classes."""
    options: dict[str, Value] = {"predictions": InputPath("predictions", planned.input("predictions").path)}
    if stage.thresholds_from is not None:
        options["thresholds-from"] = InputPath("thresholds", planned.input("thresholds").path)
    options |= {
        "to": RESULT,
        "classes": InputPath("classes", planned.input("classes").path),
        "metrics": stage.metrics,
    }
    launch = Launch((Command(("python", "-m", "runners.scores.tags"), options),), runners=("runners.scores.tags",))
    return launch, (Output("metrics.json", "metrics"), Output("report.json"), Output("thresholds.json"))
