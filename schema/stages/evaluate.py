"""Score predictions.

scores: {kind: evaluate, predictions: answers, metrics: [accuracy, f1, precision, recall]}
agreement: {kind: evaluate, predictions: answers, metrics: [vqa_accuracy]}      # several people's answers to each question
"""

from typing import Literal

from pydantic import Field

from schema.base import Name
from schema.stage import Product, Stage, Use

Metric = Literal["accuracy", "f1", "precision", "recall", "vqa_accuracy"]


class Evaluate(Stage):
    """Hands over `metrics.json` (macro, micro and weighted averages), `report.json` (each class) and `confusion.csv`.

    With `vqa_accuracy`, for rows with several people's answers, they hold the mean and that of each type of question.
    """

    kind: Literal["evaluate"]
    predictions: Name
    """A `predict` stage."""
    metrics: tuple[Metric, ...] = Field(("accuracy", "f1", "precision", "recall"), min_length=1)

    @property
    def uses(self) -> tuple[Use, ...]:
        return (Use("predictions", ("predictions",), self.predictions, ("predictions",)),)

    @property
    def gives(self) -> Product:
        return "scores"
