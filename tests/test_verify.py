"""`recipe verify`: outputs and inputs against a record, and a second run of the stage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from compiling import recipe
from exec_project import KEY, Project, cleaned_up, make, wait_for, write_pipeline

from runners.rerun import leaves
from runners.verify import Change, compare

WRITES = """\
set -eu
mkdir -p "$RECIPE_OUT/result/model/deep" "$RECIPE_OUT/checkpoints"
cp data/animals.txt "$RECIPE_OUT/result/model/a.txt"
cp data/animals.txt "$RECIPE_OUT/result/model/deep/b.txt"
cp {control}/metrics.json "$RECIPE_OUT/result/metrics.json"
echo run >> {control}/starts
"""
METRICS = {"loss": 0.5, "by_class": {"cat": [1, 2]}}


@pytest.fixture
def ran(tmp_path: Path) -> Project:
    """A project whose stage ran once."""
    project = make(tmp_path)
    (project.root / ".git").mkdir()
    (project.control / "metrics.json").write_text(json.dumps(METRICS))
    write_pipeline(project, WRITES.format(control=project.control), checkpoints=None)
    done = project.run()
    assert done.returncode == 0, done.stderr
    return project


def verify(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it as a person does."""
    return subprocess.run(
        (sys.executable, "-m", "compiler", "verify", *arguments),
        cwd=project.root,
        env={**os.environ, "RECIPE_QUIET": "1", "RECIPE_GRACE": "0.5", **project.environment},
        capture_output=True,
        text=True,
    )


def document(project: Project, *arguments: str) -> dict:
    """What `--format json` says of the one run, with the exit code."""
    done = verify(project, "demo/train", "--format", "json", *arguments)
    (run,) = json.loads(done.stdout)["runs"]
    return run | {"code": done.returncode}


def test_a_run_that_is_as_it_was(ran: Project) -> None:
    found = document(ran)
    assert (found["code"], found["sound"], found["files"]) == (0, True, 3)
    assert (found["outputs"], found["inputs"], found["contradictions"], found["rerun"]) == ([], [], [], None)
    assert (found["recipe"], found["stage"], found["record"]) == ("demo", "train", "outputs/demo/train/run.json")


@pytest.mark.parametrize("name", ["demo/train", "demo/train/", "outputs/demo/train/run.json", KEY[:9]])
def test_names_of_a_run(ran: Project, name: str) -> None:
    code, out, _ = recipe(ran.root, "verify", name)
    assert (code, out) == (0, "demo/train: 3 files, as its record names them\n")


def test_a_record_is_found_from_its_folder(ran: Project) -> None:
    code, out, _ = recipe(ran.out, "verify", "run.json")
    assert (code, out) == (0, "demo/train: 3 files, as its record names them\n")


@pytest.mark.parametrize(("name", "error"), [("demo/other", "R0545"), ("x/run.json", "R0545"), ("abc", "R0540")])
def test_names_of_no_run(ran: Project, name: str, error: str) -> None:
    code, _, err = recipe(ran.root, "verify", name)
    assert code == 1
    assert error in err


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        (lambda out: (out / "metrics.json").write_text("{}"), [("metrics.json", "changed")]),
        (lambda out: (out / "metrics.json").unlink(), [("metrics.json", "missing")]),
        (lambda out: (out / "model/deep/b.txt").write_text("x"), [("model/deep/b.txt", "changed")]),
        (lambda out: (out / "model/a.txt").unlink(), [("model/a.txt", "missing")]),
        (lambda out: (out / "model/c.txt").touch(), [("model/c.txt", "extra")]),
        (
            lambda out: (out / "model/a.txt").rename(out / "model/z.txt"),
            [("model/a.txt", "missing"), ("model/z.txt", "extra")],
        ),
    ],
)
def test_each_file_that_differs_is_named(ran: Project, harm, expected) -> None:
    harm(ran.out)
    code, out, _ = recipe(ran.root, "verify", "demo/train", "--format", "json")
    (run,) = json.loads(out)["runs"]
    assert code == 1
    assert not run["sound"]
    assert [(c["file"].removeprefix("outputs/demo/train/"), c["how"]) for c in run["outputs"]] == expected
    assert {(c["recorded"] is None, c["found"] is None) for c in run["outputs"]} == {
        (how == "extra", how == "missing") for _, how in expected
    }


