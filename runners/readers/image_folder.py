"""Pictures in one folder for each class: data/animals/train_data/cat/1.jpg → label `cat`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from runners.data.rows import Picture, Place, Read, Row, Source, is_text
from schema.diagnostics import Diagnostic, RecipeError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
NEVER_DATA = {"Thumbs.db", "desktop.ini"}  # beside everything whose name begins with a dot


def read(source: Source) -> Read:
    """One row for each picture, ordered by class and file name; whatever else lies there is refused."""
    folder = source.located("folder")
    rows: list[Row] = []
    refused: list[Diagnostic] = []
    ignored: Counter[str] = Counter()
    classes: list[str] = []
    for entry in _entries(folder, ignored):
        if not entry.is_dir():
            refused.append(_extra(Place(f"{source.path}/{entry.name}"), "lies beside the class folders"))
            continue
        classes.append(entry.name)
        found = list(_class(source, entry, ignored))
        rows += (row for row in found if isinstance(row, Row))
        refused += (problem for problem in found if isinstance(problem, Diagnostic))
    if not classes:
        message = f"the folder `{source.path}` has no class folders"
        raise RecipeError([Place(source.path).refuse("R0602", message, "make one folder for each class")])
    return Read(tuple(rows), tuple(refused), tuple(classes), ignored)


def _class(source: Source, folder: os.DirEntry[str], ignored: Counter[str]) -> Iterator[Row | Diagnostic]:
    pictures = 0
    for entry in _entries(Path(folder.path), ignored):
        shown = f"{source.path}/{folder.name}/{entry.name}"
        if not is_text(shown):
            message = "a file's name is not UTF-8"
            yield Place(ascii(shown)).refuse("R0605", message, "rename the file")
        elif entry.is_dir():
            yield _extra(Place(shown), "is a folder inside a class folder")
        elif Path(entry.name).suffix.lower() not in SUFFIXES:
            yield _extra(Place(shown), "is no picture by its name")
        else:
            pictures += 1
            picture = Picture(shown, Path(entry.path))
            yield Row(Place(shown), source.asks(None, None, 1), pictures=(picture,), label=folder.name)
    if not pictures:
        place = Place(f"{source.path}/{folder.name}")
        yield place.refuse("R0603", f"the class `{folder.name}` has no pictures", "add some, or remove its folder")


def _entries(folder: Path, ignored: Counter[str]) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder, by name, the same on every machine."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith(".") or entry.name in NEVER_DATA:
                ignored[entry.name] += 1
            else:
                yield entry


def _extra(place: Place, what: str) -> Diagnostic:
    help = f"move it elsewhere; pictures end in {', '.join(sorted(SUFFIXES))}"
    return place.refuse("R0605", f"{place.file} {what}", help)
