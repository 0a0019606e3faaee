"""`recipe run` and `recipe scores` on a pipeline of quick programs, under a real DVC; one really compiled recipe."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from exec_project import Project as Trained
from exec_project import cleaned_up, wait_for
from run_project import BIN, SECONDS, Project, make, repository
from terminal import on_terminal

LIGHT = """\
version: 1
name: light
seed: 42
datasets: {digits: {kind: digits, prompt: Digit?, split: {validation: 0.2}}}
stages: {data: {kind: prepare, dataset: digits, task: classify}}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that has run, with what the run said in `first`. Nobody changes it."""
    project = make(tmp_path_factory.mktemp("finished"))
    output = watched(project, "step 1 of 6", "run", "demo")
    (project.control / "first").write_text(output)
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Iterator[Project]:
    """A copy of it to work with. Its control folder stays where it was, because scripts name it."""
    shutil.copytree(finished.root, tmp_path / "project", symlinks=True)
    before = (finished.control / "ran").read_text()
    (finished.control / "ran").unlink()
    with cleaned_up(Trained(tmp_path / "project", finished.control)):
        yield Project(tmp_path / "project", finished.control)
    for name in ("fail", "ran"):
        (finished.control / name).unlink(missing_ok=True)
    let_go(finished)
    (finished.control / "ran").write_text(before)


def watched(project: Project, text: str, *arguments: str) -> str:
    """The output of a good run, whose trainer waits at its end until the output has a text."""
    (project.control / "hold-end").touch()
    process = project.start(str(BIN / "recipe"), *arguments)
    assert process.stdout is not None
    output = ""
    for line in process.stdout:
        output += line
        if text in line:
            let_go(project)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, said
    return output


def let_go(project: Project) -> None:
    for path in (*project.control.glob("hold-*"), *project.control.glob("at-*")):
        path.unlink()


def events(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def states(text: str) -> list[tuple[str, str]]:
    return [(e["stage"], e["state"]) for e in events(text) if e["event"] == "stage"]


def test_the_first_run_in_plain_lines(finished: Project) -> None:
    lines = (finished.control / "first").read_text().splitlines()
    assert lines[0] == "demo: data, train, scores"
    for stage in ("data", "train", "scores"):
        assert f"{stage}: running" in lines
        assert any(line.startswith(f"{stage}: done") for line in lines)
    assert "train: step 1 of 6, loss 2.5, 1m 05s left" in lines
    assert any(line.startswith("done: 3 stages in ") for line in lines)
    assert any(line.startswith("accuracy 0.750 on 4 rows") for line in lines)
    assert any("actual" in line and "predicted" in line for line in lines)
    assert any("(step 1 to 6)" in line for line in lines)
    assert lines[-1] == f"plots: {finished.root}/.recipe/plots/demo/index.html"
    assert "vega" in Path(lines[-1].removeprefix("plots: ")).read_text()
    assert "\x1b" not in "\n".join(lines)


def test_a_second_run_does_nothing_and_says_so(project: Project) -> None:
    done = project.recipe("run", "recipes/demo.yaml")
    assert done.returncode == 0, done.stderr
    assert "up to date: nothing to do" in done.stdout
    assert "recipe scores recipes/demo.yaml" in done.stdout
    assert project.ran == []


def test_dvc_repro_has_nothing_left_to_do(project: Project) -> None:
    done = project.dvc("repro", "pipelines/demo/dvc.yaml")
    assert done.returncode == 0, done.stderr
    assert "Running stage" not in done.stdout
    assert project.ran == []


def test_run_after_dvc_repro_does_nothing(tmp_path: Path) -> None:
    project = make(tmp_path)
    assert project.dvc("repro", "pipelines/demo/dvc.yaml").returncode == 0
    assert len(project.ran) == 3
    assert states(project.recipe("run", "demo", "--format", "jsonl").stdout) == [
        ("data", "up to date"),
        ("train", "up to date"),
        ("scores", "up to date"),
    ]
    assert len(project.ran) == 3


def test_only_what_changed_runs_as_json(project: Project) -> None:
    (project.root / "data/animals.txt").write_text("cat dog cow\n")
    output = watched(project, '"step": 1,', "run", "demo", "--format", "jsonl")
    found = events(output)
    about = {"recipe": "demo", "file": "recipes/demo.yaml", "stages": ["data", "train", "scores"]}
    assert found[0] == {"event": "start", "format_version": 1, **about}
    assert states(output) == [(s, t) for s in about["stages"] for t in ("running", "done")]
    progress = next(event for event in found if event["event"] == "progress")
    counts = {"stage": "train", "step": 1, "steps": 6, "loss": 2.5}
    assert progress == {"event": "progress", **counts, "metrics": {"acc": 0.1}, "left_s": 65.0}
    end = found[-1]
    assert (end["event"], end["state"], end["ran"], end["failed"]) == ("end", "done", about["stages"], None)
    assert end["scores"]["scores"]["accuracy"] == 0.75
    assert (project.root / end["plots"]).is_file()


def test_early_cut_off(project: Project) -> None:
    """A stage that comes to the same bytes leaves what follows alone, as with `dvc repro`."""
    done = project.recipe("run", "demo", "--stage", "data", "--force", "--format", "jsonl")
    assert states(done.stdout) == [("data", "running"), ("data", "done")]
    assert project.ran == ["data"]
    assert "up to date: nothing to do" in project.recipe("run", "demo").stdout


def test_outputs_that_were_removed_come_from_the_cache(project: Project) -> None:
    shutil.rmtree(project.root / "outputs/demo/train")
    done = project.recipe("run", "demo", "--format", "jsonl")
    assert ("train", "restored") in states(done.stdout)
    assert events(done.stdout)[-1]["state"] == "done"
    assert project.ran == []


def test_a_stage_that_fails(project: Project) -> None:
    (project.root / "data/animals.txt").write_text("cat\n")
    (project.control / "fail").touch()
    done = project.recipe("run", "demo")
    assert done.returncode == 1
    assert "data: failed" in done.stdout
    assert done.stderr.count("ValueError: a sad end") == 1
    assert done.stderr.count("demo/data failed with exit code 3") == 1
    assert ".recipe/logs/demo/data.log" in done.stderr
    assert "bash pipelines/demo/data.sh" in done.stderr
    assert "failed to reproduce" not in done.stderr
    assert done.stderr.splitlines()[-1] == "failed: data"
    as_json = project.recipe("run", "demo", "--format", "jsonl")
    end = events(as_json.stdout)[-1]
    assert as_json.returncode == 1
    assert (end["state"], end["failed"], end["script"]) == ("failed", "data", "pipelines/demo/data.sh")
    assert end["log"] == ".recipe/logs/demo/data.log"
    (project.control / "fail").unlink()
    assert project.recipe("run", "demo").returncode == 0


def test_what_finished_is_kept(project: Project) -> None:
    (project.root / "data/animals.txt").write_text("dog\n")
    (project.control / "scores").rename(project.control / "gone")
    done = project.recipe("run", "demo")
    (project.control / "gone").rename(project.control / "scores")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "failed: scores; kept: data, train"
    again = project.recipe("run", "demo", "--format", "jsonl")
    assert states(again.stdout) == [
        ("data", "up to date"),
        ("train", "up to date"),
        ("scores", "running"),
        ("scores", "done"),
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_and_the_next_run_goes_on(project: Project, number: int) -> None:
    _start_and_hold(project)
    process = project.start(str(BIN / "recipe"), "run", "demo")
    _wait_for_trainer(project)
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "train: stopped" in out
    assert err.splitlines()[-1].startswith("stopped after ")
    assert "Traceback" not in err
    assert not [one for one in below if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    let_go(project)
    assert project.recipe("run", "demo").returncode == 0
    assert [line.rpartition("resume=")[2] for line in project.ran if line.startswith("train")] == ["", "yes"]


def test_the_end_of_run_itself_leaves_nothing_behind(project: Project) -> None:
    """SIGKILL cannot be passed on: DVC ends with its parent, and exec with DVC."""
    _start_and_hold(project)
    process = project.start(str(BIN / "recipe"), "run", "demo")
    _wait_for_trainer(project)
    below = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    wait_for(lambda: not [p for p in below if p.is_running() and p.status() != psutil.STATUS_ZOMBIE], "the end of all")
    let_go(project)


def test_a_second_run_beside_the_first(project: Project) -> None:
    _start_and_hold(project)
    process = project.start(str(BIN / "recipe"), "run", "demo")
    _wait_for_trainer(project)
    done = project.recipe("run", "demo")
    assert done.returncode == 1
    assert "another DVC is at work in this project: process " in done.stderr
    let_go(project)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 0


def test_start_over_with_force(project: Project) -> None:
    """A checkpoint is there, and not used."""
    _start_and_hold(project)
    process = project.start(str(BIN / "recipe"), "run", "demo")
    _wait_for_trainer(project)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)
    let_go(project)
    done = project.recipe("run", "demo", "--stage", "train", "--force")
    assert done.returncode == 0, done.stderr
    assert [line.rpartition("resume=")[2] for line in project.ran if line.startswith("train")] == ["", ""]


def _start_and_hold(project: Project) -> None:
    (project.root / "data/animals.txt").write_text("horse\n")
    (project.control / "hold-step-4").touch()


def _wait_for_trainer(project: Project) -> None:
    wait_for(lambda: (project.control / "at-step-4").exists(), "the trainer at step 4")


def test_on_a_terminal(project: Project) -> None:
    """A table that is drawn again and again; lines of the stages above it, results below."""
    (project.root / "data/animals.txt").write_text("cow\n")
    (project.control / "hold-end").touch()

    def go_on(shown: bytes) -> None:
        if b"1/6" in shown:
            let_go(project)

    command = (BIN / "recipe", "run", "demo")
    code, output = on_terminal(*command, cwd=project.root, watch=go_on, DVC_NO_ANALYTICS="1")
    assert code == 0, output
    assert "running" in output
    assert "\x1b[" in output
    assert "2.5000" in output
    assert "accuracy 0.750 on 4 rows" in output
    assert output.rstrip().endswith(".recipe/plots/demo/index.html")


def test_gpus_reach_the_engine(project: Project) -> None:
    (project.root / "data/animals.txt").write_text("hen\n")
    assert project.recipe("run", "demo", "--gpus", "2,3").returncode == 0
    assert [line.split()[1] for line in project.ran if line.startswith("train")] == ["gpus=2,3"]


def test_gpus_that_make_no_sense(project: Project) -> None:
    assert project.recipe("run", "demo", "--gpus", "all").returncode == 2
    recipe = project.root / "recipes/demo.yaml"
    recipe.write_text(recipe.read_text().replace("{gpus: 0}", "{gpus: 2}").replace("global: 4", "global: 8"))
    done = project.recipe("run", "demo", "--gpus", "3")
    assert done.returncode == 1
    assert "R0524" in done.stderr


def test_a_stage_alone_on_stale_inputs(project: Project) -> None:
    (project.root / "data/animals.txt").write_text("fish\n")
    done = project.recipe("run", "demo", "--stage", "scores")
    assert done.returncode == 1
    assert "scores needs data, which is not up to date" in done.stderr
    assert "`recipe run recipes/demo.yaml`" in done.stderr
    assert project.ran == []
    end = events(project.recipe("run", "demo", "--stage", "scores", "--format", "jsonl").stdout)[-1]
    assert (end["event"], end["state"], end["failed"]) == ("end", "failed", "scores")


def test_no_such_stage(project: Project) -> None:
    done = project.recipe("run", "demo", "--stage", "trian")
    assert done.returncode == 1
    assert "its stages: data, train, scores" in done.stderr


def test_scores_are_shown_again(project: Project) -> None:
    done = project.recipe("scores", "demo")
    assert done.returncode == 0, done.stderr
    assert "accuracy 0.750 on 4 rows" in done.stdout
    told = json.loads(project.recipe("scores", "demo", "--format", "json").stdout)
    assert (told["recipe"], told["stages"]["scores"]["accuracy"]) == ("demo", 0.75)
    shutil.rmtree(project.root / "outputs/demo/scores")
    done = project.recipe("scores", "demo")
    assert "accuracy" not in done.stdout
    assert "loss   2.5000" in done.stdout
    shutil.rmtree(project.root / "outputs/demo/train")
    done = project.recipe("scores", "demo")
    assert done.returncode == 1
    assert "R0525" in done.stderr


def test_outside_of_dvc(project: Project) -> None:
    shutil.rmtree(project.root / ".dvc")
    done = project.recipe("run", "demo")
    assert done.returncode == 1
    assert "R0523" in done.stderr
    assert "dvc init" in done.stderr


def test_data_that_lies_elsewhere_is_linked_first(project: Project, tmp_path: Path) -> None:
    (project.root / "data").rename(tmp_path / "disk")
    (project.root / "machine.yaml").write_text(f"data: {{data: {json.dumps(str(tmp_path / 'disk'))}}}\n")
    assert "up to date: nothing to do" in project.recipe("run", "demo").stdout


def test_stages_complete(project: Project) -> None:
    words = {"_RECIPE_COMPLETE": "complete_bash", "COMP_WORDS": "recipe run demo --stage sc", "COMP_CWORD": "4"}
    project.environment |= words
    assert project.recipe().stdout.split() == ["scores"]


def test_a_compiled_recipe_and_its_edits(tmp_path: Path) -> None:
    """Not compiled, run, equal to `dvc repro`, and stale after an edit."""
    project = Project(tmp_path / "project", tmp_path)
    repository(project.root)
    recipe = project.root / "recipes/light.yaml"
    recipe.parent.mkdir()
    recipe.write_text(LIGHT)
    done = project.recipe("run", "light")
    assert done.returncode == 1
    assert "run `recipe compile recipes/light.yaml`" in done.stderr
    assert project.recipe("compile", "recipes/light.yaml").returncode == 0
    assert project.recipe("run", "light").returncode == 0
    assert "Running stage" not in project.dvc("repro", "pipelines/light/dvc.yaml").stdout
    recipe.write_text(LIGHT.replace("42", "43"))
    done = project.recipe("run", "light")
    assert done.returncode == 1
    assert "recipe changed, run `recipe compile recipes/light.yaml`" in done.stderr
    assert "failed to reproduce" not in done.stderr
