"""`recipe runs`: what ran, newest first, and found by the beginning of any of its digests."""

import json
import os
import re
import subprocess
import sys

import pytest
from compiling import change, project, recipe

from schema.components import components

RECIPE = """\
version: 1
name: small
models: {base: {id: tiny/qwen2-vl, dtype: float32}}
datasets: {shapes: {kind: shapes, classes: [cat, dog], per_class: 4, size: 16, split: {validation: 0.5}}}
hardware: {gpus: 0}
stages:
  data: {kind: prepare, dataset: shapes}
  answers: {kind: predict, model: base, data: data.validation}
  scores: {kind: evaluate, predictions: answers}
"""
TOLD = [
    "recipe", "stage", "started", "ended", "elapsed", "exit", "recipe_hash", "key", "own", "action", "resumed_from",
    "machine", "git",
]  # fmt: skip


def write(root, stage, digests, **more):
    """A record as exec writes it; digests are made of one digit each, in the order recipe hash, key, own, action."""
    names = ("recipe_hash", "key", "own", "action")
    record = {name: digit.ljust(64, "f") for name, digit in zip(names, digests, strict=True)}
    record |= {"format_version": 1, "stage": stage, "started": "2026-01-01T00:00:00.000+00:00"}
    record |= {"ended": "2026-01-01T00:01:04.000+00:00", "elapsed": 64.4, "resumed_from": []} | more
    folder = root / "outputs" / stage
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(record))


@pytest.fixture
def root(tmp_path):
    """A project in which three stages ran."""
    project(tmp_path)
    write(tmp_path, "animals/data", ["aa", "1", "2", "3"])
    write(tmp_path, "animals/train", ["aa", "4", "5", "6"], ended="2026-01-03T23:30:00.000-01:00", resumed_from=[4, 8])
    write(tmp_path, "animals/smoke/data", ["ab", "1", "2", "7"], ended="2026-01-02T00:00:00.000+00:00", elapsed=7300)
    return tmp_path


def listed(root, *arguments):
    """The first two columns of what is shown, with the line above them if any."""
    code, out, err = recipe(root, "runs", *arguments)
    assert (code, err) == (0, "")
    return [tuple(line.split()[:2]) for line in out.splitlines()]


HEAD = ("recipe", "stage")
DATA, TRAIN, SMOKE = ("animals", "data"), ("animals", "train"), ("animals/smoke", "data")


def test_all_of_them_newest_first(root):
    code, out, _ = recipe(root, "runs")
    assert code == 0
    assert out.splitlines() == [
        "recipe         stage  ended (UTC)       took    key           recipe hash   resumed",
        "animals        train  2026-01-04 00:30  1m 04s  4fffffffffff  aaffffffffff  from step 4, 8",
        "animals/smoke  data   2026-01-02 00:00  2h 01m  1fffffffffff  abffffffffff",
        "animals        data   2026-01-01 00:01  1m 04s  1fffffffffff  aaffffffffff",
    ]


def test_from_a_folder_of_the_project(root):
    (root / "recipes" / "more").mkdir()
    assert listed(root / "recipes" / "more") == listed(root)


@pytest.mark.parametrize(
    ("prefix", "kind", "expected"),
    [
        ("aa", ("recipe", "hash"), [TRAIN, DATA]),
        ("ab", ("recipe", "hash"), [SMOKE]),
        ("1", ("stage", "key"), [SMOKE, DATA]),
        ("4", ("stage", "key"), [TRAIN]),
        ("5f", ("own", "5".ljust(64, "f")), [TRAIN]),
        ("2", ("own", "2".ljust(64, "f")), [SMOKE, DATA]),
        ("7", ("action", "7".ljust(64, "f")), [SMOKE]),
        ("AAFF", ("recipe", "hash"), [TRAIN, DATA]),
    ],
)
def test_by_the_beginning_of_any_digest(root, prefix, kind, expected):
    assert listed(root, prefix) == [kind, HEAD, *expected]


def test_an_ambiguous_beginning_lists_what_it_begins(root):
    code, out, err = recipe(root, "runs", "a")
    assert (code, out) == (1, "")
    assert "error[R0541]: `a` begins 2 digests" in err
    assert "recipe hash aaffffffffff of animals/train, animals/data" in err
    assert "recipe hash abffffffffff of animals/smoke/data" in err


@pytest.mark.parametrize("prefix", ["9", "animals", "aafe", "f"])
def test_no_such_digest(root, prefix):
    code, out, err = recipe(root, "runs", prefix)
    assert (code, out) == (1, "")
    assert f"error[R0540]: no digest of a run begins with `{prefix}`" in err


def test_nothing_ran_yet(tmp_path):
    project(tmp_path)
    assert recipe(tmp_path, "runs") == (0, "nothing ran to its end here yet; `recipe run RECIPE` runs a recipe\n", "")
    assert json.loads(recipe(tmp_path, "runs", "--format", "json")[1]) == {"format_version": 1, "runs": []}
    assert recipe(tmp_path, "runs", "aa", "--format", "json")[0] == 1


