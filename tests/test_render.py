"""Diagnostics as text, JSON and workflow commands."""

import json
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.diagnostics import Diagnostic, Span
from schema.render import MAX_SHOWN, github, text, to_json

SOURCE = "version: 1\nname: animals\nstages:\n  train:\n    optimizer: {lr: 1e-4}\n    epochs: two\n"
UNKNOWN = Diagnostic("R0101", "unknown field `lr`", "write `learning_rate`", (Span("a.yaml", 5, 17, 5, 19),))


def shown(diagnostic, *lines, file="a.yaml"):
    return text([diagnostic], {file: "\n".join(lines)}).splitlines()


def test_one_place():
    assert (
        text([UNKNOWN], {"a.yaml": SOURCE})
        == """\
error[R0101]: unknown field `lr`
 --> a.yaml:5:17
  |
5 |     optimizer: {lr: 1e-4}
  |                 ^^
  help: write `learning_rate`

1 error"""
    )


def test_two_places_of_one_file():
    spans = (Span("a.yaml", 6, 13, 6, 16, "two"), Span("a.yaml", 2, 1, 2, 5, "one"))
    assert (
        text([Diagnostic("R0301", "they differ", "", spans, "warning")], {"a.yaml": SOURCE})
        == """\
warning[R0301]: they differ
 --> a.yaml:6:13
  |
2 | name: animals
  | ---- one
...
6 |     epochs: two
  |             ^^^ two

1 warning"""
    )


def test_neighbouring_lines_and_one_line():
    spans = (Span("a.yaml", 2, 7, 2, 14), Span("a.yaml", 1, 1, 1, 8, "here"), Span("a.yaml", 2, 1, 2, 5, "and here"))
    assert (
        text([Diagnostic("R0301", "m", "", spans)], {"a.yaml": SOURCE})
        == """\
error[R0301]: m
 --> a.yaml:2:7
  |
1 | version: 1
  | ------- here
2 | name: animals
  | ---- and here
  |       ^^^^^^^

1 error"""
    )


def test_two_files_and_a_wide_gutter():
    spans = (Span("a.yaml", 1, 1, 1, 8), Span("base.yaml", 12, 1, 12, 2, "set here"), Span("data.csv", 7, 1, 7, 1))
    sources = {"a.yaml": SOURCE, "base.yaml": "\n" * 11 + "x: 1"}
    assert (
        text([Diagnostic("R0207", "set twice", "set it once", spans)], sources)
        == """\
error[R0207]: set twice
  --> a.yaml:1:1
   |
 1 | version: 1
   | ^^^^^^^
  ::: base.yaml:12:1
   |
12 | x: 1
   | - set here
  ::: data.csv:7:1
   help: set it once

1 error"""
    )


def test_without_a_text_or_a_place():
    missing = Diagnostic("R0001", "a.yaml does not exist", "", (Span("a.yaml", 1, 1, 1, 1),))
    nowhere = Diagnostic("R0500", "no GPU", "", (), "note")
    assert (
        text([missing, nowhere, UNKNOWN], {})
        == """\
error[R0001]: a.yaml does not exist
 --> a.yaml

note[R0500]: no GPU

error[R0101]: unknown field `lr`
 --> a.yaml:5:17
  help: write `learning_rate`

2 errors, 1 note"""
    )


def test_nothing_found():
    assert text([], {}) == ""
    assert github([]) == ""
    assert json.loads(to_json([])) == {"format_version": 1, "diagnostics": []}


def test_several_lines_show_the_first():
    lines = shown(Diagnostic("R0102", "m", "", (Span("a.yaml", 1, 4, 3, 2),)), "a: [1,  ", "2,", "3]")
    assert lines[3:5] == ["1 | a: [1,", "  |    ^^^"]


def test_a_place_behind_the_text():
    assert shown(Diagnostic("R0007", "m", "", (Span("a.yaml", 1, 3, 1, 3),)), "a:")[4] == "  |   ^"
    assert shown(Diagnostic("R0007", "m", "", (Span("a.yaml", 9, 3, 9, 3),)), "a:")[1] == " --> a.yaml:9:3"


@pytest.mark.parametrize(
    ("line", "span", "excerpt", "carets"),
    [
        ("中文: 1", (1, 3), "中文: 1", "^^^^"),
        ("中: 文字", (4, 6), "中: 文字", "    ^^^^"),
        ("😀: x", (4, 5), "😀: x", "    ^"),
        ("é: x", (4, 5), "é: x", "   ^"),
        ("e\u0301: x", (5, 6), "e\u0301: x", "   ^"),
        ("a\tb: x", (3, 4), "a    b: x", "     ^"),
        ("\x1b[31m: x", (7, 8), "\\x1b[31m: x", "         ^"),
        ("\u202ea: x", (2, 3), "\\u202ea: x", "      ^"),
    ],
)
def test_carets_stand_under_their_text(line, span, excerpt, carets):
    lines = shown(Diagnostic("R0101", "m", "", (Span("a.yaml", 1, span[0], 1, span[1]),)), line)
    assert lines[3:5] == [f"1 | {excerpt}", f"  | {carets}"]


