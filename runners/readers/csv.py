"""Comma-separated values with a header line, in UTF-8."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from runners.data.rows import Place, Read, Row, Source
from runners.readers.values import Table
from schema.diagnostics import Diagnostic, RecipeError

MAX_FIELD = 1 << 27  # characters


def read(source: Source) -> Read:
    """A row for each record after the header."""
    return read_file(source, source.located("file"), source.path)


def read_file(source: Source, file: Path, shown: str) -> Read:
    """The records of one file, which is called `shown` in messages."""
    csv.field_size_limit(MAX_FIELD)
    rows: list[Row] = []
    refused: list[Diagnostic] = []
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        place = Place(shown)
        try:
            header = next(reader, [])
            table = _table(source, file, header, place)
            place = Place(shown, reader.line_num + 1)
            for record in reader:
                row = _row(table, header, record, place)
                place = Place(shown, reader.line_num + 1)
                if row is not None:
                    rows.append(row) if isinstance(row, Row) else refused.append(row)
        except (csv.Error, UnicodeDecodeError) as error:
            # What follows cannot be told apart any more.
            problem = place.refuse("R0606", f"this is no CSV: {error}", "mend the quotes, or save it as UTF-8")
            raise RecipeError([*refused, problem]) from error
    return Read(tuple(rows), tuple(refused), unused=table.unused(header))


def _table(source: Source, file: Path, header: list[str], place: Place) -> Table:
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise RecipeError([place.refuse("R0607", f"two columns are called `{twice[0]}`", "rename one of them")])
    table = Table.of(source, file)
    table.check(header, place)
    return table


def _row(table: Table, header: list[str], record: list[str], place: Place) -> Row | Diagnostic | None:
    if not record:
        return None
    if len(record) != len(header):
        message = f"the row has {len(record)} fields and the header {len(header)}"
        return place.refuse("R0606", message, "quote fields that hold commas")
    return table.row(dict(zip(header, record, strict=True)), place)
