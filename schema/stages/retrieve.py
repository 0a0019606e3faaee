"""Score embeddings: how close pairs are, how spread all are, and how often a row finds the text that belongs to it.

found: {kind: retrieve, embeddings: vectors, at: [1, 5, 10]}
"""

from typing import Annotated, Literal

from pydantic import Field

from schema.base import Name, Positive
from schema.stage import Product, Stage, Use

PairMetric = Literal["similarity", "alignment", "uniformity", "recall"]


class Retrieve(Stage):
    """Hands over `metrics.json`, and `ranks.csv`: for each row the rank of its text among all, and the one found first."""

    kind: Literal["retrieve"]
    embeddings: Name
    """A `features` stage of rows with `task: embed`."""
    metrics: Annotated[tuple[PairMetric, ...], Field(min_length=1)] = (
        "similarity",
        "alignment",
        "uniformity",
        "recall",
    )
    """Cosine similarity of pairs and of others; alignment and uniformity (arXiv:2005.10242); recall at `at`."""
    at: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1, 5, 10)
    """Recall among so many nearest texts."""

    @property
    def uses(self) -> tuple[Use, ...]:
        return (Use("embeddings", ("embeddings",), self.embeddings, ("embeddings",)),)

    @property
    def gives(self) -> Product:
        return "scores"
