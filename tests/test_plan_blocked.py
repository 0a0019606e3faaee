"""`recipe plan`: what cannot run, and what keeps it from saying so."""

import json

import pytest
from compiling import change, recipe
from plan_project import UP_TO_DATE, actions, finished, planned, reasons

from schema.digests import of_path
from schema.lock import Local, Lock, text_of


@pytest.fixture
def root(tmp_path):
    return finished(tmp_path / "p")


def test_data_that_is_missing_blocks_all_that_follows(root):
    (root / "data" / "chat.jsonl").unlink()
    stages = planned(root, code=1)
    assert actions(stages) == dict.fromkeys(UP_TO_DATE, "blocked")
    assert reasons(stages["data"]) == [("data-missing", "data/chat.jsonl")]
    assert "machine.yaml" in stages["data"]["reasons"][0]["hint"]
    assert reasons(stages["answers"]) == [("upstream-blocked", "data"), ("upstream-blocked", "train")]


def test_data_that_the_machine_file_maps_is_there(root, tmp_path):
    (root / "data").rename(tmp_path / "disk")
    (root / "machine.yaml").write_text("data: {data: ../disk}\n")
    assert actions(planned(root)) == UP_TO_DATE
    (tmp_path / "disk" / "chat.jsonl").write_text("other\n")
    assert actions(planned(root))["data"] == "run"


def test_a_place_that_does_not_exist_blocks_what_would_run(root):
    (root / "machine.yaml").write_text("data: {data/other: /nowhere/at/all}\n")
    assert actions(planned(root)) == UP_TO_DATE
    change(root, "1e-4", "2e-4")
    stages = planned(root, code=1)
    assert actions(stages) == {"data": "reuse", "train": "blocked", "answers": "blocked"}
    assert "maps data/other to /nowhere/at/all, which does not exist" in recipe(root, "plan")[1]


def test_a_machine_file_that_is_wrong_is_a_finding(root):
    (root / "machine.yaml").write_text("gpus: many\n")
    code, _, err = recipe(root, "plan")
    assert code == 1 and "--> machine.yaml" in err


def test_other_bytes_than_the_lock_names(root):
    path = root / "data" / "chat.jsonl"
    pins = Lock(version=1, revision=1, local={"data/chat.jsonl": Local(**of_path(path).as_json())})
    (root / "recipes" / "small.lock").write_text(text_of(pins, "recipes/small.yaml"))
    ended, out, _ = recipe(root, "plan", "small", "--format", "json")
    data = json.loads(out)["pipelines"][0]["stages"][0]
    assert (ended, data["action"], reasons(data)) == (0, "run", [("pin", "dataset")])
    assert data["reasons"][0]["place"]["file"] == "recipes/small.lock"
    path.write_text("other\n")
    ended, out, _ = recipe(root, "plan", "small", "--format", "json")
    data = json.loads(out)["pipelines"][0]["stages"][0]
    assert (ended, data["action"]) == (1, "blocked")
    assert reasons(data)[0] == ("pinned-bytes", "data/chat.jsonl")
    assert data["reasons"][0]["place"]["file"] == "recipes/small.lock"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pipelines/small/dvc.lock", "<<<<<<< HEAD\nschema: '2.0'\n"),
        ("pipelines/small/dvc.lock", "schema: '2.0'\nstages: {train: 1}\n"),
        (".dvc/config", "[cache\ndir = x\n"),
    ],
)
def test_files_of_dvc_that_cannot_be_read(root, file, text):
    (root / file).write_text(text)
    code, out, err = recipe(root, "plan")
    assert (code, err.partition(":")[0]) == (1, "error[R0430]")
    assert file in err
    assert out == "0 stages: 1 recipe is not planned\n"


def test_the_cache_may_lie_elsewhere(root, tmp_path):
    (root / ".dvc/cache").rename(tmp_path / "cache")
    assert actions(planned(root)) == {"data": "run", "train": "conditional", "answers": "conditional"}
    (root / ".dvc/config").write_text("[core]\n    analytics = false\n[cache]\n    dir = /nowhere\n")
    (root / ".dvc/config.local").write_text("[cache]\n    dir = ../../cache\n")
    assert actions(planned(root)) == UP_TO_DATE
