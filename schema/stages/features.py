"""What a model makes of each row: its last hidden state, pooled over the tokens and scaled to length 1.

vectors: {kind: features, model: train, data: pairs.validation, batch: 16}
"""

from typing import Literal

from schema.base import Positive, Reference
from schema.stage import Product, Stage, Use


class Features(Stage):
    """Hands over `embeddings/`: `rows.npy`, the vectors of what is asked, one for each row; where rows have texts that
    belong to them, `texts.npy`; and `index.json`, which says what they are of.
    """

    kind: Literal["features"]
    model: Reference
    """A name in `models`, or a stage that hands over a model or an adapter."""
    data: Reference
    """`STAGE.SPLIT` of a `prepare` stage, of any task."""
    pooling: Literal["last", "mean"] = "last"
    """The state of the last token, which is what `embed` trains, or the mean over all tokens."""
    batch: Positive = 1
    """Rows that one forward pass sees."""
    max_length: Positive = 2048
    """Tokens of a row; a longer one ends the stage."""

    @property
    def uses(self) -> tuple[Use, ...]:
        return (
            Use("model", ("model",), self.model, ("models", "model", "adapter")),
            Use("data", ("data",), self.data, ("rows",)),
        )

    @property
    def gives(self) -> Product:
        return "embeddings"
