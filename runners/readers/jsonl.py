"""One JSON object a line: conversations in messages form, or columns that the recipe names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from runners.data.rows import Place, Read, Row, Source, is_text
from runners.readers.values import Table
from schema.diagnostics import Diagnostic


def read(source: Source) -> Read:
    """A row for each line that is not blank."""
    return read_file(source, source.located("file"), source.path)


def read_file(source: Source, file: Path, shown: str) -> Read:
    """The rows of one file, which is called `shown` in messages."""
    table = Table.of(source, file)
    rows: list[Row] = []
    refused: list[Diagnostic] = []
    keys: dict[str, None] = {}
    for place, value in _lines(file, shown):
        if isinstance(value, Diagnostic):
            refused.append(value)
            continue
        if not keys:
            table.check(value, place)
        keys.update(dict.fromkeys(value))
        row = table.row(value, place)
        rows.append(row) if isinstance(row, Row) else refused.append(row)
    return Read(tuple(rows), tuple(refused), unused=table.unused(keys))


def _lines(file: Path, shown: str) -> Iterator[tuple[Place, dict[str, Any] | Diagnostic]]:
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                place = Place(shown, number)
                yield place, _object(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, place)


def _object(line: bytes, place: Place) -> dict[str, Any] | Diagnostic:
    try:
        value = json.loads(line.decode(), parse_constant=_not_json)
    except UnicodeDecodeError as error:
        return place.refuse("R0606", f"the line is not UTF-8: {error.reason}", "save the file as UTF-8")
    except json.JSONDecodeError as error:
        message = f"the line is no JSON: {error.msg}"
        return place.refuse("R0606", message, "write one object a line, between { and }", error.colno)
    except (ValueError, RecursionError) as error:
        return place.refuse("R0606", f"the line is no JSON: {str(error) or 'nested too deeply'}", "write plain JSON")
    if not isinstance(value, dict):
        return place.refuse("R0606", "the line is no JSON object", 'write {"messages": […]}')
    if b"\\u" in line and not is_text(json.dumps(value, ensure_ascii=False)):
        return place.refuse("R0606", "the line has half of a surrogate pair, which is no text", "mend the \\u escapes")
    return value


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")
