"""`recipe diff`: stages, fields, options, files and risks of real changes in real repositories, in three formats.

`pytest tests/test_diff.py --renew` writes the expected texts anew: look at the difference.
"""

import json
import os
import re
import shutil

import pytest
from compiling import ROOT, SMALL, change, recipe
from diff_project import actions, commit, fields, found, git, repository, write

GOLDEN = ROOT / "tests" / "golden-diff"
ANIMALS = (ROOT / "recipes" / "animals-lora.yaml").read_text("utf-8")
EDITS = {
    "comment": [("  # 14,308 pictures", "  # So many pictures")],
    "data": [("validation: 0.2, stratify", "validation: 0.3, stratify")],
    "full": [("{kind: lora, rank: 16, alpha: 32, dropout: 0.05}", "{kind: full}"), ("learning_rate: 1e-4, ", ""),
             ("  merged: {kind: merge, adapter: train}\n", ""), ("model: merged", "model: train")],
    "gpus": [("gpus: 1, gpu_memory", "gpus: 2, gpu_memory"), ("{global: 8, micro", "{global: 32, micro")],
    "learning-rate": [("learning_rate: 1e-4", "learning_rate: 2e-4")],
    "pin": [("Qwen2-VL-2B-Instruct, dtype", "Qwen2-VL-7B-Instruct, revision: v1, dtype")],
    "rename": [("name: animals-lora", "name: beasts")],
    "seed": [("seed: 42\n", "")],
    "stages": [("predictions: answers, metrics: [accuracy, f1, precision, recall]", "predictions: said"),
               ("  answers: {kind: predict", "  said: {kind: predict"), ("      answers: {max", "      said: {max")],
    "tracker": [("trackers: [tensorboard]", "trackers: [wandb]")],
}  # fmt: skip
"""Case → what is replaced in the shipped recipe."""


# Expected texts


@pytest.mark.parametrize("format", ["text", "markdown", "json"])
@pytest.mark.parametrize("case", EDITS)
def test_an_edit_of_the_shipped_recipe(case, format, tmp_path, request):
    root = repository(tmp_path / "project", **{"animals-lora": ANIMALS})
    for old, new in EDITS[case]:
        change(root, old, new, "animals-lora")
    code, out, err = recipe(root, "diff", "--format", format)
    assert (code, err) == (0, "")
    path = GOLDEN / f"{case}.{ {'text': 'txt', 'markdown': 'md'}.get(format, format) }"
    shown = re.sub(r"\b([0-9a-f]{40}|[0-9a-f]{64})\b", "DIGEST", out)
    if request.config.getoption("--renew"):
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text("utf-8")


def test_expected_texts_are_those_of_the_cases():
    assert {path.stem for path in GOLDEN.iterdir()} == set(EDITS)
    assert len(list(GOLDEN.iterdir())) == 3 * len(EDITS)


# What is compared


def test_ways_of_naming_two_sides(tmp_path):
    root = repository(tmp_path / "p", small=SMALL)
    change(root, "seed: 1\n" if "seed: 1\n" in SMALL else "name: small\n", "name: small\nseed: 1\n")
    commit(root)
    git(root, "branch", "side", "HEAD~1")
    change(root, "seed: 1\n", "seed: 2\n")
    assert fields(found(root))["seed"] == (1, 2)
    assert fields(found(root, "HEAD"))["seed"] == (1, 2)
    assert fields(found(root, "HEAD~1"))["seed"] == (42, 2)
    assert fields(found(root, "HEAD~1..HEAD"))["seed"] == (42, 1)
    assert fields(found(root, "HEAD~1.."))["seed"] == (42, 1)
    assert fields(found(root, "..HEAD~1"))["seed"] == (1, 42)
    assert fields(found(root, "side...HEAD"))["seed"] == (42, 1)
    assert found(root, "HEAD...side")["pipelines"] == []  # the side branch did nothing since it left


def test_two_files_need_no_git(tmp_path):
    (tmp_path / "recipes").mkdir()
    write(tmp_path, "small", SMALL)
    write(tmp_path, "other", SMALL.replace("name: small", "name: other").replace("epochs: 3", "epochs: 4"))
    document = found(tmp_path, "recipes/small.yaml", "other")
    assert {p["label"]: actions(document, p["label"]) for p in document["pipelines"]} == {
        "other": {},
        "other/long": {"train": "changed", "answers": "follows"},
        "other/short": {},
    }
    assert fields(document, "other") == {"name": ("small", "other")}
    assert all(pipeline["files"] == [] for pipeline in document["pipelines"])
    assert found(tmp_path, "small", "small")["pipelines"] == []


