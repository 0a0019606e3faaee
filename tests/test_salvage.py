"""What is wrong comes at once: a part without its shape hides nothing that is wrong elsewhere, and nothing else is said of it."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from schema.checks import check, check_rest
from schema.compose import instance, overlays
from schema.diagnostics import RecipeError
from schema.load import compose
from schema.shape import validate
from schema.tree import Entry, MapNode, ScalarNode, find, key_span, value_span

HERE = Path(__file__).parent
RECIPES = sorted((HERE.parent / "recipes").glob("*.yaml"))
CASES = sorted((HERE / "errors").glob("*.yaml"))
NONSENSE = "no such value"


def trees(path):
    """The trees of a file's instances, as long as its text says what they are."""
    try:
        tree, _ = compose(path, {})
        layers = [(), *overlays(tree).values()]
        return [instance(tree, layer) for layer in layers]
    except RecipeError:
        return []


def places(tree):
    return (lambda *path: value_span(tree, path)), (lambda *path: key_span(tree, path))


def judged(tree):
    """What is found in a tree of the right shape; None in any other."""
    try:
        return check(validate(tree), *places(tree))
    except RecipeError as error:
        return list(error.diagnostics) if shapely(tree) else None


def shapely(tree):
    try:
        validate(tree)
    except RecipeError:
        return False
    return True


def fields(node, path=()):
    """Every field of a tree, as a path."""
    if isinstance(node, MapNode):
        for key, entry in node.items.items():
            yield (*path, key)
            yield from fields(entry.value, (*path, key))


def put(node, path, key, value=None):
    """The tree with the field at `path` under another key, or with another value."""
    first, *rest = path
    items = {}
    for name, entry in node.items.items():
        if name != first:
            items[name] = entry
        elif rest:
            items[name] = replace(entry, value=put(entry.value, rest, key, value))
        else:
            items[key or name] = replace(entry, value=value or entry.value)
    return replace(node, items=items)


def spoilt(tree, path, chance):
    """The tree with a field that is misspelt, or has a value of no use."""
    span = find(tree, path).span
    if chance.random() < 0.5:
        return put(tree, path, f"{path[-1]}x")
    return put(tree, path, None, ScalarNode(span, NONSENSE, NONSENSE, True))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_where_nothing_else_is_wrong_nothing_else_is_said(path):
    chance, spoilt_ones = random.Random(path.stem), 0
    for tree in trees(path):
        before = {(d.code, d.message) for d in judged(tree)}
        of_entries = [field for field in fields(tree) if field[0] in ("models", "datasets", "stages", "hardware")]
        for field in chance.sample(of_entries, min(len(of_entries), 25)):
            other = spoilt(tree, field, chance)
            if not shapely(other):
                spoilt_ones += 1
                assert {(d.code, d.message) for d in check_rest(other, *places(other))} <= before, field
    assert spoilt_ones > 4


def with_a_spoilt_dataset(tree):
    here = tree.span
    kind = Entry(here, MapNode(here, {"kind": Entry(here, ScalarNode(here, NONSENSE, NONSENSE, True))}))
    sets = tree.items.get("datasets") or Entry(here, MapNode(here, {}))
    sets = replace(sets, value=replace(sets.value, items={**sets.value.items, "spoilt": kind}))
    return replace(tree, items={**tree.items, "datasets": sets})


def test_what_is_wrong_elsewhere_is_said():
    found = 0
    for path in CASES:
        for tree in trees(path):
            if wrong := judged(tree):
                other = with_a_spoilt_dataset(tree)
                assert {d.code for d in wrong} <= {d.code for d in check_rest(other, *places(other))}, path.stem
                found += 1
    assert found > 20
