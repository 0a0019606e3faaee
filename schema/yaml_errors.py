"""What libyaml says about broken YAML, in plain English with the fix."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from yaml.error import Mark, MarkedYAMLError

from schema.diagnostics import Diagnostic, Span

LONGEST_KEY = 1024  # characters; the YAML specification's limit
SYNTAX, TABS, TAG = "R0007", "R0008", "R0012"


@dataclass(frozen=True, slots=True)
class _Rule:
    """A piece of the parser's words (`problem`, `context`) → ours. `opened`: the label of the place where it began."""

    problem: str
    message: str
    help: str
    context: str = ""
    opened: str = ""
    at_opening: bool = False  # the place to look at is where it began, not where the parser gave up
    whole: bool = False  # the whole line, or the whole tag, not one character
    code: str = SYNTAX


_QUOTE = "put the whole text in quotes"
_TAG = _Rule("", "this tag is not allowed", "remove the tag: a recipe holds plain data only", code=TAG, whole=True)
_DIRECTIVE = _Rule("", "a line that begins with `%` is a YAML directive, which a recipe has no use for",
                   "remove the line, or put the text in quotes", at_opening=True, whole=True)  # fmt: skip
_NO_KEY = _Rule("", "this line has no `key:`",
                "write `key: value`; a text over several lines stands in quotes or below `key: |`",
                at_opening=True, whole=True)  # fmt: skip
_NO_ITEM = _Rule("", "this line does not line up with the items of its list",
                 "give every `-` of one list the same indentation", opened="the list begins here")  # fmt: skip
_NO_QUOTE = _Rule("", "the quote that opens here is never closed", "close the quote", at_opening=True)
_NO_ESCAPE = _Rule("", "this escape in a text in double quotes is not complete",
                   "write the character itself, or a backslash as `\\\\`")  # fmt: skip
_TEXT_BELOW = _Rule("", "a text below `|` or `>` begins on the next line", "move the text to the next line, indented")
_TABS = _Rule("", "a tab stands where spaces are expected", "indent with spaces", code=TABS)

# First match wins. The wording of the pure-Python parser stands beside that of libyaml where they differ.
_RULES = (
    replace(_TABS, problem="tab character"),
    replace(_TAG, context="while scanning a tag"),
    replace(_TAG, context="while parsing a tag"),
    replace(_TAG, problem="tag handle"),
    replace(_DIRECTIVE, context="directive"),
    replace(_DIRECTIVE, problem="directive"),
    replace(_NO_KEY, problem="could not find expected ':'"),
    _Rule("sequence entries are not allowed", "a list item `-` cannot begin here",
          "begin the list on the next line, or write `[a, b]`"),
    _Rule("mapping keys are not allowed", "a key cannot begin here", "begin it on a line of its own"),
    _Rule("alphabetic or numeric", "a text that begins with `*` is a YAML alias", _QUOTE,
          context="while scanning an alias", at_opening=True),
    _Rule("alphabetic or numeric", "a text that begins with `&` is a YAML anchor", _QUOTE,
          context="while scanning an anchor", at_opening=True),
    replace(_NO_QUOTE, problem="end of stream", context="scalar"),
    replace(_NO_QUOTE, problem="document indicator", context="scalar"),
    replace(_NO_QUOTE, problem="document separator", context="scalar"),
    _Rule("unknown escape", "this is no escape that a text in double quotes can have",
          "write a backslash as `\\\\`, or use single quotes"),
    replace(_NO_ESCAPE, problem="hexdecimal"),
    replace(_NO_ESCAPE, problem="hexadecimal"),
    _Rule("Unicode character escape", "this escape in a text in double quotes is no character",
          "write the character itself"),
    _Rule("indentation indicator", "the number after `|` or `>` is no indentation", "leave the number out"),
    replace(_TEXT_BELOW, problem="line break", context="block scalar"),
    replace(_TEXT_BELOW, problem="chomping", context="block scalar"),
    _Rule("',' or ']'", "the list in `[…]` is not closed or lacks a comma", "write `[a, b]`",
          opened="the list begins here"),
    _Rule("',' or '}'", "the map in `{…}` is not closed or lacks a comma", "write `{a: 1, b: 2}`",
          opened="the map begins here"),
    replace(_NO_ITEM, problem="'-' indicator"),
    replace(_NO_ITEM, context="block collection"),
    _Rule("node content", "a value is missing here", "write a value; put a text that begins like this in quotes"),
    _Rule("document start", "this does not belong to the map above", "check the indentation of this line"),
)  # fmt: skip


