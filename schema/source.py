"""The bytes of a file → text → a tree with places; whatever is wrong becomes a diagnostic.

>>> parse("optimizer: {learning_rate: 1e-4}", "a.yaml").items["optimizer"].value.span.column
12
"""

from __future__ import annotations

import errno
import re
import stat
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from schema.diagnostics import Diagnostic, RecipeError, Span
from schema.tree import Entry, MapNode, Node, ScalarNode, SeqNode, find, key_span, to_data, value_span
from schema.yaml_errors import SYNTAX, TABS
from schema.yaml_reader import Reading, read

__all__ = [
    "MAX_BYTES",
    "Entry",
    "MapNode",
    "Node",
    "Parsed",
    "ScalarNode",
    "SeqNode",
    "Source",
    "find",
    "key_span",
    "parse",
    "read_source",
    "scan",
    "to_data",
    "value_span",
]

MAX_BYTES = 1 << 20
_BREAK = re.compile(r"\r\n|\r|\n")
# What cannot be seen, or shows a reviewer another order than the program reads (Unicode TR 36, bidirectional text).
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?=[ \r\n]|\Z)", re.MULTILINE)
_CONFLICT_LABELS = {"<": "one side begins here", "|": "their common origin", "=": "the other side", ">": "it ends here"}
_TAB = re.compile(r"^ *\t[ \t]*(?=[^ \t\r\n#])", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read: `file` is its name in messages."""

    path: Path
    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """The tree as far as there is one, and everything wrong with the text. Both can be there: a duplicate key."""

    root: MapNode | None
    diagnostics: tuple[Diagnostic, ...]


def read_source(path: Path, display: str, where: Span | None = None, limit: int = MAX_BYTES) -> Source:
    """Read a recipe file. Raises RecipeError when it cannot be read, is larger than 1 MiB or is not UTF-8.

    `display` names the file in messages; `where` is the place that asked for the file, such as an `extends:`;
    `limit` is another number of bytes for another kind of file.
    """
    place = where or Span(display, 1, 1, 1, 1)
    return Source(path, display, _decode(_read(path, display, place, limit), display, place))


def parse(text: str, file: str) -> MapNode:
    """The tree of a YAML text (1.2, core profile). Raises RecipeError with everything that is wrong with it."""
    parsed = scan(text, file)
    if parsed.root is None or parsed.diagnostics:
        raise RecipeError(parsed.diagnostics)
    return parsed.root


def scan(text: str, file: str) -> Parsed:
    """Like `parse`, but hands back the tree beside the diagnostics, so that a caller can look for more."""
    text = text.removeprefix("\ufeff")
    unseen = _unseen(text, file)
    if conflicts := _conflicts(text, file):
        return Parsed(None, _sorted([*unseen, *conflicts]))
    reading = read(_UNSEEN.sub(" ", text) if unseen else text, file)
    root = reading.root
    found = [*unseen, *_tabs(text, file, reading)]
    if not found and not reading.diagnostics:
        found += _not_a_mapping(root, text, file)
    return Parsed(root if isinstance(root, MapNode) else None, _sorted(found + reading.diagnostics))


def _sorted(diagnostics: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(sorted(diagnostics, key=lambda d: d.spans))


# Bytes


def _read(path: Path, display: str, place: Span, limit: int) -> bytes:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise RecipeError([_directory(path, display, place)])
        if not stat.S_ISREG(mode):  # a pipe or a device could keep us waiting for ever
            raise RecipeError([Diagnostic("R0002", f"{display} is not a regular file", "", (place,))])
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise RecipeError([_unreadable(error, path, display, place)]) from None
    if len(data) > limit:
        message = f"{display} is larger than {limit >> 20} MiB"
        raise RecipeError([Diagnostic("R0004", message, "is this a recipe?", (place,))])
    return data


def _directory(path: Path, display: str, place: Span) -> Diagnostic:
    names = [name for name in _recipes_in(path) if not name.startswith(".")]
    fix = f"name one file, such as {Path(display) / names[0]}" if names else "name a recipe file"
    return Diagnostic("R0002", f"{display} is a directory", fix, (place,))


def _unreadable(error: OSError | ValueError, path: Path, display: str, place: Span) -> Diagnostic:
    if isinstance(error, OSError) and error.errno not in (errno.ENOENT, errno.ENOTDIR):
        reason = (error.strerror or type(error).__name__).lower()
        return Diagnostic("R0002", f"{display} cannot be read: {reason}", "", (place,))
    return Diagnostic("R0001", f"{display} does not exist", _other_name(path, display), (place,))


def _other_name(path: Path, display: str) -> str:
    """A hint to a file that does exist: the nearest name in the folder, or in its `recipes`."""
    from schema.suggest import nearest

    folder, name = Path(display).parent, Path(display).name
    for place in (Path(), Path("recipes")):
        names = _recipes_in(path.parent / place)
        close = next((n for n in names if n.rpartition(".")[0] == name), None) or nearest(name, names)
        if close:
            return f"did you mean {folder / place / close}?"
    if not path.parent.is_dir():
        return f"the folder {folder} does not exist"
    return ""


def _recipes_in(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.suffix in (".yaml", ".yml"))
    except (OSError, ValueError):
        return []


def _decode(data: bytes, display: str, place: Span) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise RecipeError([Diagnostic("R0005", f"{display} is UTF-16, not UTF-8", "save it as UTF-8", (place,))])
    if (zero := data.find(b"\0")) >= 0:
        message = f"{display} is not a text: byte {zero + 1} is zero"
        raise RecipeError([Diagnostic("R0005", message, "is this a recipe?", (place,))])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError([_not_utf8(data.removeprefix(b"\xef\xbb\xbf"), error, display)]) from None


def _not_utf8(data: bytes, error: UnicodeDecodeError, display: str) -> Diagnostic:
    lines = _BREAK.split(data[: error.start].decode())
    line, column = len(lines), len(lines[-1]) + 1
    message = f"{display} is not UTF-8: byte 0x{data[error.start]:02x} at line {line}, column {column}"
    return Diagnostic("R0005", message, "save it as UTF-8", (Span(display, line, column, line, column + 1),))


# Text, before it is read as YAML


class _Places:
    """Offsets of a text → lines and columns."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.starts = [0, *(match.end() for match in _BREAK.finditer(text))]

    def span(self, start: int, end: int, label: str = "") -> Span:
        line = bisect_right(self.starts, start)
        column = start - self.starts[line - 1] + 1
        return Span(self.file, line, column, line, column + end - start, label)


def _unseen(text: str, file: str) -> list[Diagnostic]:
    """One diagnostic per character that cannot be seen, at its first place."""
    if not (first := _UNSEEN.search(text)):
        return []
    counts, places = Counter(_UNSEEN.findall(text, first.start())), _Places(text, file)
    return [_unseen_character(text, character, count, places) for character, count in counts.most_common(5)]


def _unseen_character(text: str, character: str, count: int, places: _Places) -> Diagnostic:
    at = text.index(character)
    times = f", {count} times in this file" if count > 1 else ""
    message = f"U+{ord(character):04X} is a character that cannot be seen{times}"
    escape = f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"
    fix = "remove it" if character == "\0" else f'remove it, or write it as "{escape}" in double quotes'
    return Diagnostic("R0006", message, fix, (places.span(at, at + 1),))


def _conflicts(text: str, file: str) -> list[Diagnostic]:
    """One diagnostic per conflict, with the places of all its markers."""
    groups: list[list[Span]] = []
    matches = list(_CONFLICT.finditer(text))
    places = _Places(text if matches else "", file)
    for match in matches:
        span = places.span(match.start(), match.end(), _CONFLICT_LABELS[match[0][0]])
        if match[0][0] == "<" or not groups:
            groups.append([])
        groups[-1].append(span)
    fix = "decide which side stays and remove the marker lines"
    return [Diagnostic("R0009", "a merge conflict is not resolved", fix, tuple(spans)) for spans in groups]


def _tabs(text: str, file: str, reading: Reading) -> list[Diagnostic]:
    """Lines that are indented with tabs, as one diagnostic; it replaces what the YAML parser said about such a line."""
    spans = [span for span in _tab_spans(text, file) if span.line not in reading.text_lines]
    if (stop := reading.stopped_at) is not None:
        spans = [span for span in spans if span.line <= stop + 1] if stop else spans
    if not spans:
        return []
    near = {line for span in spans for line in (span.line - 1, span.line, span.line + 1)}
    reading.diagnostics = [
        d for d in reading.diagnostics if d.code not in (SYNTAX, TABS) or d.spans[0].line not in near
    ]
    more = f", and {len(spans) - 1} more" if len(spans) > 1 else ""
    return [Diagnostic(TABS, f"this line is indented with a tab{more}", "indent with spaces", (spans[0],))]


def _tab_spans(text: str, file: str) -> Iterator[Span]:
    if "\t" in text:
        places = _Places(text, file)
        for match in _TAB.finditer(text):
            yield places.span(match.start(), match.end())


def _not_a_mapping(root: Node | None, text: str, file: str) -> list[Diagnostic]:
    if isinstance(root, MapNode):
        return []
    if root is None or (isinstance(root, ScalarNode) and not root.raw):
        message = "the file is empty" if not text.strip() else "the file holds nothing but comments"
        fix = "`recipe new NAME` writes a recipe to start from"
        return [Diagnostic("R0003", message, fix, (Span(file, 1, 1, 1, 1),))]
    kind = "a list" if isinstance(root, SeqNode) else "a text"
    no_space = isinstance(root, ScalarNode) and ":" in root.raw
    fix = "put a space behind the `:`" if no_space else "write fields, such as `version: 1`"
    return [Diagnostic("R0019", f"a recipe is a map, and this is {kind}", fix, (root.span,))]
