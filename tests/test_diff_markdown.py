"""`recipe diff --format markdown`: texts break out of nothing, and a comment is never too long."""

import json
import re
from html.parser import HTMLParser

import pytest
from compiling import SMALL, change, recipe
from diff_project import repository
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from compiler.diff.markdown import LIMIT, MARKER, markdown
from compiler.diff.model import (
    ABSENT,
    FieldChange,
    FileChange,
    Note,
    OptionChange,
    PipelineDiff,
    RecipeDiff,
    Side,
    StageChange,
)

HOSTILE = [
    "</code></td></tr></table></details><script>alert(1)</script>",
    "```\n````\n~~~\n# heading",
    "`````` | a | b |\n|---|---|",
    "\n\n<!-- recipe-diff --> --> @somebody #1 https://example.org [x](javascript:1) ![x](y)",
    "\u202e\u2066 \x1b[31m \x00 \u2028 \ud800",
    "&lt;b&gt; &#60;b&#62; \\` \\| **bold** _x_ :tada:",
]
ALLOWED = {"p", "strong", "code", "table", "tr", "th", "td", "details", "summary"}


class Tags(HTMLParser):
    """Collects tags, and refuses what is not balanced."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.comments = []
        self.outside = []

    def handle_starttag(self, tag, attrs):
        assert tag in ALLOWED
        assert {name for name, _ in attrs} <= {"colspan"}
        assert "code" not in self.open, "a tag within a text"
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_comment(self, data):
        self.comments.append(data)

    def handle_data(self, data):
        if "code" not in self.open:
            self.outside.append(data)


def checked(text):
    """The contents of fences and the texts outside of them; everything else is what we wrote."""
    assert text.startswith(f"{MARKER}\n")
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    kinds = {token.type for token in tokens}
    assert kinds <= {"html_block", "fence", "paragraph_open", "inline", "paragraph_close"}
    tags = Tags()
    for token in tokens:
        if token.type == "html_block":
            tags.feed(token.content)
    assert (tags.open, tags.comments) == ([], [" recipe-diff "])
    assert not re.search(r"[@#<>`]|https?:|script", "".join(tags.outside))
    ours = [token.content for token in tokens if token.type == "inline"]
    assert all(line.startswith("Left out to fit a comment: ") for line in ours)
    assert len(ours) <= 1
    return [token.content for token in tokens if token.type == "fence"]


def hostile_diff(texts):
    """A difference in which every text is one of these."""
    one, two, three = texts[0], texts[-1], texts[len(texts) // 2]
    pipeline = PipelineDiff(
        one,
        "changed",
        two,
        notes=(Note("pin", one),),
        stages=(StageChange("changed", two, three, (one, two)),),
        fields=(FieldChange(("stages", one, two), three, ABSENT, "", (one,)),),
        options=(OptionChange(one, two, three, one, {two: three}, False),),
        files=(FileChange(one, f"--- a\n+++ b\n-{two}\n+{three}"),),
    )
    return RecipeDiff(Side(one), Side(two), 1, (pipeline,))


@given(st.lists(st.sampled_from(HOSTILE) | st.text(), min_size=1, max_size=3))
@settings(max_examples=150, deadline=None)
def test_texts_break_out_of_nothing(texts):
    assert len(checked(markdown(hostile_diff(texts)))) == 1


def test_a_hostile_recipe(tmp_path):
    root = repository(tmp_path / "p", small=SMALL)
    evil = json.dumps("".join(HOSTILE[:4]) + HOSTILE[5])
    change(root, "{kind: digits,", "{kind: digits, prompt: " + evil + ",")
    change(root, "name: small\n", f"name: small\ndescription: {evil}\n")
    shown = recipe(root, "diff", "--format", "markdown")[1]
    assert len(checked(shown)) == 1  # the prepared data's file; the variants differ in the same way
    change(root, "gpus: 0", "gpus: none")
    code, shown, _ = recipe(root, "diff", "--format", "markdown")
    assert code == 1
    assert len(checked(shown)) == 1


def test_a_terminal_gets_no_controls(tmp_path):
    root = repository(tmp_path / "p", small=SMALL)
    change(root, "name: small\n", 'name: small\ndescription: "\\e[31m[bold]x[/bold]\\u202e"\n')
    out = recipe(root, "diff")[1]
    assert "\\x1b[31m[bold]x[/bold]\\u202e" in out
    assert out.replace("\n", "").isprintable()


def many(count, notes=1):
    stages = tuple(StageChange("changed", f"stage-{n}", "sft", ("x" * 50,)) for n in range(20))
    options = tuple(OptionChange("train", "swift sft", f"option-{n}", 1, 2, True) for n in range(50))
    file = FileChange("dvc.yaml", "\n".join(f"+line {n}" for n in range(500)))
    risks = tuple(Note("pin", f"risk {n}") for n in range(notes))
    labels = [f"p-{n}" for n in range(count)]
    pipelines = tuple(
        PipelineDiff(label, "changed", "f", notes=risks, stages=stages, options=options, files=(file,))
        for label in labels
    )
    return RecipeDiff(Side("a"), Side("b"), count, pipelines)


@pytest.mark.parametrize("count", [1, 3, 10, 30, 100, 1000])
@pytest.mark.parametrize("limit", [2_000, 5_000, LIMIT])
def test_a_comment_is_never_too_long(count, limit):
    text = markdown(many(count), limit)
    assert len(text) <= limit
    checked(text)
    if count == 1000:
        assert len(text) > 0.7 * limit
        assert "Left out to fit a comment: " in text


def test_the_weightiest_comes_first():
    """Risks before stages before options before files."""
    text = markdown(many(10))
    assert text.count("risk ") >= 10
    assert text.count("stage-19") == 10
    assert 0 < text.count("option-") < 500
    assert "line 1" not in text
    assert "5000 lines of generated files" in text


def test_one_row_that_is_too_long():
    text = markdown(hostile_diff(["&" * 100_000]))
    assert len(text) <= LIMIT
    checked(text)