def syntax_error(error: MarkedYAMLError, text: str, file: str) -> Diagnostic:
    """The parser's error as a diagnostic, with one or two places."""
    problem, context = error.problem or "", error.context or ""
    opening = error.context_mark
    place = error.problem_mark or opening
    rule = _special(problem, context, place, opening, text) or next(
        (rule for rule in _RULES if rule.problem in problem and rule.context in context),
        _Rule("", f"not YAML: {', '.join(filter(None, (context, problem)))}", ""),
    )
    if opening is not None and place is not None and (rule.at_opening or _never_closed(rule, opening, place)):
        place, opening = opening, None
    spans = [_span(place, text, file, whole=rule.whole)]
    if rule.opened and opening is not None and opening.line + 1 < spans[0].line:
        spans.append(_span(opening, text, file, rule.opened))
    return Diagnostic(rule.code, rule.message, rule.help, tuple(spans))


def directive(mark: Mark, text: str, file: str) -> Diagnostic:
    """`%YAML 1.1` and its like, which the parser itself takes."""
    return Diagnostic(SYNTAX, _DIRECTIVE.message, _DIRECTIVE.help, (_span(mark, text, file, whole=True),))


def _never_closed(rule: _Rule, opening: Mark, place: Mark) -> bool:
    """A bracket that is still open on a later line: where it opens is the place to look at."""
    return "is not closed" in rule.message and opening.line < place.line


def _special(problem: str, context: str, place: Mark | None, opening: Mark | None, text: str) -> _Rule | None:
    """Messages that depend on the text around the place."""
    if place is None:
        return None
    before, character = text[: place.index].rpartition("\n")[2], text[place.index : place.index + 1]
    if "mapping values are not allowed" in problem:
        return _second_colon(before)
    if "cannot start any token" in problem:
        return _bad_start(character)
    if "expected key" in problem or ("block mapping" in context and "block end" in problem):
        return _misplaced(before, character)
    if "node content" in problem and character in ("]", "}"):
        return _closes_nothing(character) if before.rstrip().endswith(":") else None
    if "could not find expected ':'" in problem and opening and re.match(r"[\w-]+:[^\s:]", text[opening.index :]):
        return replace(_NO_KEY, message="there is no space behind the `:`", help="write `key: value`")
    return None


def _second_colon(before: str) -> _Rule:
    if len(before.strip()) > LONGEST_KEY:
        return _Rule("", f"a key is longer than {LONGEST_KEY:,} characters", "shorten it")
    if ": " in before.strip():
        return _Rule("", "a second `: ` on one line", f"{_QUOTE}, or write `{{key: value}}`")
    fix = "give it the indentation of the line above, or remove that line's value"
    return _Rule("", "a field is indented below a value", fix, whole=True)


def _bad_start(character: str) -> _Rule:
    if character == "\t":
        return _TABS
    shown = "a backtick" if character == "`" else f"`{character}`"
    return _Rule("", f"a text cannot begin with {shown}", _QUOTE)


def _misplaced(before: str, character: str) -> _Rule:
    if character in ("]", "}"):
        return _closes_nothing(character)
    if before.strip():
        return _Rule("", "there is more on this line after a finished value", _QUOTE)
    return _Rule(
        "",
        "this line does not line up with the fields of its map",
        "give all fields of one map the same indentation",
        opened="the map begins here",
    )


def _closes_nothing(character: str) -> _Rule:
    return _Rule("", f"this `{character}` closes nothing", "remove it, or put the whole text in quotes")


def _span(mark: Mark | None, text: str, file: str, label: str = "", *, whole: bool = False) -> Span:
    """One character at the mark, or the `whole` word or line there; at the end of the text, what is behind it."""
    if mark is None:
        return Span(file, 1, 1, 1, 1, label)
    line = mark.line + 1
    if not text[mark.index :].strip():
        body = text.rstrip()
        line, column = body.count("\n") + 1, len(body.rpartition("\n")[2]) + 1
        return Span(file, line, column, line, column, label)
    if not whole:
        return Span(file, line, mark.column + 1, line, mark.column + 2, label)
    before = text[: mark.index].rpartition("\n")[2]
    rest = re.split(r"[\r\n]", text[mark.index :], maxsplit=1)[0]
    if rest.startswith("!"):
        return Span(file, line, mark.column + 1, line, mark.column + 1 + len(rest.split()[0]), label)
    indent = len(before) - len(before.lstrip()) if before.strip() else mark.column
    return Span(file, line, indent + 1, line, mark.column + 1 + len(rest.split(" #")[0].rstrip()), label)