def test_a_folder_in_the_place_of_a_file(ran: Project) -> None:
    (ran.out / "metrics.json").unlink()
    (ran.out / "metrics.json").mkdir()
    (ran.out / "metrics.json/x").write_text("x")
    assert recipe(ran.root, "verify", "demo/train")[0] == 1


def test_other_inputs_do_not_make_outputs_wrong(ran: Project) -> None:
    (ran.root / "data/animals.txt").write_text("another\n")
    code, out, _ = recipe(ran.root, "verify", "demo/train")
    assert code == 0
    assert "note: the input data/animals.txt has other bytes now" in out
    (ran.root / "data/animals.txt").unlink()
    assert "data/animals.txt is missing now" in recipe(ran.root, "verify", "demo/train")[1]


@pytest.mark.parametrize(("edit", "named"), [({"own": "0" * 64}, ["own"]), ({"identity": {}}, ["own", "action"])])
def test_a_record_that_was_edited(ran: Project, edit: dict, named: list[str]) -> None:
    (ran.out / "run.json").write_text(json.dumps(ran.record | edit))
    code, out, _ = recipe(ran.root, "verify", "demo/train", "--format", "json")
    assert code == 1
    assert json.loads(out)["runs"][0]["contradictions"] == named


def test_a_record_without_a_list_of_files(ran: Project) -> None:
    """So it is where they are too many: the folder is named."""
    record = {name: value for name, value in ran.record.items() if name not in ("files", "identity")}
    (ran.out / "run.json").write_text(json.dumps(record))
    (ran.out / "model/a.txt").write_text("x")
    code, out, _ = recipe(ran.root, "verify", "demo/train")
    assert code == 1
    assert "  outputs/demo/train/model has other bytes\n" in out


def test_too_many_files_are_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from runners import handover

    monkeypatch.setattr(handover, "MAX_LISTED_FILES", 1)
    (tmp_path / "result/model").mkdir(parents=True)
    (tmp_path / "result/model/a").touch()
    assert handover.seal(tmp_path, ["model"], "x", {}).files.keys() == {"model/a"}
    (tmp_path / "result/model/b").touch()
    assert handover.seal(tmp_path, ["model"], "x", {}).files == {}


def test_changes_between_two_lists() -> None:
    changes = [Change("a", "changed", "1", "2"), Change("b", "missing", "1", None), Change("d", "extra", None, "4")]
    assert compare({"a": "1", "b": "1", "c": "3"}, {"a": "2", "c": "3", "d": "4"}) == changes


# ---- again


def test_the_same_bytes_again(ran: Project) -> None:
    before = state(ran)
    found = document(ran, "--rerun")
    assert found["code"] == 0
    assert (found["rerun"]["same"], found["rerun"]["promised"], found["rerun"]["kept"]) == (True, True, None)
    assert state(ran) == before
    assert len(ran.starts) == 2
    assert not list((ran.root / ".recipe/rerun").iterdir())
    assert (ran.root / ".recipe/logs/demo/train.rerun.log").exists()
    text = verify(ran, "demo/train", "--rerun").stdout
    assert "demo/train: run again in 0s, byte for byte the same" in text


def test_other_bytes_again(ran: Project) -> None:
    (ran.control / "metrics.json").write_text(json.dumps({"loss": 0.75, "by_class": {"cat": [1, 3]}, "new": None}))
    before = state(ran)
    found = document(ran, "--rerun")
    assert (found["code"], found["sound"], found["rerun"]["same"]) == (1, True, False)
    assert [(c["file"], c["how"]) for c in found["rerun"]["changes"]] == [("metrics.json", "changed")]
    assert [(v["name"], v["old"], v["new"]) for v in found["rerun"]["values"]] == [
        ("loss", 0.5, 0.75),
        ("by_class.cat.1", 2, 3),
    ]
    assert json.loads((ran.root / found["rerun"]["kept"] / "result/metrics.json").read_text())["loss"] == 0.75
    assert state(ran) == before
    text = verify(ran, "demo/train", "--rerun").stdout
    assert "    metrics.json: loss 0.5 → 0.75\n" in text
    assert "the same bits are promised on the same CPU model with as many threads: CPU" in text
    assert "; threads " in text and ", the same here" in text


