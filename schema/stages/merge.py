"""Fold a LoRA adapter into its base model.

merged: {kind: merge, adapter: train}
"""

from typing import Literal

from schema.base import Name
from schema.stage import Product, Stage, Use


class Merge(Stage):
    """Hands over a whole model."""

    kind: Literal["merge"]
    adapter: Name
    """A stage that trains an adapter."""

    @property
    def uses(self) -> tuple[Use, ...]:
        return (Use("adapter", ("adapter",), self.adapter, ("adapter",)),)

    @property
    def gives(self) -> Product:
        return "model"
