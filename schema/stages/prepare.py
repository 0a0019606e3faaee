"""Read a data set, check every row, hold some out, and write what engines read.

data: {kind: prepare, dataset: animals}
"""

from typing import Literal

from schema.base import Name
from schema.datasets.base import Task
from schema.stage import Product, Stage, Use


class Prepare(Stage):
    """Hands over `train`, and `validation` and `test` where the data set's `split` holds rows out."""

    kind: Literal["prepare"]
    dataset: Name
    """A name in `datasets`."""
    task: Task = "generate"
    """Rows with an answer to write, a class to choose, any number of classes (`tag`), a text that belongs to them (`embed`), a
    solution to find, or two answers of which one is preferred; for students that look at places: boxes to detect, a class for
    each pixel to segment, a class for each sequence of frames.
    """

    @property
    def uses(self) -> tuple[Use, ...]:
        return (Use("dataset", ("dataset",), self.dataset, ("datasets",)),)

    @property
    def gives(self) -> Product:
        return "rows"
