"""`recipe diff`: what a reviewer is warned of."""

import json

import pytest
from compiling import SMALL, change, recipe
from diff_project import actions, commit, found, repository, risks


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("id: tiny/qwen2-vl", "id: tiny/qwen2.5-vl", ["pin"]),
        ("id: tiny/qwen2-vl", "id: tiny/qwen2-vl, revision: v2", ["pin"]),
        ("name: small\n", "name: small\nseed: 7\n", ["seed"]),
        ("data: data.train}", "data: data.train, optimizer: {learning_rate: 1e-3}}", ["learning-rate"]),
        ("data: data.train}", "data: data.train, batch: {global: 32}}", ["learning-rate"]),
        ("data: data.train}", "data: data.train, optimizer: {learning_rate: 1e-3}, batch: {global: 32}}", []),
        ("split: {validation: 0.2}", "split: {validation: 0.3}", []),  # nothing is scored in this recipe
        ("data: data.train}", "data: data.train, epochs: 2}", []),
    ],
)
def test_risks(tmp_path, old, new, expected):
    root = repository(tmp_path / "p", small=SMALL)
    change(root, old, new)
    assert risks(found(root)) == expected


def test_scores_of_other_data_are_not_comparable(tmp_path):
    text = SMALL.replace("variants:", "  scores: {kind: evaluate, predictions: answers}\nvariants:")
    root = repository(tmp_path / "p", small=text)
    change(root, "split: {validation: 0.2}", "split: {validation: 0.3}")
    assert risks(found(root)) == ["comparability"]
    change(root, "split: {validation: 0.3}", "split: {validation: 0.2}")
    change(root, "data: data.train}", "data: data.train, epochs: 2}")
    assert risks(found(root)) == []


def test_a_seed_that_is_no_longer_written(tmp_path):
    root = repository(tmp_path / "p", small=SMALL.replace("name: small\n", "name: small\nseed: 42\n"))
    change(root, "seed: 42\n", "")
    assert risks(found(root)) == ["seed"]


def test_toolchain_and_defaults_that_moved_without_the_recipe(tmp_path):
    """Found in the committed identities: both recipes are compiled by one compiler, with one toolchain."""
    root = repository(tmp_path / "p", small=SMALL)
    assert recipe(root, "compile")[0] == 0
    path = root / "pipelines" / "small" / "train.json"
    now = path.read_text()
    then = json.loads(now)
    then["toolchain"]["torch"] = "2.1.0"
    then["launch"][0]["options"]["full_determinism"] = True
    path.write_text(json.dumps(then))
    commit(root)
    assert found(root)["pipelines"] == []  # equal, though stale
    path.write_text(now)
    document = found(root)
    assert actions(document) == {"train": "changed", "answers": "follows"}
    assert [risk["message"] for risk in document["pipelines"][0]["risks"]] == [
        "what is written out changed, not the recipe: full_determinism true → false (in train)",
        f"the toolchain changed, not the recipe: torch 2.1.0 → {json.loads(now)['toolchain']['torch']} (in train)",
    ]
    change(root, "data: data.train}", "data: data.train, epochs: 2}")
    assert recipe(root, "compile")[0] == 0
    assert sorted(risks(found(root))) == ["default", "toolchain"]
    assert "num_train_epochs" not in str(found(root)["pipelines"][0]["risks"])  # that one is the recipe's


def test_a_recipe_that_is_compiled_anew_moved_no_toolchain(tmp_path):
    root = repository(tmp_path / "p", small=SMALL)
    assert recipe(root, "compile")[0] == 0
    commit(root)
    change(root, "data: data.train}", "data: data.train, epochs: 2}")
    assert recipe(root, "compile")[0] == 0
    assert risks(found(root)) == []
