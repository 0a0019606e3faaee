"""A data set by its id on a hub.

alpaca: {kind: hub, id: AI-ModelScope/alpaca-gpt4-data-zh, files: ["*.jsonl"], columns: {prompt: instruction, answer: output}}
"""

from typing import Literal, TypeGuard

from pydantic import Field

from schema.datasets.base import Columns, DatasetBase, Embeddable
from schema.models import Hub, place_of


class OnHub(DatasetBase):
    """What every data set says that a hub has."""

    id: str = Field(min_length=1)
    """Owner and name on the hub."""
    hub: Hub = "modelscope"
    """Where to look first."""
    revision: str | None = None
    """Branch, tag or commit; the hub's default branch when absent."""

    @property
    def folder(self) -> str:
        """Where the data set stands in the project, relative to its root."""
        return f".recipe/datasets/{place_of(self.id, self.revision)}"


class HubDataset(Embeddable, OnHub):
    """A data set that is downloaded once and then read like local files; no code of the data set is run."""

    kind: Literal["hub"]
    files: tuple[str, ...] = ("*.jsonl", "*.csv", "*.parquet")
    """Which of its files hold the rows, as patterns."""
    columns: Columns | None = None


def fetched(dataset: DatasetBase) -> TypeGuard[OnHub]:
    """Whether it comes from a hub, and not from a place in the project."""
    return isinstance(dataset, OnHub) and dataset.local is None
