"""Learning embeddings by contrast: what belongs together comes close, all else is pushed away (InfoNCE, arXiv:1807.03748).

train: {kind: embed, model: base, data: pairs.train, temperature: 0.05, tuner: {kind: lora}, batch: {global: 64, micro: 64}}
"""

from typing import Literal

from pydantic import Field

from schema.base import Positive
from schema.training import SupervisedStage


class Embed(SupervisedStage):
    """Trains on rows with a text that belongs to them (`task: embed`); hands over an adapter or a model."""

    kind: Literal["embed"]
    temperature: float = Field(0.1, gt=0)
    """Similarities are divided by it: the smaller, the more the hardest of the others count."""
    in_batch_negatives: bool = True
    """The texts of the other rows of a batch, over all processes, do not belong to a row either."""
    hard_negatives: Positive | None = None
    """So many texts of a row's own `negatives`, by repetition if need be; all of them when absent."""
