"""What libyaml says about broken YAML, in plain English with the fix."""

from __future__ import annotations

from dataclasses import dataclass

from yaml.error import Mark, MarkedYAMLError

from schema.diagnostics import Diagnostic, Span

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
    code: str = SYNTAX


_QUOTE = "put the whole text in quotes"
# First match wins. The wording of the pure-Python parser stands beside that of libyaml where they differ.
_RULES = (
    _Rule("tab character", "a tab stands where spaces are expected", "indent with spaces", code=TABS),
    _Rule("", "this is no tag of the recipe language", "remove the tag", context="while scanning a tag", code=TAG),
    _Rule("", "this is no tag of the recipe language", "remove the tag", context="while parsing a tag", code=TAG),
    _Rule("tag handle", "this is no tag of the recipe language", "remove the tag", code=TAG),
    _Rule("", "a line that begins with `%` is a YAML directive, which a recipe has no use for",
          "remove the line, or put the text in quotes", context="directive"),
    _Rule("directive", "a YAML directive that is not understood", "remove the line that begins with `%`"),
    _Rule("could not find expected ':'", "this line has no `key:`",
          "write `key: value`; a text over several lines stands in quotes or below `key: |`", at_opening=True),
    _Rule("block sequence entries are not allowed", "a list item `-` cannot begin here",
          "begin the list on the next line, or write `[a, b]`"),
    _Rule("sequence entries are not allowed", "a list item `-` cannot begin here",
          "begin the list on the next line, or write `[a, b]`"),
    _Rule("mapping keys are not allowed", "a key cannot begin here", "begin it on a line of its own"),
    _Rule("alphabetic or numeric", "a text that begins with `*` is a YAML alias",
          f"{_QUOTE}", context="while scanning an alias"),
    _Rule("alphabetic or numeric", "a text that begins with `&` is a YAML anchor",
          f"{_QUOTE}", context="while scanning an anchor"),
    _Rule("end of stream", "the quote that opens here is never closed", "close the quote", context="scalar",
          at_opening=True),
    _Rule("document indicator", "the quote that opens here is never closed", "close the quote", context="scalar",
          at_opening=True),
    _Rule("document separator", "the quote that opens here is never closed", "close the quote", context="scalar",
          at_opening=True),
    _Rule("unknown escape", "an unknown escape in a text in double quotes",
          "write a backslash as `\\\\`, or use single quotes"),
    _Rule("hexdecimal", "an escape in a text in double quotes is not complete",
          "write the character itself, or a backslash as `\\\\`"),
    _Rule("hexadecimal", "an escape in a text in double quotes is not complete",
          "write the character itself, or a backslash as `\\\\`"),
    _Rule("Unicode character escape", "an escape in a text in double quotes is no character",
          "write the character itself"),
    _Rule("indentation indicator", "the number after `|` or `>` is no indentation", "leave the number out"),
    _Rule("comment or line break", "a text below `|` or `>` begins on the next line",
          "move the text to the next line and indent it", context="block scalar"),
    _Rule("a comment or a line break", "a text below `|` or `>` begins on the next line",
          "move the text to the next line and indent it", context="block scalar"),
    _Rule("',' or ']'", "the list in `[…]` is not closed or lacks a comma", "write `[a, b]`",
          opened="the list begins here"),
    _Rule("',' or '}'", "the map in `{…}` is not closed or lacks a comma", "write `{a: 1, b: 2}`",
          opened="the map begins here"),
    _Rule("'-' indicator", "this line does not line up with the items of its list",
          "give every `-` of one list the same indentation", opened="the list begins here"),
    _Rule("", "this line does not line up with the items of its list",
          "give every `-` of one list the same indentation", context="block collection", opened="the list begins here"),
    _Rule("node content", "a value is missing here, or this character cannot begin one",
          f"write the value; {_QUOTE} when it begins with a special character"),
    _Rule("document start", "this does not belong to the map above", "check the indentation of this line"),
)  # fmt: skip


def syntax_error(error: MarkedYAMLError, text: str, file: str) -> Diagnostic:
    """The parser's error as a diagnostic, with one or two places."""
    problem, context = error.problem or "", error.context or ""
    place, opening = error.problem_mark or error.context_mark, error.context_mark
    rule = _special(problem, context, place, text) or next(
        (r for r in _RULES if r.problem in problem and r.context in context),
        _Rule("", f"not YAML: {', '.join(filter(None, (context, problem)))}", ""),
    )
    at_end = place is not None and not text[place.index :].strip()
    if opening is not None and (rule.at_opening or (rule.opened and at_end)):
        place, opening = opening, None
    spans = [_span(place, text, file)]
    if rule.opened and opening is not None and (opening.line, opening.column) != (spans[0].line - 1, 0):
        spans.append(_span(opening, text, file, rule.opened))
    return Diagnostic(rule.code, rule.message, rule.help, tuple(spans))


def _special(problem: str, context: str, place: Mark | None, text: str) -> _Rule | None:
    """Messages that depend on the text around the place."""
    if place is None:
        return None
    before = text[: place.index].rpartition("\n")[2]
    if "mapping values are not allowed" in problem:
        return _second_colon(before)
    if "cannot start any token" in problem:
        return _bad_start(text[place.index : place.index + 1])
    if "expected key" in problem or ("block mapping" in context and "block end" in problem):
        return _misplaced(before)
    return None


def _second_colon(before: str) -> _Rule:
    if ": " in before.strip():
        message, fix = "a second `: ` on one line", f"{_QUOTE}, or write `{{key: value}}`"
        return _Rule("", message, fix)
    fix = "give it the indentation of the line above, or remove that line's value"
    return _Rule("", "a field is indented below a value", fix)


def _bad_start(character: str) -> _Rule:
    if character == "\t":
        return _Rule("", "a tab stands where spaces are expected", "indent with spaces", code=TABS)
    return _Rule("", f"a text cannot begin with `{character}`", _QUOTE)


def _misplaced(before: str) -> _Rule:
    if before.strip():
        return _Rule("", "there is more on this line after a finished value", _QUOTE)
    return _Rule(
        "",
        "this line does not line up with the fields of its map",
        "give all fields of one map the same indentation",
        opened="the map begins here",
    )


def _span(mark: Mark | None, text: str, file: str, label: str = "") -> Span:
    """One character at the mark; at the end of the text, the place behind its last character."""
    if mark is None:
        return Span(file, 1, 1, 1, 1, label)
    if text[mark.index :].strip():
        return Span(file, mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2, label)
    body = text.rstrip()
    line, column = body.count("\n") + 1, len(body.rpartition("\n")[2]) + 1
    return Span(file, line, column, line, column, label)
