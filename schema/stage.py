"""What every stage shares."""

from __future__ import annotations

from schema.base import Model


class Stage(Model):
    """A step of a recipe. Its name is its key under `stages`."""

    description: str = ""
    """A line for readers."""
