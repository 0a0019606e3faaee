"""scikit-learn's bundled handwritten digits: 1,797 real pictures of 8 × 8 pixels in ten classes, without a download.

digits: {kind: digits, size: 56, prompt: Which digit?, split: {validation: 0.2}}
"""

from typing import ClassVar, Literal

from pydantic import Field

from schema.datasets.base import DatasetBase


class Digits(DatasetBase):
    """Handwritten digits from the UCI repository, as scikit-learn ships them."""

    draws: ClassVar[bool] = True
    kind: Literal["digits"]
    size: int = Field(112, ge=8, le=1024)
    """Width and height in pixels of the pictures that are made."""