def test_a_long_line_is_cut_around_its_caret():
    line = "x" * 300 + "HERE" + "y" * 300
    excerpt, carets = shown(Diagnostic("R0101", "m", "", (Span("a.yaml", 1, 301, 1, 305),)), line)[3:5]
    assert excerpt[carets.index("^") :].startswith("HERE")
    assert carets.count("^") == 4
    assert excerpt.startswith("1 | …x")
    assert excerpt.endswith("y…")
    assert len(excerpt) < 110


def test_the_beginning_of_a_long_line():
    excerpt, carets = shown(Diagnostic("R0101", "m", "", (Span("a.yaml", 1, 1, 1, 900),)), "x" * 1000)[3:5]
    assert excerpt == "1 | " + "x" * 100 + "…"
    assert carets == "  | " + "^" * 100


def test_a_message_can_do_nothing_to_a_terminal():
    hostile = Diagnostic("R0101", "a\x1b[2J\nb", "\u202ec", (Span("\x07.yaml", 1, 1, 1, 1, "\x9bx"),))
    assert text([hostile], {"\x07.yaml": "x"}).splitlines() == [
        "error[R0101]: a\\x1b[2J\\nb",
        " --> \\x07.yaml:1:1",
        "  |",
        "1 | x",
        "  | ^ \\x9bx",
        "  help: \\u202ec",
        "",
        "1 error",
    ]


def test_a_message_is_not_endless():
    assert len(shown(Diagnostic("R0101", "x" * 10_000))[0]) < 600


def test_many_findings():
    lines = text([UNKNOWN] * 1000, {"a.yaml": SOURCE}).splitlines()
    assert lines[-1] == f"1000 errors (the first {MAX_SHOWN} are shown)"
    assert sum(line.startswith("error[") for line in lines) == MAX_SHOWN


def test_colour_changes_no_letter():
    spans = (Span("a.yaml", 6, 13, 6, 16, "two"), Span("a.yaml", 2, 1, 2, 5, "one"))
    found = [
        UNKNOWN,
        Diagnostic("R0301", "they differ", "", spans, "warning"),
        Diagnostic("R0500", "m", "", (), "note"),
    ]
    colored = text(found, {"a.yaml": SOURCE}, color=True)
    assert "\x1b[1;31merror[R0101]\x1b[0m" in colored
    assert "\x1b[1;33mwarning[R0301]\x1b[0m" in colored
    assert re.sub(r"\x1b\[[\d;]*m", "", colored) == text(found, {"a.yaml": SOURCE})


def test_json():
    assert json.loads(to_json([UNKNOWN])) == {
        "format_version": 1,
        "diagnostics": [
            {
                "code": "R0101",
                "severity": "error",
                "message": "unknown field `lr`",
                "help": "write `learning_rate`",
                "spans": [
                    {"file": "a.yaml", "line": 5, "column": 17, "end_line": 5, "end_column": 19, "label": ""},
                ],
            }
        ],
    }


def test_github():
    found = [
        UNKNOWN,
        Diagnostic("R0301", "50% of\r\nit: a, b", "", (Span("a,b:c%.yaml", 2, 1, 4, 3),), "warning"),
        Diagnostic("R0500", "m\x1b", "", (), "note"),
    ]
    assert github(found).split("\n") == [
        "::error file=a.yaml,line=5,col=17,endColumn=19,title=R0101::unknown field `lr`%0Ahelp: write `learning_rate`",
        "::warning file=a%2Cb%3Ac%25.yaml,line=2,col=1,endLine=4,title=R0301::50%25 of%0D%0Ait: a, b",
        "::notice title=R0500::m\\x1b",
    ]


def test_rich_is_not_loaded_for_ascii():
    code = (
        "import sys; from schema.render import text; from schema.diagnostics import *;"
        "text([Diagnostic('R0101', 'm', '', (Span('a', 1, 1, 1, 2),))], {'a': 'x: 1'});"
        "sys.exit('rich' in sys.modules or 'rapidfuzz' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


NUMBERS = st.integers(1, 130)
SPANS = st.builds(Span, st.sampled_from(["a", "b", "c"]), NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.text(max_size=5))
FOUND = st.builds(
    Diagnostic,
    st.just("R0001"),
    st.text(max_size=20),
    st.text(max_size=20),
    st.lists(SPANS, max_size=3).map(tuple),
    st.sampled_from(["error", "warning", "note"]),
)


@given(st.lists(FOUND, max_size=3), st.text(max_size=300), st.text("a\n😀\t中", max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_place_in_any_text(found, one, two):
    """Whatever the places are, there is a text, its lines are whole, and it drives no terminal."""
    written = text(found, {"a": one, "b": two})
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", written)
    assert json.loads(to_json(found))["format_version"] == 1
    assert len(github(found).split("\n")) == max(1, len(found))
