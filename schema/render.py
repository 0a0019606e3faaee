"""Diagnostics as text for people, JSON for programs, and workflow commands for GitHub.

>>> from schema.diagnostics import Span
>>> found = Diagnostic("R0101", "unknown field `lr`", "write `learning_rate`", (Span("a.yaml", 1, 1, 1, 3),))
>>> print(text([found], {"a.yaml": "lr: 1e-4"}))
error[R0101]: unknown field `lr`
 --> a.yaml:1:1
  |
1 | lr: 1e-4
  | ^^
  help: write `learning_rate`
<BLANKLINE>
1 error
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby

from schema.diagnostics import Diagnostic, Span

__all__ = ["github", "text", "to_json"]

MAX_SHOWN = 100  # findings in a text; the last line counts all of them
WIDTH = 100  # characters of an excerpt
BEFORE = 40  # of them, how many stand before the caret where a long line is cut
MAX_MESSAGE = 500  # characters of a message: it may quote what was written
_BREAK = re.compile(r"\r\n|\r|\n")
# Controls could drive the terminal, and bidirectional marks could show another order.
_HARMFUL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]")
_COLORS = {"error": "1;31", "warning": "1;33", "note": "1;36", "gutter": "34", "help": "1;36", "plain": "1"}
_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def text(diagnostics: Sequence[Diagnostic], sources: Mapping[str, str], color: bool = False) -> str:
    """For people: each finding with its excerpts, and a last line that counts them.

    `sources` maps the file names of spans to the texts; a file that is not there has no excerpt.
    """
    page = _Page(_Lines(sources), color)
    blocks = ["\n".join(page.block(diagnostic)) for diagnostic in diagnostics[:MAX_SHOWN]]
    return "\n\n".join([*blocks, page.count(diagnostics)]) if blocks else ""


def to_json(diagnostics: Iterable[Diagnostic]) -> str:
    """For programs: one object with `format_version` 1. Lines and columns count from 1, the end is exclusive."""
    found = [
        {
            "code": d.code,
            "severity": d.severity,
            "message": d.message,
            "help": d.help,
            "spans": [asdict(span) for span in d.spans],
        }
        for d in diagnostics
    ]
    return json.dumps({"format_version": 1, "diagnostics": found}, indent=2)


def github(diagnostics: Iterable[Diagnostic]) -> str:
    """Workflow commands, one a line: GitHub shows them beside the changed lines of a pull request."""
    return "\n".join(map(_command, diagnostics))


def _command(diagnostic: Diagnostic) -> str:
    properties = {**_where(diagnostic.spans), "title": diagnostic.code}
    listed = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    message = "\n".join(filter(None, (diagnostic.message, diagnostic.help and f"help: {diagnostic.help}")))
    return f"::{_COMMANDS[diagnostic.severity]} {listed}::{_data(message)}"


def _where(spans: Sequence[Span]) -> dict[str, str | int]:
    if not spans:
        return {}
    span = spans[0]
    where: dict[str, str | int] = {"file": span.file, "line": span.line, "col": span.column}
    if span.line == span.end_line:  # GitHub ignores an end column on another line
        return {**where, "endColumn": span.end_column}
    return {**where, "endLine": span.end_line}


def _data(value: str) -> str:
    value = value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return _HARMFUL.sub(_escaped, value)


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


def _escaped(match: re.Match[str]) -> str:
    return _visible(match[0])


class _Lines:
    """The lines of the sources, cut once."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.sources = sources
        self.cut: dict[str, list[str]] = {}

    def get(self, span: Span) -> str | None:
        """The line where a span begins, or None."""
        if not self.sources.get(span.file):
            return None
        if span.file not in self.cut:
            self.cut[span.file] = _BREAK.split(self.sources[span.file])
        lines = self.cut[span.file]
        return lines[span.line - 1] if 0 < span.line <= len(lines) else None


