r"""The words of a shell script, with their places and what of them is quoted.

`shlex` of the standard library forgets both places and quotes: '$HOME' and "$HOME", `#` in and before a word, `;` and "\;"
look the same to it, and what a script means hangs on that. No parser of bash is among the project's packages.
This reads the part of the language of POSIX shells in which launches are written, and marks the rest as `odd`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

DEPTH = 16
"""How deep `${A:-${B:-…}}` may nest."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_POSITION = re.compile(r"[0-9]+")
_ARRAY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=\Z")
_OPERATORS = re.compile(
    r"&&|\|\||;;&|;;|;&|\|&|&>>|&>|<<<|<<-|<<|<&|<>|>>|>&|>\||[;&|()<>\n]"  # longest first
)
_FALLBACKS = re.compile(r":?[-+=?]")
_PATTERN = re.compile(r"[*?]|\[[^\]]+\]")
_BRACES = re.compile(r"\{[^{}]*(?:,|\.\.)[^{}]*\}")
_END_OF_WORD = frozenset(" \t\n;&|()<>")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a word: `text` as it stands, `var` the variable of that name, `sum` the arithmetic between `$((` and `))`,
    or `odd`, where `text` says what it is."""

    kind: Literal["text", "var", "sum", "odd"]
    text: str
    quoted: bool = False
    how: str = ""
    """For a variable: `:-`, `-`, `:+`, `+`, `:=`, `=`, `:?`, `?`, or `[@]` for all of an array."""
    otherwise: tuple[Part, ...] = ()
    """What stands behind `:-` and the like."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a script; `start` and `end` are offsets into the text."""

    parts: tuple[Part, ...]
    start: int
    end: int
    raw: str
    array: tuple[Word, ...] | None = None
    """The values of `NAME=(…)`."""

    @property
    def bare(self) -> str | None:
        """The text of a word without quotes and variables, as a reserved word has to be."""
        part = self.parts[0] if len(self.parts) == 1 else None
        return part.text if part and part.kind == "text" and not part.quoted else None

    @property
    def matches_files(self) -> bool:
        """Whether the shell would put the names of files in its place, or several words."""
        plain = "".join(p.text if p.kind == "text" and not p.quoted else "\0" for p in self.parts)
        return (plain != "[" and bool(_PATTERN.search(plain))) or bool(_BRACES.search(plain))


@dataclass(frozen=True, slots=True)
class Operator:
    """`;`, `|`, a line break and the like."""

    text: str
    start: int
    end: int


Token = Word | Operator


class Unclosed(Exception):
    """Something that is opened `at` an offset and never closed."""

    def __init__(self, at: int, what: str) -> None:
        super().__init__(what)
        self.at, self.what = at, what


