"""What a `check` stage found, for people: `check.json` as lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FILE = "check.json"


def lines(found: Mapping[str, Any]) -> list[str]:
    """A line for each thing that was found.

    >>> lines({"format_version": 1, "parameters": 98624, "answers": ["red", "a cat"]})
    ['parameters: 98,624', "answers: red 'a cat'"]
    """
    return [f"{name}: {_said(value)}" for name, value in found.items() if name != "format_version"]


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(item)}" for name, item in value.items())
    if isinstance(value, list):
        return " ".join(map(_item, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _item(value: Any) -> str:
    """An item of a list; a text between quotes where it would not be seen where it ends."""
    plain = not isinstance(value, str) or (value != "" and value.isprintable() and " " not in value)
    return str(value) if plain else repr(value)
