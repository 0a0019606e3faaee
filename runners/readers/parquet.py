"""A parquet file: columns that the recipe names, or conversations in messages form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runners.data.rows import Place, Read, Row, Source
from runners.readers.values import Table
from schema.diagnostics import Diagnostic, RecipeError

ROWS_AT_ONCE = 1024


def read(source: Source) -> Read:
    """A row for each row of the file; their numbers stand for lines in messages."""
    return read_file(source, source.located("file"), source.path)


def read_file(source: Source, file: Path, shown: str) -> Read:
    """The rows of one file, which is called `shown` in messages."""
    import pyarrow as arrow
    import pyarrow.parquet

    table = Table.of(source, file)
    rows: list[Row] = []
    refused: list[Diagnostic] = []
    try:
        with arrow.parquet.ParquetFile(file) as parquet:
            names = parquet.schema_arrow.names
            table.check(names, Place(shown))
            used = set(table.columns.values()) or table.messages_form
            for number, values in enumerate(_values(parquet, [name for name in names if name in used]), 1):
                row = table.row(values, Place(shown, number))
                rows.append(row) if isinstance(row, Row) else refused.append(row)
    except (arrow.ArrowException, OSError) as error:
        message = f"this is no parquet file: {str(error).splitlines()[0]}"
        raise RecipeError([Place(shown).refuse("R0606", message, "write it again")]) from error
    return Read(tuple(rows), tuple(refused), unused=table.unused(names))


def _values(parquet: Any, columns: list[str]) -> Iterator[dict[str, Any]]:
    for batch in parquet.iter_batches(ROWS_AT_ONCE, columns=columns):
        yield from batch.to_pylist()
