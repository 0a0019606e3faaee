"""Diagnostics are data: what broke, where, and what to write instead. Rendering is in :mod:`schema.render`.

>>> Diagnostic("R0101", "unknown field `lr`", help="write `learning_rate`").severity
'error'
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A range of text. Lines and columns count from 1, columns in characters; the end is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    label: str = ""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: the page of its `code` is `recipe explain CODE`; the first span is the place, others are context."""

    code: str
    message: str
    help: str = ""
    spans: tuple[Span, ...] = ()
    severity: Severity = "error"


class RecipeError(Exception):
    """Everything that is wrong with an input, at once."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("; ".join(d.message for d in self.diagnostics))
