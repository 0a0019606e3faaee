"""The files and modules of rewards in keys: what is read counts, and nothing else; with a lock by its bytes."""

import pytest
import yaml
from compiling import change, plans, project, recipe

from compiler.render import render

RECIPE = """\
version: 1
name: small
models: {base: {id: tiny/llava1.5-hf, dtype: float32}}
datasets: {shapes: {kind: shapes, classes: [red, blue], split: {validation: 0.2}}}
hardware: {gpus: 0}
stages:
  data: {kind: prepare, dataset: shapes, task: solve}
  rows: {kind: prepare, dataset: shapes}
  first:
    {kind: grpo, model: base, data: data.train, rewards: [{kind: file, file: rewards/own.py}, {kind: exact}], tuner: {kind: full}}
  second: {kind: grpo, model: first, data: data.train, rewards: [{kind: path, path: rewards.more.reward}], tuner: {kind: full}}
  third: {kind: grpo, model: base, data: data.train, rewards: [{kind: format, pattern: "r.*"}, {kind: label-f1}]}
  answers: {kind: predict, model: second, data: rows.validation}
"""
EACH = "def reward(answer, solution):\n    return {}\n"


@pytest.fixture
def root(tmp_path):
    project(tmp_path, small=RECIPE)
    (tmp_path / "rewards").mkdir()
    for name in ("own", "more"):
        (tmp_path / "rewards" / f"{name}.py").write_text(EACH.format(1.0), encoding="utf-8")
    return tmp_path


def stages(root):
    (plan,) = plans(root / "recipes" / "small.yaml").values()
    return {stage.name: stage for stage in plan.stages}


def moved(before, after):
    return {name for name in before if before[name].key != after[name].key}


def test_with_a_lock_changed_bytes_move_what_reads_them_and_what_follows(root):
    assert recipe(root, "lock", "recipes/small.yaml")[0] == 0
    before = stages(root)
    assert before["first"].input("reward").lock.keys() == {"sha256"}
    (root / "rewards/more.py").write_text(EACH.format(0.5), encoding="utf-8")
    assert moved(before, stages(root)) == set()  # compiling reads no data: the lock says which bytes
    assert recipe(root, "lock", "recipes/small.yaml")[0] == 0
    assert moved(before, stages(root)) == {"second", "answers"}
    (root / "rewards/own.py").write_text(EACH.format(0.5), encoding="utf-8")
    assert recipe(root, "lock", "recipes/small.yaml")[0] == 0
    assert moved(before, stages(root)) == {"first", "second", "answers"}


def test_without_a_lock_dvc_watches_the_file_where_it_is_read(root):
    (plan,) = plans(root / "recipes" / "small.yaml").values()
    assert not plan.pinned
    written = yaml.safe_load(render(plan)["dvc.yaml"])["stages"]
    readers = {
        f: {name for name, stage in written.items() if f in stage["deps"]}
        for f in ("rewards/own.py", "rewards/more.py")
    }
    assert readers == {"rewards/own.py": {"first"}, "rewards/more.py": {"second"}}
    assert stages(root)["first"].input("reward").pinned == {"file": "rewards/own.py"}


def test_another_place_of_the_same_file_is_another_name_but_no_other_launch(root):
    before = stages(root)
    change(root, "rewards/own.py", "rewards/other.py")
    after = stages(root)
    assert before["first"].own == after["first"].own
    assert moved(before, after) == {"first", "second", "answers"}  # unpinned, a name stands for its bytes


def test_only_the_code_of_rewards_that_are_used_counts(root):
    found = {name: set(stage.identity["code"]) for name, stage in stages(root).items()}
    ours = {
        name: {m.removeprefix("runners.rewards.") for m in code if m.startswith("runners.rewards.")}
        for name, code in found.items()
    }
    shared = {"plugin", "load"}
    assert ours["first"] == {*shared, "exact", "text"}
    assert ours["second"] == shared
    assert ours["third"] == {*shared, "format", "label_f1", "text"}
    assert ours["data"] == ours["answers"] == set()


@pytest.mark.parametrize(
    ("old", "new", "moves"),
    [
        ("{kind: exact}", "{kind: exact, weight: 2}", {"first", "second", "answers"}),
        ("{kind: exact}", "{kind: exact, ignore_case: false}", {"first", "second", "answers"}),
        ("{kind: label-f1}", '{kind: label-f1, separator: ";"}', {"third"}),
        ("{kind: path, path: rewards.more.reward}", "{kind: file, file: rewards/more.py}", set()),
        ("{kind: path, path: rewards.more.reward}", "{kind: path, path: rewards.more.other}", {"second", "answers"}),
    ],
)
def test_what_a_recipe_says_of_rewards_counts(root, old, new, moves):
    before = stages(root)
    change(root, old, new)
    assert moved(before, stages(root)) == moves


def test_a_file_outside_the_project_is_refused(root):
    for place in ("/etc/own.py", "../own.py", "https://example.org/own.py"):
        text = RECIPE.replace("rewards/own.py", place)
        project(root, small=text)
        status, _, told = recipe(root, "validate", "recipes/small.yaml")
        assert status == 1 and ("R0311" in told or "R0312" in told)
