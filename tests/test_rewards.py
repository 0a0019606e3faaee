"""The rewards by name: values worked out by hand, and what must hold whatever the answer is."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.rewards import exact, format, label_f1, length, numeric, text

TAG = "<answer>(.*?)</answer>"
WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
NUMBERS = st.floats(-1e12, 1e12, allow_nan=False)
LABELS = st.lists(st.sampled_from(["cat", "dog", "bird", "Cow", " ox "]), max_size=6).map(",".join)


@pytest.mark.parametrize(
    ("answer", "solution", "parameters", "worth"),
    [
        ("red", "red", {}, 1),
        (" Red\n", "red", {}, 1),
        ("Red", "red", {"ignore_case": False}, 0),
        ("reddish", "red", {}, 0),
        ("", "red", {}, 0),
        ("two  words", "two words", {}, 1),
        ("STRASSE", "Straße", {}, 1),
        ("cafe\u0301", "caf\u00e9", {}, 1),
        ("I think <answer>red</answer>", "red", {"extract": TAG}, 1),
        ("I think red", "red", {"extract": TAG}, 0),
        ("<answer>red</answer><answer>blue</answer>", "blue", {"extract": TAG}, 0),
        ("<answer>\nred\n</answer>", "red", {"extract": TAG}, 1),
        ("", "red", {"extract": "(red)|blue"}, 0),
        ("blue", "red", {"extract": "(red)|blue"}, 0),
    ],
)
def test_exact(answer, solution, parameters, worth):
    assert exact.reward(answer, solution, **parameters) == worth


@pytest.mark.parametrize(
    ("answer", "pattern", "worth"),
    [
        ("<answer>7</answer>", "<answer>.*</answer>", 1),
        (" <answer>7\n8</answer>\n", "<answer>.*</answer>", 1),
        ("so: <answer>7</answer>", "<answer>.*</answer>", 0),
        ("<answer>7</answer> or so", "<answer>.*</answer>", 0),
        ("7", r"\d", 1),
        ("77", r"\d", 0),
        ("", ".+", 0),
    ],
)
def test_format(answer, pattern, worth):
    assert format.reward(answer, "anything", pattern=pattern) == worth


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("7", 7),
        ("-7", -7),
        ("−7", -7),
        ("3-4", 4),
        ("from 3 to 5", 5),
        ("It is 12.", 12),
        (".5", 0.5),
        ("1,234", 1234),
        ("1,234,567.25", 1234567.25),
        ("1,2", 2),
        ("1,2345", 2345),
        ("12.5%", 0.125),
        ("12.5 %", 0.125),
        ("1e-3", 0.001),
        ("2.5E+2", 250),
        ("none", None),
        ("", None),
        ("1e999", None),
    ],
)
def test_the_last_number_of_a_text(written, value):
    assert numeric.number(written) == value


@pytest.mark.parametrize(
    ("answer", "solution", "parameters", "worth"),
    [
        ("The result is 42.", "42", {}, 1),
        ("41", "42", {}, 0),
        ("41", "42", {"tolerance": 1}, 1),
        ("40.9", "42", {"tolerance": 1}, 0),
        ("98", "100", {"relative_tolerance": 0.02}, 1),
        ("97.9", "100", {"relative_tolerance": 0.02}, 0),
        ("97", "100", {"relative_tolerance": 0.01, "tolerance": 3}, 1),
        ("0.3", "0.30000000000000004", {}, 1),
        ("50%", "0.5", {}, 1),
        ("many", "42", {"tolerance": 99}, 0),
        ("42", "many", {"tolerance": 99}, 0),
        ("<answer>42</answer> of 100", "42", {"extract": TAG}, 1),
        ("42", "42", {"extract": TAG}, 0),
    ],
)
def test_numeric(answer, solution, parameters, worth):
    assert numeric.reward(answer, solution, **parameters) == worth


def test_a_solution_without_a_number_is_told():
    assert numeric.problem("seven") == "it holds no number"
    assert numeric.problem("7") is None


@pytest.mark.parametrize(
    ("answer", "solution", "parameters", "worth"),
    [
        ("cat", "cat", {}, 1),
        ("cat, dog", "cat, bird", {}, 1 / 2),
        ("cat", "cat, dog", {}, 2 / 3),
        ("cat, dog, bird", "cat", {}, 2 / 4),
        ("dog", "cat", {}, 0),
        ("Cat,DOG", "dog,cat", {}, 1),
        ("Cat", "cat", {"ignore_case": False}, 0),
        ("cat, cat, cat", "cat", {}, 1),
        ("cat;dog", "cat;dog", {"separator": ";"}, 1),
        ("", "", {}, 1),
        ("", "cat", {}, 0),
        ("cat", "", {}, 0),
        ("<answer>cat</answer>", "cat", {"extract": TAG}, 1),
        ("cat", "cat", {"extract": TAG}, 0),
    ],
)
def test_label_f1(answer, solution, parameters, worth):
    assert label_f1.reward(answer, solution, **parameters) == pytest.approx(worth)


@pytest.mark.parametrize(
    ("size", "parameters", "worth"),
    [
        (0, {"at_most": 4}, 1),
        (4, {"at_most": 4}, 1),
        (5, {"at_most": 4}, 0),
        (5, {"at_most": 4, "slack": 4}, 0.75),
        (8, {"at_most": 4, "slack": 4}, 0),
        (9, {"at_most": 4, "slack": 4}, 0),
        (1, {"at_least": 2, "at_most": 4}, 0),
        (1, {"at_least": 2, "at_most": 4, "slack": 2}, 0.5),
    ],
)
def test_length(size, parameters, worth):
    assert length.reward("x" * size, "anything", **parameters) == worth
    assert length.reward(" ".join("x" * size), "anything", unit="words", **parameters) == worth


@given(WORDS, WORDS)
def test_every_reward_is_between_0_and_1(answer, solution):
    for worth in (
        exact.reward(answer, solution),
        format.reward(answer, solution, pattern="a.*"),
        numeric.reward(answer, solution, tolerance=1),
        label_f1.reward(answer, solution),
        length.reward(answer, solution, at_least=3, at_most=9, slack=5),
    ):
        assert isinstance(worth, float) and 0 <= worth <= 1 and math.isfinite(worth)


@given(WORDS, WORDS)
def test_answer_and_solution_change_places(a, b):
    for ignore_case in (True, False):
        assert exact.reward(a, b, ignore_case=ignore_case) == exact.reward(b, a, ignore_case=ignore_case)
        assert label_f1.reward(a, b, ignore_case=ignore_case) == label_f1.reward(b, a, ignore_case=ignore_case)
    assert numeric.reward(a, b, tolerance=2) == numeric.reward(b, a, tolerance=2)


@given(WORDS)
def test_the_solution_itself_is_worth_most(solution):
    assert exact.reward(solution, solution) == 1
    assert label_f1.reward(solution, solution) == 1
    assert numeric.reward(solution, solution) == (0 if numeric.problem(solution) else 1)


@given(WORDS)
def test_what_counts_can_be_wrapped(solution):
    wrapped = f"Thinking… <answer>{solution}</answer> Done."
    if "</answer>" not in solution:
        assert exact.reward(wrapped, solution, extract=TAG) == 1
        assert label_f1.reward(wrapped, solution, extract=TAG) == 1


@given(NUMBERS, NUMBERS, st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_wider_tolerance_takes_no_reward_away(a, b, one, other):
    narrow, wide = sorted((one, other))
    for name in ("tolerance", "relative_tolerance"):
        worth = [numeric.reward(repr(a), repr(b), **{name: width}) for width in (narrow, wide)]
        assert worth[0] <= worth[1]


@given(NUMBERS)
def test_numbers_are_read_as_python_writes_them(value):
    assert numeric.number(repr(value)) == value


@given(LABELS, LABELS)
def test_a_right_label_more_never_costs(answer, solution):
    wanted = label_f1.labels(solution, ",", True)
    for label in wanted:
        assert label_f1.reward(f"{answer},{label}", solution) >= label_f1.reward(answer, solution)


@given(st.integers(0, 20), st.integers(1, 20), st.integers(0, 10))
def test_length_rises_to_its_limits_and_falls_beyond(low, wide, slack):
    high = low + wide
    worth = [length.reward("x" * size, "", at_least=low, at_most=high, slack=slack) for size in range(high + 15)]
    assert all(a <= b for a, b in pairwise(worth[: low + 1]))
    assert set(worth[low : high + 1]) == {1.0}
    assert all(a >= b for a, b in pairwise(worth[high:]))


@given(WORDS)
def test_comparing_twice_changes_nothing(words):
    for ignore_case in (True, False):
        once = text.plain(words, ignore_case)
        assert text.plain(once, ignore_case) == once