def test_an_extended_file_is_read_from_the_same_revision(tmp_path):
    """Also outside of `recipes/`, and a base of a base."""
    own = "extends: [../shared/base.inc]\nname: small\n"
    root = tmp_path / "p"
    (root / "shared").mkdir(parents=True)
    (root / "shared" / "deep.yaml").write_text("seed: 1\n")
    (root / "shared" / "base.inc").write_text("extends: [deep.yaml]\n" + SMALL.replace("name: small\n", ""))
    repository(root, small=own)
    (root / "shared" / "deep.yaml").write_text("seed: 2\n")
    document = found(root)
    assert fields(document)["seed"] == (1, 2)
    place = document["pipelines"][0]["fields"][0]["place"]
    assert place == {"file": "shared/deep.yaml", "line": 1, "column": 7}


def test_a_base_without_recipes(tmp_path):
    root = repository(tmp_path / "p")
    write(root, "small", SMALL)
    assert {p["status"] for p in found(root)["pipelines"]} == {"added"}
    commit(root)
    assert {p["status"] for p in found(root, "HEAD..HEAD~1")["pipelines"]} == {"removed"}


def test_a_folder_is_no_recipe(tmp_path):
    root = tmp_path / "p"
    (root / "shared").mkdir(parents=True)
    (root / "shared" / "seed.yaml").write_text("seed: 1\n")
    repository(root, small="extends: [../shared]\n" + SMALL)
    document = found(root, code=1)
    assert [d["code"] for side in ("base", "head") for d in document[side]["diagnostics"]] == ["R0002", "R0002"]


def test_attributes_and_filters_of_the_repository_take_no_part(tmp_path):
    root = repository(tmp_path / "p", small=SMALL)
    (root / ".gitattributes").write_text("recipes/** export-ignore filter=evil\n")
    git(root, "config", "filter.evil.smudge", "touch evil; cat")
    commit(root)
    change(root, "gpus: 0", "gpus: 1")
    assert actions(found(root))["train"] == "changed"
    assert not (root / "evil").exists()


def test_a_project_within_a_repository(tmp_path):
    root = repository(tmp_path / "whole" / "part", small=SMALL)
    shutil.move(root / ".git", root.parent / ".git")
    (root / ".dvc").mkdir()
    commit(root.parent)
    change(root, "gpus: 0", "gpus: 1")
    assert found(root)["pipelines"][0]["file"] == "recipes/small.yaml"


def test_nothing_is_written_to_the_repository(tmp_path):
    root = repository(tmp_path / "p", small=SMALL)
    change(root, "gpus: 0", "gpus: 1")
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    found(root, "HEAD")
    assert {p: p.read_bytes() for p in root.rglob("*") if p.is_file()} == before


# Stages


def test_follows_is_not_changed(tmp_path):
    root = repository(tmp_path / "p", small=SMALL)
    change(root, "data: data.train}", "data: data.train, max_length: 1024}")
    document = found(root)
    assert actions(document) == {"train": "changed", "answers": "follows"}
    assert document["pipelines"][0]["stages"][0]["reasons"] == ["max_length 2048 → 1024"]
    assert document["pipelines"][0]["stages"][1]["reasons"] == ["train moved"]


def test_recipes_and_variants_come_and_go(tmp_path):
    root = repository(tmp_path / "p", small=SMALL, gone=SMALL.replace("name: small", "name: gone\nseed: 3"))
    (root / "recipes" / "gone.yaml").unlink()
    write(root, "new", SMALL.replace("name: small", "name: new\nseed: 4"))
    change(root, "  short: {stages: {train: {max_steps: 2}}}\n", "")
    status = {pipeline["label"]: pipeline["status"] for pipeline in found(root)["pipelines"]}
    assert status == {
        "small/short": "removed",
        **dict.fromkeys(("gone", "gone/long", "gone/short"), "removed"),
        **dict.fromkeys(("new", "new/long", "new/short"), "added"),
    }


def test_a_renamed_recipe_and_a_renamed_stage_move(tmp_path):
    root = repository(tmp_path / "p", small=SMALL.partition("variants")[0])
    (root / "recipes" / "small.yaml").rename(root / "recipes" / "tiny.yaml")
    change(root, "name: small", "name: tiny", "tiny")
    document = found(root)
    assert [(p["label"], p["before_label"], p["status"]) for p in document["pipelines"]] == [("tiny", "small", "moved")]
    assert actions(document, "tiny") == dict.fromkeys(("data", "train", "answers"), "moved")
    change(root, "answers:", "said:", "tiny")
    assert actions(found(root), "tiny") == dict.fromkeys(("data", "train", "said"), "moved") | {}


