"""Digests of our own runners: a module and everything it imports from its package, found without importing anything."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

PACKAGE = "runners"
TREE = Path(__file__).resolve().parent.parent
_IMPORT = re.compile(
    rf"^[ \t]*(?:from[ ]({PACKAGE}[\w.]*)[ ]import[ ](\([^)]*\)|[^\n#]*)|import[ ]({PACKAGE}\.[\w.]*))", re.MULTILINE
)
"""An import of the package, at the top or in a function; parsing the source would take ten times as long."""


def digests(modules: Iterable[str]) -> dict[str, str]:
    """Module → sha256 of its source, for the modules and what they import of our own runners."""
    reached = {found for module in modules for found in closure(module)}
    return {module: _source(module)[1] for module in sorted(reached)}


@cache
def closure(module: str) -> frozenset[str]:
    """The module and all modules of the package that it imports, directly or not."""
    reached: set[str] = set()
    waiting = [module]
    while waiting:
        current = waiting.pop()
        if current not in reached:
            reached.add(current)
            waiting += _imports(current)
    return frozenset(reached)


@cache
def _source(module: str) -> tuple[str, str]:
    """A module's text and its digest, with line ends as in the repository."""
    text = _file(module).read_bytes().replace(b"\r\n", b"\n")
    return text.decode(), hashlib.sha256(text).hexdigest()


def _file(module: str) -> Path:
    path = TREE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _imports(module: str) -> Iterator[str]:
    for source, names, direct in _IMPORT.findall(_source(module)[0]):
        parts = [name.split(" as ")[0].strip() for name in names.strip("()").split(",")]
        for name in (direct, source, *(f"{source}.{part}" for part in parts if part)):
            if name and name != PACKAGE and _file(name).is_file():
                yield name
