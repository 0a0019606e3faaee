"""Learning which of two answers is preferred (DPO, arXiv:2305.18290).

polite: {kind: dpo, model: train, data: pairs.train, beta: 0.1, tuner: {kind: lora, rank: 16}, batch: {global: 16, micro: 1}}
"""

from typing import Literal

from pydantic import Field

from schema.base import Positive
from schema.training import AlignmentStage

PreferenceLoss = Literal[
    "sigmoid", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair", "sppo_hard", "aot", "aot_unpaired",
    "apo_zero", "apo_down",
]  # fmt: skip
SMOOTHED = ("sigmoid", "exo_pair", "robust", "aot", "aot_unpaired")
"""Losses that `label_smoothing` has an effect on."""


class Dpo(AlignmentStage):
    """Trains on rows with two answers (`task: prefer`); hands over an adapter or a model."""

    kind: Literal["dpo"]
    beta: float = Field(0.1, gt=0)
    """How dear it is to move away from the reference model. At 0 there is no gradient, and nothing would be trained."""
    loss_type: PreferenceLoss = "sigmoid"
    """How the preference becomes a loss, by TRL's names."""
    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    """The share of preferences that are thought to be the wrong way round. At one half both answers weigh the same, and
    nothing would be trained."""
    sft_weight: float = Field(0.0, ge=0)
    """The weight of the loss of the preferred answer alone, beside that of the preference (RPO, arXiv:2404.19733)."""
    max_length: Positive = 2048
    """Tokens of a question and one answer."""
    too_long: Literal["error", "left", "right"] = "error"
    """What happens to an example beyond `max_length`: the run ends, or it is cut at that side."""