def test_a_recipe_in_another_file(tmp_path):
    root = repository(tmp_path / "p", small=SMALL.partition("variants")[0])
    (root / "recipes" / "small.yaml").rename(root / "recipes" / "tiny.yaml")
    document = found(root)
    assert fields(document) == {"file": ("recipes/small.yaml", "recipes/tiny.yaml")}
    assert actions(document) == {}


def test_another_input_is_a_change(tmp_path):
    root = repository(tmp_path / "p", small=SMALL)
    change(root, "model: train, data: data.validation", "model: train, data: data.train")
    document = found(root)
    assert actions(document) == {"answers": "changed"}
    assert document["pipelines"][0]["stages"][0]["reasons"] == ["data: data/validation.jsonl → data/train.jsonl"]


def test_what_cannot_change_a_result_moves_no_stage(tmp_path):
    root = repository(tmp_path / "p", small=SMALL)
    change(root, "data: data.train}", "data: data.train, logging: {every: 9 steps}}")
    document = found(root)
    assert actions(document) == {}
    (option,) = document["pipelines"][0]["options"]
    assert (option["option"], option["before"], option["after"], option["decides_result"]) == (
        "logging_steps",
        5,
        9,
        False,
    )


# Fields


def test_effective_values_with_units_and_what_they_follow_from(tmp_path):
    text = SMALL.replace("gpus: 0", "gpus: 8").replace("data: data.train}", "data: data.train, batch: {global: 64}}")
    root = repository(tmp_path / "p", small=text.partition("variants")[0])
    change(root, "gpus: 8", "gpus: 16")
    change(root, "data: data.train, ", "data: data.train, tuner: {kind: full}, ")
    told = {".".join(map(str, f["path"])): f for f in found(root)["pipelines"][0]["fields"]}
    accumulation = told["stages.train.batch.accumulation"]
    assert (accumulation["before"], accumulation["after"], accumulation["because"]) == (8, 4, ["gpus 8 → 16"])
    rate = told["stages.train.optimizer.learning_rate"]
    assert (rate["before"], rate["after"], rate["because"]) == (1e-4, 1e-5, ["tuner.kind lora → full"])
    assert told["hardware.gpus"]["unit"] == "GPUs"
    assert told["hardware.gpus"]["place"] == {"file": "recipes/small.yaml", "line": 5, "column": 18}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("data: data.train}", "data: [{data: data.train}], epochs: 1.0}"),
        ("hardware: {gpus: 0}", "hardware: {gpus: 0, threads: 4} # as before"),
        ("data: data.train}", "data: data.train, optimizer: {learning_rate: 1e-4}}"),
    ],
)
def test_another_way_of_writing_is_no_difference(tmp_path, old, new):
    root = repository(tmp_path / "p", small=SMALL)
    change(root, old, new)
    assert found(root, "--detailed-exitcode")["pipelines"] == []


# What does not compile


def test_a_broken_recipe_is_shown_and_the_others_are_compared(tmp_path):
    root = repository(tmp_path / "p", small=SMALL, other=SMALL.replace("name: small", "name: other"))
    change(root, "epochs: 3", "epochs: many", "other")
    change(root, "gpus: 0", "gpus: 1")
    document = found(root, code=1)
    assert {pipeline["label"] for pipeline in document["pipelines"]} == {"small", "small/long", "small/short"}
    assert [d["spans"][0]["file"] for d in document["head"]["diagnostics"]] == ["recipes/other.yaml"]
    assert document["base"]["diagnostics"] == []
    code, out, err = recipe(root, "diff", "--detailed-exitcode")
    assert code == 1
    assert "in worktree, recipes/other.yaml does not compile: it is not compared\n" in out
    assert "--> recipes/other.yaml:11:" in err
    commit(root)
    change(root, "epochs: many", "epochs: 3", "other")
    document = found(root, code=1)  # the other way round
    assert [d["spans"][0]["file"] for d in document["base"]["diagnostics"]] == ["recipes/other.yaml"]
    assert document["pipelines"] == []


