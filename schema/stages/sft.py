"""Supervised fine-tuning of a language or vision-language model.

train: {kind: sft, model: base, data: data.train, tuner: {kind: lora, rank: 16}, batch: {global: 8, micro: 1}, epochs: 2}
"""

from typing import Literal

from schema.training import SupervisedStage


class Sft(SupervisedStage):
    """Trains on conversations; hands over an adapter (`tuner: lora`) or a model (`tuner: full`)."""

    kind: Literal["sft"]
