"""The rows of a query to a database, through SQLAlchemy. The database is opened for reading only.

A database gives rows in any order, so they are put into that of the columns `key`, which tell them apart.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runners.data.rows import Place, Read, Row, Source
from runners.readers.values import Table
from schema.diagnostics import Diagnostic, RecipeError

READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET TRANSACTION READ ONLY",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
}
"""Database → what forbids it to write. Nothing is ever committed, whatever it is."""

Values = Mapping[str, Any]


def read_file(source: Source) -> Read:
    """A row for each row of a query to an SQLite file."""
    from sqlalchemy import URL

    file = source.located("file")
    # `uri` lets SQLite be told to open for reading, so that no journal is made beside the file.
    url = URL.create("sqlite", database=file.absolute().as_uri(), query={"mode": "ro", "uri": "true"})
    return _read(source, url, source.path, file)


def read_server(source: Source) -> Read:
    """A row for each row of a query to a database on a server. Errors: RecipeError R0679, R0680."""
    from sqlalchemy import make_url

    url = make_url(source.dataset["url"])
    shown = url.database or str(url.host)
    variable = source.dataset.get("password_env")
    if variable is not None:
        if not os.environ.get(variable):
            message = f"the environment variable {variable}, which `password_env` names, is not set"
            raise RecipeError([Place(shown).refuse("R0679", message, f"set {variable} where the stage runs")])
        url = url.set(password=os.environ[variable])
    found = _read(source, url, shown, source.root / "database")
    pinned = source.dataset.get("rows_sha256")
    if pinned is not None and pinned != found.digest:
        message = f"the query gives rows with the digest {found.digest}, and `rows_sha256` says another"
        help = "bring the database back, or write this digest if the change is meant"
        raise RecipeError([Place(shown).refuse("R0680", message, help)])
    return found


def _read(source: Source, url: Any, shown: str, beside: Path) -> Read:
    names, fetched = _fetch(source, url, shown)
    table = Table.of(source, beside)
    table.check(names, Place(shown))
    key: Sequence[str] = source.dataset["key"]
    if absent := [name for name in key if name not in names]:
        help = f"the query gives: {', '.join(names)}"
        raise RecipeError([Place(shown).refuse("R0607", f"there is no column `{absent[0]}`, which `key` names", help)])
    if double := [name for name in (*key, *table.columns.values()) if names.count(name) > 1]:
        message = f"the query gives {names.count(double[0])} columns `{double[0]}`, and one of them is read"
        help = f"name the columns in `query`, as in `SELECT t.{double[0]} AS {double[0]}`"
        raise RecipeError([Place(shown).refuse("R0685", message, help)])
    ordered = sorted(fetched, key=lambda values: [_comparable(values[name]) for name in key])
    if problems := list(_same(ordered, key, shown)):
        raise RecipeError(problems)
    made = [table.row(values, _place(values, key, shown, number)) for number, values in enumerate(ordered, 1)]
    rows = tuple(row for row in made if isinstance(row, Row))
    refused = tuple(row for row in made if isinstance(row, Diagnostic))
    unused = tuple(name for name in table.unused(names) if name not in key)
    return Read(rows, refused, unused=unused, digest=_digest(ordered))


def _fetch(source: Source, url: Any, shown: str) -> tuple[list[str], list[Values]]:
    """The names of the columns, and all rows. Errors: RecipeError R0677."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    try:
        engine = create_engine(url)
        with engine.connect() as connection:
            if engine.dialect.name in READ_ONLY:
                connection.exec_driver_sql(READ_ONLY[engine.dialect.name])
            # Told of parameters, of which there are none, drivers would take a `%` for the place of one.
            asked = connection.execution_options(no_parameters=True)
            result = asked.exec_driver_sql(source.dataset["query"])
            return list(result.keys()), [dict(row) for row in result.mappings()]
    except ModuleNotFoundError as error:
        help = f"install the driver `{error.name}` into the environment that runs this recipe"
        raise RecipeError([Place(shown).refuse("R0677", f"no driver for {url.drivername}", help)]) from None
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        secret = url.password or "\0"
        message = f"the database `{shown}` does not answer the query: {reason.replace(str(secret), '…')}"
        raise RecipeError([Place(shown).refuse("R0677", message, "correct `query`, or make it reachable")]) from None


def _comparable(value: Any) -> tuple[str, Any]:
    """A value that can be compared with those of other kinds."""
    if isinstance(value, bool | int | float):
        return "", value
    return (type(value).__name__, "" if value is None else value)


def _same(ordered: Sequence[Values], key: Sequence[str], shown: str) -> Iterator[Diagnostic]:
    """R0678: rows that `key` does not tell apart."""
    before: Any = None
    for number, values in enumerate(ordered, 1):
        now = [values[name] for name in key]
        if None in now:
            message = f"a row has no value in {_named(values, key)}: `key` cannot put it in order"
            yield _place(values, key, shown, number).refuse("R0678", message, "name columns that are never null")
        elif now == before:
            message = f"two rows have {_named(values, key)}: `key` does not tell them apart"
            yield _place(values, key, shown, number).refuse("R0678", message, "add a column to `key`")
        before = now


def _named(values: Values, key: Sequence[str]) -> str:
    return ", ".join(f"{name}={str(values[name])[:40]}" for name in key)


def _place(values: Values, key: Sequence[str], shown: str, number: int) -> Place:
    return Place(f"{shown} [{_named(values, key)}]", number)


def _digest(ordered: Sequence[Values]) -> str:
    digest = hashlib.sha256()
    for values in ordered:
        digest.update(json.dumps(values, sort_keys=True, default=_text).encode() + b"\n")
    return digest.hexdigest()


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
