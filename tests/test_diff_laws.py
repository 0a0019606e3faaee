"""`recipe diff`: a difference can be read from both ends, and numbers are said as they are."""

import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.diff.compute import compare
from compiler.diff.sides import worktree
from compiler.diff.words import said

PIECES = {
    "name": ["small", "other"],
    "seed": [1, 2],
    "epochs": [1.0, 2.0],
    "answers": ["answers", "said", None],
    "validation": [0.2, 0.3],
    "variant": [None, {"stages": {"train": {"epochs": 5.0}}}, {"seed": 9}],
    "second": [None, 3],
}


def text_of(pieces):
    stages = {
        "data": {"kind": "prepare", "dataset": "digits"},
        "train": {"kind": "sft", "model": "base", "data": "data.train", "epochs": pieces["epochs"]},
    }
    if pieces["answers"]:
        stages[pieces["answers"]] = {"kind": "predict", "model": "train", "data": "data.validation"}
    return {
        "version": 1,
        "name": pieces["name"],
        "seed": pieces["seed"],
        "models": {"base": {"id": "tiny/qwen2-vl", "dtype": "float32"}},
        "datasets": {"digits": {"kind": "digits", "split": {"validation": pieces["validation"]}}},
        "hardware": {"gpus": 0},
        "stages": stages,
        "variants": {"v": pieces["variant"]} if pieces["variant"] else {},
    }


def side_of(folder, pieces):
    repository_of = folder / "recipes"
    shutil.rmtree(folder, ignore_errors=True)
    repository_of.mkdir(parents=True)
    (folder / ".git").mkdir()
    (repository_of / "one.yaml").write_text(json.dumps(text_of(pieces)))
    if pieces["second"]:
        other = {**pieces, "name": "second", "seed": pieces["second"]}
        (repository_of / "two.yaml").write_text(json.dumps(text_of(other)))
    return worktree(folder)


def is_small(pieces):
    return st.fixed_dictionaries({name: st.sampled_from(values) for name, values in pieces.items()})


@given(is_small(PIECES), is_small(PIECES))
@settings(max_examples=40, deadline=None)
def test_a_difference_can_be_read_from_both_ends(tmp_path_factory, one, two):
    folder = tmp_path_factory.mktemp("laws")
    a, b = side_of(folder / "a", one), side_of(folder / "b", two)
    assert compare(a, a).pipelines == ()
    there, back = compare(a, b), compare(b, a)
    assert bool(there.pipelines) == (one != two)
    assert there.compared == back.compared
    for action, other in (
        ("added", "removed"),
        ("removed", "added"),
        *((x, x) for x in ("changed", "follows", "moved")),
    ):
        assert there.count(action) == back.count(other), action
    assert both(there, "fields", lambda f: f.path) == both(back, "fields", lambda f: f.path, -1)
    assert both(there, "options", lambda o: (o.stage, o.program, o.option)) == both(
        back, "options", lambda o: (o.stage, o.program, o.option), -1
    )


def both(diff, part, name, step=1):
    listed = [(name(item), (item.before, item.after)[::step]) for p in diff.pipelines for item in getattr(p, part)]
    return sorted(map(str, listed))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_said_as_it_is(number):
    assert float(said(number)) == number


@pytest.mark.parametrize(
    ("value", "words"), [(1e-4, "1e-4"), (2.5e-5, "2.5e-5"), (0.03, "0.03"), (1.0, "1.0"), (None, "null"), ("", '""')]
)
def test_words(value, words):
    assert said(value) == words
