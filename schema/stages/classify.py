"""Fine-tuning with a classification head instead of generated text.

train: {kind: classify, model: base, data: data.train, classes: 10, tuner: {kind: full}, batch: {global: 32, micro: 32}}
tags: {kind: classify, model: base, data: tagged.train, classes: 80, multi_label: true}
"""

from typing import Literal

from pydantic import Field

from schema.training import SupervisedStage


class Classify(SupervisedStage):
    """Trains on rows of `task: classify`, or of `task: tag`; hands over a model with a head, or an adapter and a head."""

    kind: Literal["classify"]
    classes: int = Field(ge=2)
    """How many classes the head tells apart."""
    multi_label: bool | None = None
    """Each class is there or not, whatever the others are, instead of one of them for each row."""
