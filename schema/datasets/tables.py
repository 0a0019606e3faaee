"""Rows in a file: JSON lines, CSV or parquet.

chat: {kind: jsonl, path: data/chat.jsonl}                       # rows with `messages`, and `tools` and `images` if any
faq:  {kind: csv, path: data/faq.csv, columns: {prompt: question, answer: reply}}
more: {kind: parquet, path: data/more.parquet, columns: {prompt: question, answer: reply, image: image}, embedded: true}
"""

from typing import Literal

from schema.datasets.base import Columns, Embeddable, LocalDataset


class Jsonl(LocalDataset):
    """One JSON object a line: conversations in messages form, or columns that `columns` names."""

    kind: Literal["jsonl"]
    columns: Columns | None = None


class Csv(LocalDataset):
    """Comma-separated values with a header line."""

    kind: Literal["csv"]
    columns: Columns


class Parquet(Embeddable, LocalDataset):
    """A parquet file."""

    kind: Literal["parquet"]
    columns: Columns | None = None
