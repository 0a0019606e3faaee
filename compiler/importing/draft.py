"""A recipe in the making: values at paths, each with the piece of the input that it comes from.

draft.put(("stages", "train", "epochs"), 3, given) is what every reader of options does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from compiler.importing.left import Given, Left
from schema.yaml_core import resolve

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A value of the recipe. `given` is None for what the importer writes itself, such as the kind of a stage."""

    value: Any
    given: Given | None = None
    default: bool = False
    """The input does not say it: the engine's own default is written, which is another than the recipe's."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as the input writes it: `1e-4` stays `1e-4`."""

    text: str

    @property
    def value(self) -> int | float:
        """The number itself."""
        found = resolve(self.text)
        assert isinstance(found, (int, float))
        return found


def number(text: str) -> Any:
    """A number of an input for a recipe: whole where it is whole, and else as it is written; any other text as it is."""
    try:
        found = resolve(text) if text else text
    except ValueError:
        return text
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return text
    if isinstance(found, int) or (found.is_integer() and abs(found) < 2**53):
        return int(found)
    return Number(text)


@dataclass(slots=True)
class Draft:
    """Values at paths, in the order in which they were put; `stages` says which call each stage comes from."""

    name: str
    description: str
    placed: dict[Path, Placed] = field(default_factory=dict)
    refused: dict[Path, str] = field(default_factory=dict)
    """Paths that take no value any more, and why: the language or the engine refused what stood there."""
    left: list[Left] = field(default_factory=list)

    def put(self, path: Path, value: Any, given: Given | None = None, *, default: bool = False) -> None:
        """Say a value, unless its place is taken, was refused, or is inside of or around a value that is there."""
        if path in self.placed or path in self.refused or (given is not None and given.odd):
            return
        self.placed[path] = Placed(value, given, default)

    def refuse(self, path: Path, why: str) -> None:
        """Take a value back that cannot stand in the recipe."""
        del self.placed[path]
        self.refused[path] = why

    def below(self, *path: str | int) -> Iterator[Path]:
        """The paths at and below a path."""
        return (known for known in self.placed if known[: len(path)] == path)

    def data(self) -> dict[str, Any]:
        """The recipe as maps and lists; numbers are `Number` where the input's spelling is kept."""
        whole: dict[str, Any] = {"version": 1, "name": self.name, "description": self.description}
        for section in ("seed", "models", "datasets", "hardware", "stages"):
            for path in self.below(section):
                _set(whole, path, self.placed[path].value)
        stages = whole.get("stages", {})
        for stage in stages.values():
            if isinstance(stage.get("engine"), dict) and stage["engine"].keys() == {"name"}:
                stage["engine"] = stage["engine"]["name"]
        whole["stages"] = dict(sorted(stages.items(), key=lambda item: item[1].get("kind") != "prepare"))
        return whole


def _set(whole: dict[str, Any], path: Path, value: Any) -> None:
    for part in path[:-1]:
        whole = whole.setdefault(str(part), {})
    whole[str(path[-1])] = value


def plain(value: Any) -> Any:
    """The same without `Number`."""
    if isinstance(value, Number):
        return value.value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def numbered(draft: Draft) -> tuple[str, dict[int, Path]]:
    """The draft as YAML with one value a line, and line → path: what is wrong with a line is wrong with that value."""
    lines = ["version: 1", f"name: {draft.name}"]
    paths: dict[int, Path] = {}

    def write(node: dict[str, Any], path: Path) -> None:
        for key, value in node.items():
            here = (*path, key)
            head = "  " * len(path) + quoted(str(key)) + ":"
            if here in draft.placed or not isinstance(value, dict):
                lines.append(f"{head} {quoted(plain(value))}")
            else:
                lines.append(head)
            paths[len(lines)] = here
            if here not in draft.placed and isinstance(value, dict):
                write(value, here)

    body = draft.data()
    write({key: body[key] for key in body if key not in ("version", "name", "description")}, ())
    return "\n".join(lines) + "\n", paths


def quoted(value: Any) -> str:
    """A value as flow YAML: JSON, with every character that a recipe may not hold as it is as an escape."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() and not "\ud800" <= c <= "\udfff" else f"\\U{ord(c):08x}" for c in text)