def test_a_variant_that_cannot_be_compiled_leaves_the_others(tmp_path):
    root = repository(tmp_path / "p", small=SMALL)
    change(root, "train: {epochs: 3}", "train: {epochs: 3, engine: {args: {no_such: 1}}}")
    change(root, "max_steps: 2", "max_steps: 3")
    document = found(root, code=1)
    assert [pipeline["label"] for pipeline in document["pipelines"]] == ["small/short"]
    assert [d["code"] for d in document["head"]["diagnostics"]] == ["R0401"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nothing..HEAD"], "R0420"),
        (["--", "--output=x"], "R0420"),
        (["HEAD..-x"], "R0420"),
        (["HEAD:recipes"], "R0420"),
        (["small"], "R0420"),
        (["recipes/small.yaml"], "R0423"),
        (["small", "HEAD"], "R0423"),
        (["small", "small", "small"], "R0423"),
    ],
)
def test_what_is_named_wrongly(tmp_path, arguments, code):
    root = repository(tmp_path / "p", small=SMALL)
    ended, out, err = recipe(root, "diff", *arguments)
    assert (ended, out) == (1, "")
    assert err.startswith(f"error[{code}]")
    assert not list(root.glob("x*"))


def test_without_a_repository(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "p" / "recipes").mkdir(parents=True)
    ended, _, err = recipe(tmp_path / "p", "diff")
    assert (ended, err.partition(":")[0]) == (1, "error[R0421]")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git is not installed" in recipe(tmp_path / "p", "diff")[2]


def test_a_clone_that_lacks_an_object(tmp_path):
    root = repository(tmp_path / "p", small=SMALL)
    digest = git(root, "rev-parse", "HEAD:recipes/small.yaml")
    (root / ".git" / "objects" / digest[:2] / digest[2:]).unlink()
    ended, out, err = recipe(root, "diff", "--detailed-exitcode")
    assert (ended, out, err.partition(":")[0]) == (1, "", "error[R0421]")


def test_a_name_that_is_no_text(tmp_path):
    root = repository(tmp_path / "p", small=SMALL)
    try:
        (root / "recipes" / os.fsdecode(b"\xff\x1b.yaml")).write_text(SMALL)
    except OSError:
        pytest.skip("this file system has only names that are text")
    commit(root)
    change(root, "gpus: 0", "gpus: 1")
    document = found(root, code=1)
    assert [d["code"] for side in ("base", "head") for d in document[side]["diagnostics"]] == ["R0424", "R0424"]
    assert len(document["pipelines"]) == 3
    shown = [recipe(root, "diff", "--format", format) for format in ("text", "markdown")]
    assert all("recipes/\\udcff\\x1b.yaml" in out for _, out, _ in shown)


def test_a_repository_without_a_commit(tmp_path):
    (tmp_path / "recipes").mkdir()
    git(tmp_path, "init", "--quiet")
    assert recipe(tmp_path, "diff")[2].startswith("error[R0420]")


def test_links_of_a_revision(tmp_path):
    """Within the project they are followed; outside of it nothing is read."""
    secret = tmp_path / "secret.yaml"
    secret.write_text(SMALL.replace("name: small", "name: secret"))
    root = repository(tmp_path / "p", small=SMALL)
    (root / "shared").mkdir()
    (root / "shared" / "real.yaml").write_text(SMALL.replace("name: small", "name: linked\nseed: 5"))
    (root / "recipes" / "linked.yaml").symlink_to("../shared/real.yaml")
    (root / "recipes" / "evil.yaml").symlink_to(secret)
    (root / "recipes" / "worse.yaml").symlink_to("../../secret.yaml")
    commit(root)
    for name in ("evil", "worse"):
        (root / "recipes" / f"{name}.yaml").unlink()
    document = found(root, code=1)
    assert [d["code"] for d in document["base"]["diagnostics"]] == ["R0422", "R0422"]
    assert "secret" not in json.dumps(document["pipelines"])
    assert document["compared"] == 6


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    root = repository(tmp_path / "p", small=SMALL, large="#" * (1 << 21))
    document = found(root, code=1)
    assert [d["code"] for d in document["base"]["diagnostics"]] == ["R0004"]


# Exit codes


def test_exit_codes(tmp_path):
    root = repository(tmp_path / "p", small=SMALL)
    assert recipe(root, "diff")[0] == recipe(root, "diff", "--detailed-exitcode")[0] == 0
    change(root, "name: small\n", "name: small\ndescription: more\n")
    assert recipe(root, "diff")[0] == 0
    for format in ("text", "json", "markdown"):
        assert recipe(root, "diff", "--detailed-exitcode", "--format", format)[0] == 2
    change(root, "gpus: 0", "gpus: none")
    assert recipe(root, "diff", "--detailed-exitcode")[0] == recipe(root, "diff")[0] == 1
