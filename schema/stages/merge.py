"""Fold a LoRA adapter into its base model.

merged: {kind: merge, adapter: train}
"""

from __future__ import annotations

from typing import Literal

from schema.base import Name
from schema.stage import Stage


class Merge(Stage):
    """Hands over a whole model."""

    kind: Literal["merge"]
    adapter: Name
    """A stage that trains an adapter."""