class Reader:
    """Walks over a text once; every position is looked at a bounded number of times."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.heredocs: list[tuple[str, bool]] = []

    def tokens(self) -> tuple[list[Token], Unclosed | None]:
        """All tokens; or those before something that is never closed."""
        found: list[Token] = []
        try:
            while (token := self._token(found)) is not None:
                found.append(token)
        except Unclosed as unclosed:
            return found, unclosed
        return found, None

    def _token(self, before: list[Token]) -> Token | None:
        self._skip_blanks()
        if self.place >= len(self.text):
            return None
        start = self.place
        if self.text[start] in "<>" and self._at(start + 1) == "(":
            return self._word()
        operator = _OPERATORS.match(self.text, start)
        if operator is None:
            return self._word(before)
        self.place = operator.end()
        if operator[0] == "\n":
            self._skip_heredocs()
        return Operator(operator[0], start, operator.end())

    def _skip_blanks(self) -> None:
        while True:
            if self._at(self.place) in (" ", "\t"):
                self.place += 1
            elif self.text.startswith("\\\n", self.place):
                self.place += 2
            elif self._at(self.place) == "#":
                end = self.text.find("\n", self.place)
                self.place = end if end >= 0 else len(self.text)
            else:
                return

    def _skip_heredocs(self) -> None:
        for mark, tabs in self.heredocs:
            while self.place < len(self.text):
                end = self.text.find("\n", self.place)
                line = self.text[self.place : end if end >= 0 else len(self.text)]
                self.place = end + 1 if end >= 0 else len(self.text)
                if (line.lstrip("\t") if tabs else line) == mark:
                    break
        self.heredocs = []

    def _at(self, place: int) -> str:
        return self.text[place] if place < len(self.text) else ""

    def _word(self, before: list[Token] | None = None) -> Word:
        start = self.place
        parts = self._parts(_END_OF_WORD, False, 0)
        raw = self.text[start : self.place]
        if self._at(self.place) == "(" and _ARRAY.match(raw):
            return self._array(start, parts)
        last = before[-1] if before else None
        if isinstance(last, Operator) and last.text in ("<<", "<<-"):
            self.heredocs.append((re.sub(r"[\\'\"]", "", raw), last.text == "<<-"))
        return Word(parts, start, self.place, raw)

    def _array(self, start: int, parts: tuple[Part, ...]) -> Word:
        opened = self.place
        self.place += 1
        values: list[Word] = []
        while True:
            self._skip_blanks()
            if self.place >= len(self.text):
                raise Unclosed(opened, "`(`")
            if self.text[self.place] == ")":
                self.place += 1
                return Word(parts, start, self.place, self.text[start : self.place], tuple(values))
            if self.text[self.place] == "\n":
                self.place += 1
            elif self.text[self.place] in _END_OF_WORD:
                raise Unclosed(opened, "`(`")
            else:
                values.append(self._word())

    def _parts(self, ends: frozenset[str], quoted: bool, depth: int) -> tuple[Part, ...]:
        """The parts up to a character that ends them, or the end of the text."""
        parts: list[Part] = []
        plain: list[str] = []
        start = self.place

        def flush() -> None:
            if plain:
                parts.append(Part("text", "".join(plain), quoted))
                plain.clear()

        while self.place < len(self.text):
            character = self.text[self.place]
            if character in "<>" and not quoted and self._at(self.place + 1) == "(":
                flush()
                self.place += 1
                parts.append(self._skipped("(", ")", "a process substitution"))
            elif character in ends:
                break
            elif character == "\\":
                self._escape(parts, plain, quoted, flush)
            elif character == "'" and not quoted:
                flush()
                parts.append(Part("text", self._until_quote(), True))
            elif character == '"':  # also within `"${A:-"…"}"`
                flush()
                parts += self._double(depth)
            elif character == "`":
                flush()
                parts.append(self._backticks())
            elif character == "$":
                flush()
                parts += self._dollar(quoted, depth)
            elif character == "~" and not quoted and self.place == start:
                self.place += 1
                parts.append(Part("odd", "a home folder, which differs from machine to machine"))
            else:
                plain.append(character)
                self.place += 1
        flush()
        return tuple(parts)

    def _escape(self, parts: list[Part], plain: list[str], quoted: bool, flush: object) -> None:
        follower = self._at(self.place + 1)
        self.place += 2
        if follower == "\n":
            return
        if quoted:
            plain.append(follower if follower and follower in '$`"\\' else "\\" + follower)
        else:
            flush()  # type: ignore[operator]
            parts.append(Part("text", follower or "\\", True))

    def _until_quote(self) -> str:
        end = self.text.find("'", self.place + 1)
        if end < 0:
            raise Unclosed(self.place, "`'`")
        text = self.text[self.place + 1 : end]
        self.place = end + 1
        return text

    def _double(self, depth: int) -> tuple[Part, ...]:
        opened = self.place
        self.place += 1
        parts = self._parts(frozenset('"'), True, depth)
        if self._at(self.place) != '"':
            raise Unclosed(opened, '`"`')
        self.place += 1
        return Part("text", "", True), *parts  # an empty text between quotes is a word all the same

    def _backticks(self) -> Part:
        opened = self.place
        self.place += 1
        while self._at(self.place) != "`":
            if self.place >= len(self.text):
                raise Unclosed(opened, "`` ` ``")
            self.place += 2 if self.text[self.place] == "\\" else 1
        self.place += 1
        if self._at(opened + 1) == "#" and "\n" not in self.text[opened : self.place]:
            return Part("text", "")  # `# how people comment a line that goes on`
        return Part("odd", "a command substitution, and nothing is executed here")

    def _dollar(self, quoted: bool, depth: int) -> tuple[Part, ...]:
        follower = self._at(self.place + 1)
        if follower == "(":
            self.place += 1
            opened = self.place
            skipped = self._skipped("(", ")", "a command substitution, and nothing is executed here")
            inside = self.text[opened : self.place]
            is_sum = inside.startswith("((") and inside.endswith("))")
            return (Part("sum", inside[2:-2], quoted) if is_sum else skipped,)
        if follower == "{":
            return (self._braced(quoted, depth),)
        if name := _NAME.match(self.text, self.place + 1):
            self.place = name.end()
            return (Part("var", name[0], quoted),)
        if follower == "'" and not quoted:
            self.place += 1
            self._skip_quoted("'")
            return (Part("odd", "a text with escapes of the shell (`$'…'`)"),)
        if follower == '"' and not quoted:
            self.place += 1
            return self._double(depth)
        if follower and follower in "@*#?$!-0123456789":
            self.place += 2
            return (Part("odd", f"`${follower}`, which is known only when the script runs"),)
        self.place += 1
        return (Part("text", "$", True),)

    def _braced(self, quoted: bool, depth: int) -> Part:
        """`${NAME}`, `${NAME:-otherwise}`, `${1:-otherwise}`, `${NAME[@]}`; any other form is odd."""
        opened = self.place
        name = _NAME.match(self.text, opened + 2) or _POSITION.match(self.text, opened + 2)
        if name and depth < DEPTH:
            self.place = name.end()
            if self._at(self.place) == "}":
                self.place += 1
                unknown = Part("odd", f"`${name[0]}`, which is known only when the script runs")
                return unknown if name[0].isdecimal() else Part("var", name[0], quoted)
            if self.text.startswith(("[@]}", "[*]}"), self.place):
                self.place += 4
                return Part("var", name[0], quoted, "[@]")
            if how := _FALLBACKS.match(self.text, self.place):
                self.place = how.end()
                otherwise = self._parts(frozenset("}"), quoted, depth + 1)
                if self._at(self.place) != "}":
                    raise Unclosed(opened, "`${`")
                self.place += 1
                return Part("var", name[0], quoted, how[0], otherwise)
        self.place = opened + 1
        return self._skipped("{", "}", "a form of `${…}` that is not read here")

    def _skipped(self, opening: str, closing: str, what: str) -> Part:
        """What stands in brackets, with those inside of it."""
        opened, depth = self.place, 0
        while self.place < len(self.text):
            character = self.text[self.place]
            if character in "'\"":
                self._skip_quoted(character)
                continue
            if character == "\\":
                self.place += 1
            elif character in (opening, closing):
                depth += 1 if character == opening else -1
            self.place += 1
            if depth == 0:
                return Part("odd", what)
        raise Unclosed(opened, f"`{opening}`")

    def _skip_quoted(self, quote: str) -> None:
        opened = self.place
        self.place += 1
        while self._at(self.place) != quote:
            if self.place >= len(self.text):
                raise Unclosed(opened, f"`{quote}`")
            self.place += 2 if self.text[self.place] == "\\" else 1
        self.place += 1
