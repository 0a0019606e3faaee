"""Composition: maps merge, lists replace, another kind replaces, null takes away, notes go."""

import itertools

import pytest
from compiling import plans, project, quoted

from schema import compose
from schema.diagnostics import RecipeError
from schema.source import parse, to_data


def composed(base, *layers):
    """The data that layers of YAML come to."""
    return to_data(compose.instance(parse(base, "base"), [parse(layer, "layer") for layer in layers]))


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ("{a: {b: 1, c: 2}}", "{a: {b: 3}}", {"a": {"b": 3, "c": 2}}),
        ("{a: [1, 2]}", "{a: [3]}", {"a": [3]}),
        ("{a: [1, 2]}", "{a: {b: 1}}", {"a": {"b": 1}}),
        ("{a: {b: 1}}", "{a: null}", {"a": None}),
        ("{a: {kind: x, b: 1}}", "{a: {kind: y, c: 2}}", {"a": {"kind": "y", "c": 2}}),
        ("{a: {kind: x, b: 1}}", "{a: {kind: x, c: 2}}", {"a": {"kind": "x", "b": 1, "c": 2}}),
        ("{a: {kind: x, b: 1}}", "{a: {c: 2}}", {"a": {"kind": "x", "b": 1, "c": 2}}),
        ("{a: {b: 1}}", "{a: {kind: x, c: 2}}", {"a": {"kind": "x", "b": 1, "c": 2}}),
        ("{stages: {a: {kind: x}, b: 1}}", "{stages: {a: null}}", {"stages": {"b": 1}}),
        ("{stages: {a: {b: 1}}}", "{stages: {a: {b: null}}}", {"stages": {"a": {"b": None}}}),
        ("{x-a: 1, b: {x-c: 2, d: [{x-e: 3}]}}", "{x-f: 4}", {"b": {"d": [{}]}}),
    ],
)
def test_two_layers(base, over, result):
    assert composed(base, over) == result


def test_layers_are_applied_in_order():
    assert composed("{a: 1}", "{a: 2, b: 2}", "{a: 3}") == {"a": 3, "b": 2}
    assert composed("{stages: {a: {kind: x}}}", "{stages: {a: null}}", "{stages: {a: {kind: y}}}") == {
        "stages": {"a": {"kind": "y"}}
    }


def names(text):
    return list(compose.overlays(parse(text, "a.yaml")))


def test_variants_and_axes():
    assert names("{variants: {a: {}, b: {}}}") == ["a", "b"]
    assert names("{variants: {a: {}, b: {}, c: {}}, axes: {first: [a, b]}}") == ["c", "a", "b"]
    product = [f"{m}-{s}" for m, s in itertools.product(["qwen", "gemma"], ["small", "large"])]
    text = "{variants: {qwen: {}, gemma: {}, small: {}, large: {}}, axes: {model: [qwen, gemma], size: [small, large]}}"
    assert names(text) == product
    assert names("{variants: {x-a: 1, 1: {}}, axes: {x-b: 2, only: [1]}}") == ["1"]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a.b.c=3", {"a": {"b": {"c": 3}}}),
        ("a=[1, {b: x}]", {"a": [1, {"b": "x"}]}),
        ("a.b=", {"a": {"b": None}}),
        ("a=b=c", {"a": "b=c"}),
        ("a='1'", {"a": "1"}),
    ],
)
def test_assignments(text, data):
    assert to_data(compose.assignment(text)) == data


@pytest.mark.parametrize("text", ["a", "=1", "a..b=1", ".=1", "a=[", "a={b: 1, b: 2}"])
def test_what_is_no_assignment(text):
    with pytest.raises(RecipeError):
        compose.assignment(text)


def test_bases_may_share_a_base_and_agree(tmp_path):
    small = {"name": "small", "datasets": {"digits": {"kind": "digits"}}, "version": 1}
    left = {"extends": ["ground.yaml"], "seed": 1}
    right = {"extends": ["ground.yaml"], "stages": {"data": {"kind": "prepare"}}}
    top = {"extends": ["left.yaml", "right.yaml"], "stages": {"data": {"dataset": "digits"}}}
    recipes = project(
        tmp_path, ground=quoted(small), left=quoted(left), right=quoted(right), top=quoted(top | {"name": "top"})
    )
    (plan,) = plans(recipes / "top.yaml").values()
    assert (plan.label, plan.instance.recipe.seed) == ("top", 1)
    assert plan.files == tuple(f"recipes/{name}.yaml" for name in ("ground", "left", "right", "top"))
    (recipes / "right.yaml").write_text(quoted(right | {"seed": 2}))
    with pytest.raises(RecipeError) as refused:
        plans(recipes / "top.yaml")
    assert [d.code for d in refused.value.diagnostics] == ["R0207"]
