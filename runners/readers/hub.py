"""A data set that was fetched from a hub: its files are read like local ones, in the order of their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from runners.data.rows import Place, Read, Source
from runners.readers import csv, jsonl, parquet
from schema.diagnostics import RecipeError

READERS: Mapping[str, Callable[[Source, Path, str], Read]] = {
    ".jsonl": jsonl.read_file,
    ".csv": csv.read_file,
    ".parquet": parquet.read_file,
}


def read(source: Source) -> Read:
    """The rows of all files that match the patterns `files`."""
    folder = source.located("folder")
    patterns: list[str] = source.dataset["files"]
    files = sorted({file for pattern in patterns for file in folder.rglob(pattern) if file.is_file()})
    if not files:
        message = f"no file of `{source.path}` matches {', '.join(patterns)}"
        raise RecipeError([Place(source.path).refuse("R0602", message, "correct `files`")])
    return _joined([_read(source, file, f"{source.path}/{file.relative_to(folder).as_posix()}") for file in files])


def _read(source: Source, file: Path, shown: str) -> Read:
    if file.suffix not in READERS:
        message = f"`{shown}` is none of {', '.join(READERS)}"
        raise RecipeError([Place(shown).refuse("R0605", message, "let `files` name files of rows only")])
    return READERS[file.suffix](source, file, shown)


def _joined(parts: list[Read]) -> Read:
    return Read(
        tuple(row for part in parts for row in part.rows),
        tuple(problem for part in parts for problem in part.refused),
        unused=tuple(sorted({name for part in parts for name in part.unused})),
    )
