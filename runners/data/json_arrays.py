"""The elements of the arrays of a JSON object with their places: for files of a million elements, often on one line."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True)
class Text:
    """A text, and how its offsets become lines and columns, counting from 1."""

    text: str
    _starts: list[int] = field(default_factory=list)

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset."""
        if not self._starts:
            self._starts.extend(
                accumulate((len(line) for line in self.text.split("\n")), lambda a, b: a + b + 1, initial=0)
            )
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def arrays(text: str) -> dict[str, list[tuple[int, Any]]]:
    """Key → (offset, element) of each array of the object that a text is. Errors: json.JSONDecodeError."""
    found: dict[str, list[tuple[int, Any]]] = {}
    decoder = json.JSONDecoder()
    at = _after(text, 0, "{")
    while text[at : at + 1] != "}":
        key, at = decoder.raw_decode(text, at)
        if not isinstance(key, str):
            raise json.JSONDecodeError("a key is no text", text, at)
        at = _after(text, at, ":")
        if text[at : at + 1] == "[":
            found[key] = list(_elements(text, _after(text, at, "["), decoder))
            at = found[key].pop()[0]  # where the array ends
        else:
            _, at = decoder.raw_decode(text, at)
        at = _comma(text, at, "}")
    if _SPACE.sub("", text[at + 1 :]):
        raise json.JSONDecodeError("something follows the object", text, at + 1)
    return found


def _elements(text: str, at: int, decoder: json.JSONDecoder) -> Iterator[tuple[int, Any]]:
    """(offset, element) of each element, and at last the offset behind the array."""
    while text[at : at + 1] != "]":
        value, end = decoder.raw_decode(text, at)
        yield at, value
        at = _comma(text, end, "]")
    yield at + 1, None


def _after(text: str, at: int, wanted: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != wanted:
        raise json.JSONDecodeError(f"here belongs `{wanted}`", text, at)
    return _skip(text, at + 1)


def _comma(text: str, at: int, closing: str) -> int:
    """Behind a comma, or at what closes."""
    at = _skip(text, at)
    if text[at : at + 1] == closing:
        return at
    after = _after(text, at, ",")
    if text[after : after + 1] == closing:
        raise json.JSONDecodeError(f"a comma stands before `{closing}`", text, at)
    return after


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
