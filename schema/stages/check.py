"""Look before a long training: load the model, see a few rows, answer them, and say what was found.

looks: {kind: check, model: base, data: data.train}
"""

from typing import Literal

from schema.base import Positive, Reference
from schema.stage import Product, Stage, Use


class Check(Stage):
    """Hands over `check.json`: parameters, dtype, attention, the tokens of the rows, their loss and the answers to them. What
    fails is named: the model, its processor, the rows, the forward pass or the generation.
    """

    kind: Literal["check"]
    model: Reference
    """A name in `models`, or a stage that hands over a model or an adapter."""
    data: Reference
    """`STAGE.SPLIT` of a `prepare` stage."""
    batch: Positive = 2
    """The first rows of the data, which are looked at together."""
    max_new_tokens: Positive = 16
    """Tokens of an answer at most."""

    @property
    def uses(self) -> tuple[Use, ...]:
        return (
            Use("model", ("model",), self.model, ("models", "model", "adapter")),
            Use("data", ("data",), self.data, ("rows",)),
        )

    @property
    def gives(self) -> Product:
        return "report"
