"""Configuration files that a command names: YAML of launchers and trainers, JSON of DeepSpeed. Read where they are there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from compiler.importing.left import Given, Left
from schema.diagnostics import RecipeError, Span
from schema.source import MAX_BYTES, Entry, MapNode, Node, ScalarNode, SeqNode, parse, read_source, to_data


def find_file(name: str, folder: Path) -> Path | None:
    """A file by the name that a command has for it: seen from here, or from where the input lies."""
    for candidate in (Path(name), folder / name):
        try:
            if candidate.is_file():
                return candidate
        except (OSError, ValueError):
            return None
    return None


def read_mapping(named: Given, folder: Path) -> tuple[list[Given], list[Left]]:
    """The keys of a YAML file, those of inner maps as `OUTER.INNER`; or why there are none."""
    path = None if named.odd else find_file(named.value, folder)
    if path is None:
        reason = named.odd or f"`{named.value}` is not here, so what it says is not in the recipe"
        return [], [named.left(reason)]
    try:
        return list(mapping(read_source(path, str(path)).text, str(path))), []
    except RecipeError as error:
        return [], [named.left(f"`{named.value}` cannot be read: {error.diagnostics[0].message}")]


def mapping(text: str, file: str) -> Iterator[Given]:
    """The keys of a YAML text as options. Raises RecipeError."""
    return _entries(parse(text, file), "")


def _entries(node: MapNode, above: str) -> Iterator[Given]:
    for name, entry in node.items.items():
        value = entry.value
        if isinstance(value, MapNode) and name in ("deepspeed_config", "ENV"):
            yield from _entries(value, f"{name}.")
            continue
        yield from given_entry(above + name, entry)


def given_entry(written: str, entry: Entry) -> Iterator[Given]:
    """An entry of a map as an option; null says nothing."""
    values = tuple(_texts(entry.value))
    if values != ("null",):
        name = written.rpartition(".")[2]
        place = _span(entry.key_span, entry.value.span)
        yield Given("", written, values, place, f"{name}: {_shown(entry.value)}")


def _span(key: Span, value: Span) -> Span:
    return Span(key.file, key.line, key.column, value.end_line, value.end_column)


def _texts(node: Node) -> Iterator[str]:
    """A value as the arguments of a command line."""
    if isinstance(node, SeqNode):
        for item in node.items:
            yield from _texts(item)
    elif isinstance(node, ScalarNode) and node.value is not None and not isinstance(node.value, bool):
        yield node.raw
    else:
        yield json.dumps(to_data(node), ensure_ascii=False)


def _shown(node: Node) -> str:
    return json.dumps(to_data(node), ensure_ascii=False)


def read_json(path: Path) -> Any:
    """A JSON document; None where it is none, is too large or too deep."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