@dataclass(frozen=True, slots=True)
class _Page:
    """Writes findings, in colour or not."""

    lines: _Lines
    color: bool

    def block(self, diagnostic: Diagnostic) -> Iterator[str]:
        head = self._paint(f"{diagnostic.severity}[{diagnostic.code}]", diagnostic.severity)
        yield f"{head}{self._paint(': ' + _message(diagnostic.message), 'plain')}"
        gutter = len(str(max((span.line for span in diagnostic.spans), default=1)))
        for number, (file, spans) in enumerate(_by_file(diagnostic.spans)):
            yield from self._file(file, spans, diagnostic, gutter, " -->" if number == 0 else " :::")
        if diagnostic.help:
            yield f"{' ' * (gutter + 1)}{self._paint('help', 'help')}: {_message(diagnostic.help)}"

    def count(self, diagnostics: Sequence[Diagnostic]) -> str:
        """`2 errors, 1 warning`."""
        severities = [diagnostic.severity for diagnostic in diagnostics]
        counts = [(name, severities.count(name)) for name in ("error", "warning", "note")]
        parts = [f"{n} {name}{'s' if n > 1 else ''}" for name, n in counts if n]
        more = f" (the first {MAX_SHOWN} are shown)" if len(diagnostics) > MAX_SHOWN else ""
        return self._paint(", ".join(parts) + more, "plain")

    def _file(self, file: str, spans: list[Span], diagnostic: Diagnostic, gutter: int, arrow: str) -> Iterator[str]:
        """The place and the excerpts of one file, in the order of its lines."""
        first, main = spans[0], diagnostic.spans[0]
        whole = (first.line, first.end_line, first.end_column) == (1, 1, 1)
        at = "" if whole and self.lines.get(first) is None else f":{first.line}:{first.column}"
        yield f"{self._paint(' ' * (gutter - 1) + arrow, 'gutter')} {_message(file)}{at}"
        shown = sorted((span for span in spans if self.lines.get(span) is not None), key=lambda s: (s.line, s.column))
        bar = self._paint(" " * gutter + " |", "gutter")
        previous = 0
        for line, here in groupby(shown, key=lambda span: span.line):
            if previous == 0:
                yield bar
            elif line > previous + 1:
                yield self._paint("...", "gutter")
            yield from self._excerpt(list(here), main, diagnostic.severity, gutter, bar)
            previous = line

    def _excerpt(self, spans: list[Span], main: Span, severity: str, gutter: int, bar: str) -> Iterator[str]:
        """One line and the carets below it; a long line again where its window moves."""
        line, last = self.lines.get(spans[0]) or "", None
        for span in spans:
            window = _Window.around(span, line)
            if window.shown != last:
                yield f"{self._paint(f'{span.line:>{gutter}} |', 'gutter')} {window.shown}".rstrip()
            last = window.shown
            mark, style = ("^", severity) if span is main else ("-", "gutter")
            carets = mark * window.length + (f" {_message(span.label)}" if span.label else "")
            yield f"{bar} {' ' * window.offset}{self._paint(carets, style)}"

    def _paint(self, words: str, style: str) -> str:
        return f"\x1b[{_COLORS[style]}m{words}\x1b[0m" if self.color and words else words


def _by_file(spans: Sequence[Span]) -> list[tuple[str, list[Span]]]:
    """The spans of each file, the file of the first span first."""
    files: dict[str, list[Span]] = {}
    for span in spans:
        files.setdefault(span.file, []).append(span)
    return list(files.items())


@dataclass(frozen=True, slots=True)
class _Window:
    """The piece of a line that is shown; `offset` and `length` place the carets under it, in terminal cells."""

    shown: str
    offset: int
    length: int

    @classmethod
    def around(cls, span: Span, line: str) -> _Window:
        start = min(span.column - 1, len(line))
        end = min(span.end_column - 1, len(line)) if span.end_line == span.line else len(line.rstrip())
        first = 0 if len(line) <= WIDTH or end <= WIDTH - BEFORE else max(0, start - BEFORE)
        last = min(len(line), first + WIDTH)
        cut, rest = "…" if first else "", "…" if last < len(line) else ""
        before = cut + _visible(line[first:start])
        marked = _visible(line[start : min(end, last)])
        shown = before + marked + _visible(line[max(start, min(end, last)) : last]) + rest
        return cls(shown, _cells(before), max(1, _cells(marked)))


def _visible(piece: str) -> str:
    """The text with controls as escapes, so that it can do nothing to a terminal; a tab is four cells."""
    if piece.isascii() and piece.isprintable():
        return piece
    return _HARMFUL.sub(lambda match: _escape(match[0]), piece)


def _escape(character: str) -> str:
    if character == "\t":
        return "    "
    named = {"\n": "\\n", "\r": "\\r"}.get(character)
    number = ord(character)
    return named or (f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")


def _message(words: str) -> str:
    return _visible(words if len(words) <= MAX_MESSAGE else words[: MAX_MESSAGE - 1] + "…")


def _cells(piece: str) -> int:
    """The width on a terminal: Chinese, Japanese, Korean and emoji take two cells."""
    if piece.isascii():
        return len(piece)
    from rich.cells import cell_len  # only here: most recipes are ASCII, and rich takes long to load

    return cell_len(piece)
