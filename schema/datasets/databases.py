"""Rows of a database, by a query that only reads.

animals: {kind: sqlite, path: data/animals.db, query: "SELECT id, file, species FROM photos", key: [id],
          columns: {image: file, label: species}, prompt: Which animal?}
photos:  {kind: sql, url: "postgresql+psycopg://reader@db.example.org/photos", password_env: PHOTOS_PASSWORD,
          query: "SELECT id, file, species FROM photos", key: [id], columns: {image: file, label: species}, prompt: Which animal?}
"""

from typing import Annotated, Literal

from pydantic import Field

from schema.base import Model
from schema.datasets.base import Columns, DatasetBase, LocalDataset

ENVIRONMENT = r"^[A-Z_][A-Z0-9_]*$"


class Queried(Model):
    """What is asked of a database."""

    query: str = Field(min_length=1)
    """One SELECT. Its own order does not matter."""
    key: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
    """Columns that tell rows apart: rows are read in the order of their values, whatever order the database gives."""
    columns: Columns


class Sqlite(LocalDataset, Queried):
    """An SQLite file of the project, opened for reading only; a lock pins its bytes."""

    kind: Literal["sqlite"]


class Sql(DatasetBase, Queried):
    """A database on a server, through SQLAlchemy; its driver is installed by hand."""

    kind: Literal["sql"]
    url: str = Field(min_length=1)
    """SQLAlchemy's URL of the database, without a password."""
    password_env: str | None = Field(None, pattern=ENVIRONMENT)
    """The environment variable that holds the password when the stage runs."""
    rows_sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    """The digest of all rows, as `report.json` of a run tells it: a database that changes stops the stage."""
