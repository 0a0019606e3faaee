"""A data set by its id on a hub.

alpaca: {kind: hub, id: AI-ModelScope/alpaca-gpt4-data-zh, files: ["*.jsonl"], columns: {prompt: instruction, answer: output}}
"""

from typing import Literal

from pydantic import Field

from schema.datasets.base import Columns, DatasetBase
from schema.models import Hub, place_of


class HubDataset(DatasetBase):
    """A data set that is downloaded once and then read like local files; no code of the data set is run."""

    kind: Literal["hub"]
    id: str = Field(min_length=1)
    """Owner and name on the hub."""
    hub: Hub = "modelscope"
    revision: str | None = None
    """Branch, tag or commit; the hub's default branch when absent."""
    files: tuple[str, ...] = ("*.jsonl", "*.csv", "*.parquet")
    """Which of its files hold the rows, as patterns."""
    columns: Columns | None = None

    @property
    def folder(self) -> str:
        """Where the data set stands in the project, relative to its root."""
        return f".recipe/datasets/{place_of(self.id, self.revision)}"
