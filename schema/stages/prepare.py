"""Read a data set, check every row, hold some out, and write what engines read.

data: {kind: prepare, dataset: animals}
"""

from typing import Literal

from schema.base import Name
from schema.stage import Product, Stage, Use


class Prepare(Stage):
    """Hands over `train`, and `validation` and `test` where the data set's `split` holds rows out."""

    kind: Literal["prepare"]
    dataset: Name
    """A name in `datasets`."""
    task: Literal["generate", "classify", "tag", "embed", "solve", "prefer"] = "generate"
    """Rows with an answer to write, a class to choose, any number of classes (`tag`), a text that belongs to them (`embed`), a
    solution to find, or two answers of which one is preferred."""

    @property
    def uses(self) -> tuple[Use, ...]:
        return (Use("dataset", ("dataset",), self.dataset, ("datasets",)),)

    @property
    def gives(self) -> Product:
        return "rows"
