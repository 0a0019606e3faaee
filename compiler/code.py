"""Digests of our own runners: a module and everything it imports from its package, found without importing anything."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

PACKAGE = "runners"
TREE = Path(__file__).resolve().parent.parent


def digests(modules: Iterable[str]) -> dict[str, str]:
    """Module → sha256 of its source, for the modules and what they import of our own runners."""
    reached = {found for module in modules for found in _closure(module)}
    return {module: _source(module)[1] for module in sorted(reached)}


@cache
def _closure(module: str) -> frozenset[str]:
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
    for node in ast.walk(ast.parse(_source(module)[0])):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == PACKAGE and name != PACKAGE and _file(name).is_file())
