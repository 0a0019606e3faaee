"""Score predictions.

scores: {kind: evaluate, predictions: answers, metrics: [accuracy, f1, precision, recall]}
agreement: {kind: evaluate, predictions: answers, metrics: [vqa_accuracy]}      # several people's answers to each question
tags: {kind: evaluate, predictions: answers-test, thresholds_from: answers-validation, metrics: [f1, map]}
"""

from typing import Literal

from pydantic import Field

from schema.base import Name
from schema.stage import Product, Stage, Use

Metric = Literal["accuracy", "f1", "precision", "recall", "map", "vqa_accuracy"]


class Evaluate(Stage):
    """Hands over `metrics.json` (macro, micro and weighted averages), `report.json` (each class) and `confusion.csv`.

    With `vqa_accuracy`, for rows with several people's answers, they hold the mean and that of each type of question.
    """

    kind: Literal["evaluate"]
    predictions: Name
    """A `predict` stage."""
    metrics: tuple[Metric, ...] = Field(("accuracy", "f1", "precision", "recall"), min_length=1)
    """`map` is the mean average precision of classes that may occur together."""
    thresholds_from: Name | None = None
    """A `predict` stage of the validation split, on which the probability is chosen from which on each class counts as
    found; 0.5 for all when absent. Only for predictions with any number of classes."""

    @property
    def uses(self) -> tuple[Use, ...]:
        uses = (Use("predictions", ("predictions",), self.predictions, ("predictions",)),)
        if self.thresholds_from is None:
            return uses
        return (*uses, Use("thresholds", ("thresholds_from",), self.thresholds_from, ("predictions",)))

    @property
    def gives(self) -> Product:
        return "scores"