def test_another_machine_is_told(ran: Project) -> None:
    record = ran.record
    record["machine"] |= {"cpu": "Another 9000", "threads": 99}
    (ran.out / "run.json").write_text(json.dumps(record))
    (ran.control / "metrics.json").write_text("{}")
    found = document(ran, "--rerun")
    assert found["rerun"]["promised"] is False
    assert found["rerun"]["machine"]["threads"]["recorded"] == 99
    text = verify(ran, "demo/train", "--rerun").stdout
    assert "CPU Another 9000, here " in text
    assert "threads 99, here " in text


def test_again_needs_the_same_launch(ran: Project) -> None:
    write_pipeline(ran, WRITES.format(control=ran.control), {"env": {"SEED": "1"}}, checkpoints=None)
    done = verify(ran, "demo/train", "--rerun")
    assert done.returncode == 1
    assert "R0516" in done.stderr and "launch differ" in done.stderr
    assert done.stdout.startswith("demo/train: 3 files"), "what was found before is said all the same"
    assert len(ran.starts) == 1


def test_again_needs_the_same_inputs(ran: Project) -> None:
    (ran.root / "data/animals.txt").write_text("another\n")
    done = verify(ran, "demo/train", "--rerun")
    assert done.returncode == 1
    assert "R0517" in done.stderr and "data/animals.txt" in done.stderr
    assert len(ran.starts) == 1


def test_again_needs_whole_compiled_files(ran: Project) -> None:
    (ran.root / "pipelines/demo/train.sh").write_text("echo another\n")
    assert "R0501" in verify(ran, "demo/train", "--rerun").stderr


def test_a_second_run_that_fails(ran: Project) -> None:
    (ran.control / "metrics.json").unlink()
    before = state(ran)
    done = verify(ran, "demo/train", "--rerun")
    assert done.returncode == 1
    assert "R0507" in done.stderr and "train.rerun.log" in done.stderr
    assert state(ran) == before


def test_checkpoints_of_a_run_that_was_cut_stay(tmp_path: Path) -> None:
    """Somebody stops a later training of the stage, and verifies the earlier one meanwhile."""
    project = make(tmp_path)
    (project.root / ".git").mkdir()
    assert project.run().returncode == 0
    kept = {path.name: path.read_bytes() for path in project.out.iterdir() if path.is_file()}
    project.hold("step-5")
    with cleaned_up(project):
        cut = project.start("pipelines/demo/train", "--force")
        project.wait_at("step-5")
        cut.kill()
        cut.wait()
        project.wait_until_gone()
    project.let_go()
    (project.out / "run.json").write_bytes(kept["run.json"])  # which exec takes away at its start
    work = sorted(path.relative_to(project.root) for path in project.work.rglob("*"))
    assert any("checkpoint-4" in str(path) for path in work)
    found = document(project, "--rerun")
    assert (found["code"], found["rerun"]["same"]) == (0, True)
    assert sorted(path.relative_to(project.root) for path in project.work.rglob("*")) == work
    assert project.starts[-1] == "start", "a second run never goes on from a checkpoint"


def test_a_second_run_can_be_stopped(tmp_path: Path) -> None:
    project = make(tmp_path)
    (project.root / ".git").mkdir()
    assert project.run().returncode == 0
    before = state(project)
    project.hold("step-3")
    with cleaned_up(project):
        command = (sys.executable, "-m", "compiler", "verify", "demo/train", "--rerun")
        process = project.start(command=command)
        project.wait_at("step-3")
        process.terminate()
        assert process.wait(30) == 143
        project.wait_until_gone()
        project.let_go()
        assert state(project) == before
        project.hold("step-3")
        killed = project.start(command=command)
        wait_for(lambda: (project.control / "at-step-3").exists(), "the second trainer")
        killed.kill()
        killed.wait()
        project.wait_until_gone()
    project.let_go()
    assert document(project, "--rerun")["rerun"]["same"] is True


def state(project: Project) -> dict[str, tuple[int, bytes]]:
    """Path → time and bytes, of all outputs with their record, and of the log."""
    files = [*project.out.rglob("*"), project.root / ".recipe/logs/demo/train.log"]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files if path.is_file()}


def test_leaves_of_documents() -> None:
    assert leaves({"a": {"b": [1, {"c": None}]}, "d": "x"}) == {"a.b.0": 1, "a.b.1.c": None, "d": "x"}
    assert leaves(3) == {"": 3}
    assert leaves([]) == {}
