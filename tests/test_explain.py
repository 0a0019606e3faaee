"""The pages of `recipe explain`: every code has one, and its examples do what it says."""

import re

import pytest

from schema.diagnostics import RecipeError
from schema.explain import known_codes, page
from schema.source import scan

EXAMPLE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TEXT_CODES = [code for code in known_codes() if code < "R0100" and "```yaml" in page(code)]


def test_there_are_pages():
    assert len(known_codes()) >= 28
    assert len(TEXT_CODES) >= 15


@pytest.mark.parametrize("code", known_codes())
def test_a_page_says_the_rule_first(code):
    lines = page(code).splitlines()
    assert re.fullmatch(r"# \S.*[^.]", lines[0])
    assert page(code).count("```") % 2 == 0


@pytest.mark.parametrize("code", TEXT_CODES)
def test_the_examples_are_true(code):
    """The wrong example of a page about the text breaks its rule and no other; the right one breaks none."""
    wrong, right = (body for _, body in EXAMPLE.findall(page(code)))
    assert {diagnostic.code for diagnostic in scan(wrong, "wrong.yaml").diagnostics} == {code}
    assert scan(right, "right.yaml").diagnostics == ()


@pytest.mark.parametrize("written", ["R0007", "r0007", "R7", "7", " r07 "])
def test_short_forms(written):
    assert page(written) == page("R0007")


@pytest.mark.parametrize(
    ("written", "help_"), [("R1007", "`R0007`"), ("R", "an R and four digits"), ("", "four digits")]
)
def test_an_unknown_code(written, help_):
    with pytest.raises(RecipeError) as caught:
        page(written)
    assert help_ in caught.value.diagnostics[0].help
