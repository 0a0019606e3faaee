"""Keys of every shipped recipe: a field of a stage moves that stage and what follows from it, or nothing."""

import copy
import sys
from unittest import mock

import pytest
from compiling import quoted
from test_keys import CASES, RECIPES, WHOLE, followers, keys, leaves, other, put, whole_keys

from schema.diagnostics import RecipeError

TELLS_ONLY = {("checkpoints", "keep"), ("logging", "every"), ("logging", "trackers"), ("logging", "project")}
"""Fields of a stage that cannot change a result, whatever the stage is."""


@pytest.mark.parametrize("case", [case for case in CASES if case != "every-field"])
def test_one_field_of_a_stage_of_any_recipe(case):
    """It moves its stage and what follows, or nothing; what is no recipe any more is left out."""
    recipe = {name: value for name, value in RECIPES[case].items() if name not in ("variants", "axes")}
    before = next(iter(keys(quoted(recipe)).values()))
    tried = 0
    for name, path, value in changes_of_stages(recipe["stages"]):
        changed = copy.deepcopy(recipe)
        put(changed, ("stages", name, *path), value)
        try:
            after = next(iter(keys(quoted(changed)).values()))
        except RecipeError:
            continue
        tried += 1
        checked = {"data"} if path == ("classes",) else set()  # the data is checked against it
        expected = set() if path in TELLS_ONLY else followers({name} | checked, recipe["stages"])
        assert {stage for stage, key in after.items() if key != before[stage]} == expected, (name, path, value)
    assert tried


def changes_of_stages(stages):
    """Stage, path below it, another value."""
    for name, fields in stages.items():
        for path, value in leaves(fields):
            changed = other(("stages", name, *path), value)
            if path == ("batch", "global"):
                changed = 2 * value
            elif str(value).endswith(" steps"):
                changed = f"1{value}"
            if changed not in (None, value):
                yield name, path, changed


def test_code_and_toolchain_count():
    identity = sys.modules["compiler.passes.identity"]
    with mock.patch.object(identity, "digests", lambda modules: {"runners.collect": "another"} if modules else {}):
        changed = keys(quoted(WHOLE))["every-field"]
    assert all(key != whole_keys()[stage] for stage, key in changed.items())
    real = identity.packages
    with mock.patch.object(
        identity,
        "packages",
        lambda *names, within: real(*names, within=within) | ({"torch": "9"} if "torch" in names else {}),
    ):
        changed = keys(quoted(WHOLE))["every-field"]
    moved = {stage for stage, key in changed.items() if key != whole_keys()[stage]}
    assert moved == {"train", "judge", "merged", "answers", "scores"}