def test_for_programs(root):
    document = json.loads(recipe(root, "runs", "4", "--format", "json")[1])
    assert list(document) == ["format_version", "runs"]
    (run,) = document["runs"]
    assert list(run) == [*TOLD, "left_alone", "record"]
    assert run["record"] == "outputs/animals/train/run.json"
    assert {name: run[name] for name in ("recipe", "stage", "resumed_from", "left_alone")} == {
        "recipe": "animals",
        "stage": "train",
        "resumed_from": [4, 8],
        "left_alone": False,
    }
    assert len(json.loads(recipe(root, "runs", "--format", "json")[1])["runs"]) == 3


def test_what_is_no_record_is_passed_over(root):
    before = listed(root)
    write(root, "animals/late", ["aa", "1", "2", "3"], ended="yesterday")
    write(root, "animals/quick", ["aa", "1", "2", "3"], elapsed=None)
    for name, text in {
        "outputs/animals/train/model/run.json": json.dumps({"format_version": 1, "stage": "animals/train"}),
        "outputs/animals/broken/run.json": "{",
        "outputs/animals/list/run.json": "[]",
        "outputs/animals/newer/run.json": json.dumps({"format_version": 2}),
        "outputs/animals/part/run.json": json.dumps({"format_version": 1, "stage": "animals/part"}),
        "pipelines/animals/manifest.json": json.dumps({"stages": {"train": {}}}),
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    assert listed(root) == before
    assert listed(root, "4") == [("stage", "key"), HEAD, TRAIN]


# Real runs


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A project whose data was prepared and whose answers, which somebody gave, were scored."""
    root = tmp_path_factory.mktemp("project")
    project(root, small=RECIPE)
    assert recipe(root, "compile")[0] == 0
    execute(root, "data")
    rows = [json.loads(line) for line in (root / "outputs/small/data/validation.jsonl").read_text().splitlines()]
    answers = root / "outputs" / "small" / "answers"
    answers.mkdir()
    given = [{"input": {}, "label": row["messages"][-1]["content"], "answer": "cat", "parsed": "cat"} for row in rows]
    (answers / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in given))
    execute(root, "scores")
    return root


def execute(root, stage):
    command = (sys.executable, "-m", "runners.exec", f"pipelines/small/{stage}")
    done = subprocess.run(command, cwd=root, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def hashes(root):
    """`recipe` and stage → digest, as it is compiled now."""
    found = json.loads(recipe(root, "hash", "small", "--explain", "--format", "json")[1])
    return found["stages"] | {"recipe": found["recipe_hash"], "own": found["explained"]["scores"]["own"]}


def test_a_record_names_its_components(ran):
    explained = json.loads(recipe(ran, "hash", "small", "--explain", "--format", "json")[1])
    for stage in ("data", "scores"):
        record = json.loads((ran / "outputs" / "small" / stage / "run.json").read_text())
        expected = explained["explained"][stage]
        assert record["components"] == components(json.loads((ran / f"pipelines/small/{stage}.json").read_text()))
        assert record["components"].items() <= expected["components"].items()
        assert {name: record[name] for name in ("key", "own")} == {name: expected[name] for name in ("key", "own")}
        assert {name: record[name] for name in ("recipe_hash", "intent")} == {
            name: explained[name] for name in ("recipe_hash", "intent")
        }


def test_a_stage_that_was_left_alone_is_found_under_its_present_key(ran):
    """Another length of answers is another key of the scores, too; the same answers leave them as they are."""
    before = hashes(ran)
    change(ran, "data: data.validation}", "data: data.validation, max_new_tokens: 8}")
    assert recipe(ran, "compile")[0] == 0
    now = hashes(ran)
    assert now["scores"] != before["scores"]
    assert now["own"] == before["own"]
    assert now["data"] == before["data"]
    assert listed(ran, before["scores"]) == [("stage", "key"), HEAD, ("small", "scores")]
    code, out, _ = recipe(ran, "runs", now["scores"][:16])
    assert code == 0
    assert out.splitlines()[0] == f"stage key {now['scores']}"
    assert re.fullmatch(rf"small +scores\* .*{before['scores'][:12]} .*", out.splitlines()[2])
    assert out.splitlines()[3].startswith("* ran before")
    (run,) = json.loads(recipe(ran, "runs", now["scores"], "--format", "json")[1])["runs"]
    assert run["left_alone"]
    assert run["key"] == before["scores"]
    assert listed(ran, now["recipe"])[2:4] == [("small", "scores*"), ("small", "data*")]
    (ran / "outputs/small/answers/predictions.jsonl").write_text("")
    assert recipe(ran, "runs", now["scores"])[0] == 1
    assert listed(ran, now["recipe"])[2:3] == [("small", "data*")]
