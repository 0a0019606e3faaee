"""A shell script as a list of commands, with the values of its variables; what cannot be known without running it is told.

Commands that run one after another are read. A `for` over words that are known is read once for each of them.
What runs by a condition, again and again in another way, or behind a pipe is left out.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from compiler.importing import sums
from compiler.importing.grammar import (
    ASSIGNMENT,
    EXPORTERS,
    SEPARATORS,
    assigned,
    assigns,
    end_of_command,
    end_of_compound,
    ends_command,
    for_loop,
    only_assignments,
    opens_compound,
    varies_seed,
    whole_commands,
)
from compiler.importing.pieces import Piece, joined, split
from compiler.importing.words import Operator, Part, Reader, Token, Word
from schema.diagnostics import Span

LONGEST = 1 << 16
"""Characters of a value; variables that double each other would grow without bound."""
TURNS = 64
"""Turns of loops in a script; a recipe with more stages than that is for nobody to read."""

LEFT = {
    "`for`": "it is read over words that stand in the script only, and not over seeds: a recipe has one, a variant another"
}

_CONDITIONS = frozenset({"[", "[[", "test", "!"})
_WRAPPERS = frozenset({"nohup", "time", "exec", "command", "env", "sudo"})


@dataclass(frozen=True, slots=True)
class Text:
    """A word as the program gets it. `odd` says why it cannot be known, where it cannot."""

    text: str
    place: Span
    raw: str
    odd: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Something that is left out, and why. `raw` is its text in the script."""

    place: Span
    message: str
    raw: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command with its environment: what is exported before it, and what stands in front of it."""

    words: tuple[Text, ...]
    env: dict[str, Text]
    place: Span


@dataclass(slots=True)
class Script:
    """What was read of a script."""

    commands: list[Command] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)


def read_script(text: str, file: str) -> Script:
    """The commands of a script; `file` names it in places. Errors: none, what cannot be read is in `reports`."""
    text = text.replace("\r\n", "\n")
    return _Interpreter(text, file).run()


@dataclass(slots=True)
class _Variable:
    value: tuple[Text, ...]
    """Several for an array."""
    exported: bool = False
    used: bool = False


class _Interpreter:
    def __init__(self, text: str, file: str) -> None:
        self.text, self.file = text, file
        self.lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self.variables: dict[str, _Variable] = {}
        self.script = Script()
        self.turns = 0
        self.holds: bool | None = None
        """Whether the condition that was read last holds, where that is known."""

    def run(self) -> Script:
        tokens, unclosed = Reader(self.text).tokens()
        whole = whole_commands(tokens) if unclosed else tokens
        self._list(whole)
        if unclosed is not None:
            start = tokens[len(whole)].start if len(whole) < len(tokens) else unclosed.at
            line, column = self._where(unclosed.at)
            message = f"{unclosed.what} of line {line}, column {column} is never closed; all from here on is left out"
            self._report(start, len(self.text), message)
        self._unused()
        self.script.reports = list(dict.fromkeys(self.script.reports))  # a loop says the same in each turn
        self.script.reports.sort(key=lambda report: report.place)
        return self.script

    # Places and reports

    def _span(self, start: int, end: int) -> Span:
        (line, column), (end_line, end_column) = self._where(start), self._where(max(end, start))
        return Span(self.file, line, column, end_line, end_column)

    def _where(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self.lines, offset)
        return line, offset - self.lines[line - 1] + 1

    def _report(self, start: int, end: int, message: str) -> None:
        self.script.reports.append(Report(self._span(start, end), message, self.text[start:end]))

    # Lists of commands

    def _list(self, tokens: Sequence[Token]) -> None:
        """Commands and what joins them."""
        place, joint, conditional = 0, "\n", False
        self.holds = None
        while place < len(tokens):
            token = tokens[place]
            if isinstance(token, Operator) and token.text in SEPARATORS - {"("}:
                joint = token.text
                conditional = conditional and joint in ("&&", "||", "|", "|&", "\n") and not ends_command(tokens, place)
                place += 1
                continue
            end = end_of_command(tokens, place)
            compound = opens_compound(tokens, place)
            if compound:
                end = end_of_compound(tokens, place)
                if joint in ("\n", ";", "&") and self._loop(tokens[place:end]):
                    place = end
                    continue
                self._skip(
                    tokens[place:end], LEFT.get(compound, f"what {compound} holds is decided when the script runs")
                )
                conditional = conditional or compound == "`[[`"
            elif joint in ("|", "|&"):
                self._skip(tokens[place:end], "what is behind a pipe takes no part in a launch")
            elif joint in ("||", "&&") and self.holds is not None:
                if self.holds == (joint == "&&"):
                    conditional = self._simple(tokens[place:end])
                else:
                    self._skip(tokens[place:end], "by the condition before it, this does not run")
            elif joint == "||" or (joint == "&&" and conditional):
                self._skip(tokens[place:end], "whether this runs is decided when the script runs")
            else:
                conditional = self._simple(tokens[place:end])
            place = end

    def _loop(self, tokens: Sequence[Token]) -> bool:
        """Read the body of a `for` once for each of its words, as the shell would; False where they cannot be known."""
        if (loop := for_loop(tokens)) is None:
            return False
        name, words, body = loop
        if varies_seed(name, body):  # stages of one recipe, all with its one seed, would be the same training again
            return False
        values = [text for word in words for text in self._fields(word)]
        self.turns += len(values)
        if not values or self.turns > TURNS or any(value.odd for value in values):
            return False
        for value in values:
            self.variables[name] = _Variable((value,), used=True)
            self._list(body)
        return True

    def _skip(self, tokens: Sequence[Token], message: str) -> None:
        """Leave tokens out. What they may assign is unknown from there on."""
        self._report(tokens[0].start, tokens[-1].end, message)
        for name in assigned(tokens):
            odd = Text(
                "", self._span(tokens[0].start, tokens[0].end), "", f"`{name}` is set where it cannot be followed"
            )
            self.variables[name] = _Variable((odd,), used=True)

    def _simple(self, tokens: Sequence[Token]) -> bool:
        """One command; whether it is a condition for what follows behind `&&`."""
        self.holds = None
        words = list(self._without_redirections(tokens))
        own: dict[str, Text] = {}
        while words and (match := assigns(words[0])):
            own[match[1]] = self._assign(words[0], match, keep=not only_assignments(words))
            words.pop(0)
        if not words:
            return False
        if words[0].bare in EXPORTERS:
            self._export(words)
            return False
        if words[0].bare == "unset":
            for word in words[1:]:
                self.variables.pop(word.raw, None)
            return False
        fields = [text for word in words for text in self._fields(word)]
        while fields and not fields[0].odd and fields[0].text in _WRAPPERS:
            self._report_text(fields.pop(0), "how the command is started is no part of a recipe")
            while fields and (match := ASSIGNMENT.match(fields[0].text)) and not fields[0].odd:
                first = fields.pop(0)
                own[match[1]] = replace(first, text=first.text[match.end() :])
        self.holds = _holds(fields)
        if self.holds is not None:
            return False
        env = {name: v.value[0] for name, v in self.variables.items() if v.exported and len(v.value) == 1} | own
        place = self._span(tokens[0].start, tokens[-1].end)
        self.script.commands.append(Command(tuple(fields), env, place))
        return bool(fields) and fields[0].text in _CONDITIONS

    def _report_text(self, text: Text, message: str) -> None:
        self.script.reports.append(Report(text.place, message, text.raw))

    def _without_redirections(self, tokens: Sequence[Token]) -> Iterator[Word]:
        place = 0
        while place < len(tokens):
            token = tokens[place]
            if isinstance(token, Word):
                following = tokens[place + 1] if place + 1 < len(tokens) else None
                is_number = token.raw.isdecimal() and isinstance(following, Operator) and following.start == token.end
                if not is_number:
                    yield token
                place += 1
                continue
            target = tokens[place + 1] if place + 1 < len(tokens) else None
            end = target.end if isinstance(target, Word) else token.end
            what = "what it reads" if token.text.startswith("<") else "where output goes"
            self._report(token.start, end, f"{what} is no part of a recipe")
            place += 2 if isinstance(target, Word) else 1

    # Variables

    def _assign(self, word: Word, match: re.Match[str], *, keep: bool) -> Text:
        """Take over an assignment; `keep` leaves the script's own variable alone: it is for one command."""
        name, behind = match[1], match.end()
        if word.array is not None:
            value = tuple(text for item in word.array for text in self._fields(item))
        else:
            value = (self._value(word, behind),)
        if match[2] and name in self.variables:
            value = self._added(self.variables[name].value, value, word.array is not None)
        if not keep:
            known = self.variables.get(name)
            self.variables[name] = _Variable(value, bool(known and known.exported))
        return value[0] if value else Text("", self._span(word.start, word.end), word.raw)

    @staticmethod
    def _added(before: tuple[Text, ...], added: tuple[Text, ...], array: bool) -> tuple[Text, ...]:
        if array:
            return before + added
        first, last = before[0] if before else added[0], added[0]
        return (replace(last, text=(first.text + last.text)[:LONGEST], odd=first.odd or last.odd),)

    def _value(self, word: Word, behind: int) -> Text:
        """The text behind the `=` of an assignment, in which nothing is split and no file is matched."""
        first = word.parts[0]
        parts = (replace(first, text=first.text[behind:]), *word.parts[1:])
        if len(parts) > 1 and parts[1].kind == "text" and not parts[1].quoted and parts[1].text.startswith("~"):
            parts = (parts[0], Part("odd", "a home folder, which differs from machine to machine"))
        pieces, odd = self._pieces(parts)
        if not odd and parts[0].text.startswith("~") and not parts[0].quoted:
            odd = "a home folder, which differs from machine to machine"
        return Text(joined(pieces)[:LONGEST], self._span(word.start, word.end), word.raw, odd)

    def _export(self, words: Sequence[Word]) -> None:
        exports = words[0].bare == "export" or any(word.raw.startswith("-") and "x" in word.raw for word in words[1:])
        for word in words[1:]:
            match = assigns(word)
            name = match[1] if match else word.raw
            if match:
                self._assign(word, match, keep=False)
            if name in self.variables:
                self.variables[name].exported = self.variables[name].exported or exports
            elif not name.startswith("-"):
                self._report(word.start, word.end, f"`{name}` has no value in this script")

    def _unused(self) -> None:
        for name, variable in self.variables.items():
            if not variable.used and not variable.exported:
                for text in variable.value[:1]:
                    self._report_text(text, f"`{name}` is used by no command that was read")

    # Expansion

    def _fields(self, word: Word) -> Iterator[Text]:
        """What a word becomes: one text, none, or several where an unquoted variable is split."""
        span = self._span(word.start, word.end)
        if word.matches_files:
            odd = "the shell reads a pattern for several words or for names of files here; put it in quotes"
            yield Text(word.raw, span, word.raw, odd)
            return
        parts = [part for part in word.parts if part.kind != "text" or part.text]
        spread = parts[0] if len(parts) == 1 else None
        if spread and spread.kind == "var" and spread.how == "[@]":
            yield from self._array(spread.text, word, span)
            return
        pieces, odd = self._pieces(word.parts)
        if odd:
            yield Text(word.raw, span, word.raw, odd)
            return
        for text in split(pieces):
            yield Text(text, span, word.raw)

    def _array(self, name: str, word: Word, span: Span) -> Iterator[Text]:
        variable = self.variables.get(name)
        if variable is None:
            yield Text(word.raw, span, word.raw, f"`{name}` has no value in this script")
            return
        variable.used = True
        yield from variable.value

    def _pieces(self, parts: Sequence[Part], inner: bool = False) -> tuple[list[Piece], str]:
        """The text of every part and whether blanks in it separate, and what of them cannot be known.

        Arguments:
            inner: the parts stand behind `:-` and the like, where bare text is split as the value would be.
        """
        found: list[Piece] = []
        size = 0
        for part in parts:
            pieces, odd = self._piece(part, inner)
            size += sum(len(text) for text, _ in pieces)
            if odd or size > LONGEST:
                return found, odd or "the value is too long"
            found += pieces
        return found, ""

    def _piece(self, part: Part, inner: bool) -> tuple[list[Piece], str]:
        if part.kind == "odd":
            return [], part.text
        if part.kind == "text":
            return [(part.text, inner and not part.quoted)] if part.text or part.quoted else [], ""
        if part.kind == "sum":
            try:
                return [(str(sums.value(part.text, self._operand)), False)], ""
            except sums.Unknown as unknown:
                return [], str(unknown)
        if part.how == "[@]":
            return [], "an array inside of a word"
        variable = self.variables.get(part.text)
        if variable:
            variable.used = True
        value, odd = _single(variable)
        given = variable is not None and (not part.how.startswith(":") or bool(value) or bool(odd))
        match part.how.lstrip(":"):
            case "-" | "=" if not given:
                pieces, odd = self._pieces(part.otherwise, inner=not part.quoted)
                if part.how.endswith("=") and not odd:
                    text = Text(joined(pieces), self._span(0, 0), "")
                    self.variables[part.text] = _Variable((text,), used=True)
                return pieces, odd
            case "+":
                return self._pieces(part.otherwise, inner=not part.quoted) if given else ([], "")
            case _ if variable is None:
                return [], f"`{part.text}` has no value in this script"
        return [(value, not part.quoted)], odd

    def _operand(self, name: str) -> str:
        """A variable in a sum. Errors: Unknown."""
        variable = self.variables.get(name)
        if variable is None:
            raise sums.Unknown(f"`{name}` has no value in this script")
        variable.used = True
        text, odd = _single(variable)
        if odd:
            raise sums.Unknown(odd)
        return text


def _holds(words: Sequence[Text]) -> bool | None:
    """Whether `[ -n TEXT ]` or `[ -z TEXT ]` holds, where the text is known; None for anything else."""
    if len(words) != 4 or any(word.odd for word in words) or words[0].text != "[" or words[3].text != "]":
        return None
    return {"-n": bool(words[2].text), "-z": not words[2].text}.get(words[1].text)


def _single(variable: _Variable | None) -> tuple[str, str]:
    """The text of a variable; of an array its first, as the shell has it."""
    if variable is None or not variable.value:
        return "", ""
    return variable.value[0].text, variable.value[0].odd
