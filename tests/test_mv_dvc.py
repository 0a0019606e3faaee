"""A renamed recipe in a project of git and DVC that has really run: nothing runs again, whatever kills the renaming."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import exec_project
import mv_project
import pytest
import run_project
from compiling import recipe, tree
from diff_project import commit, git
from run_project import Project

from runners.runs import all_runs

PIPELINES = ("dvc.yaml", "pipelines/beasts/dvc.yaml", "pipelines/beasts/short/dvc.yaml")
OUTSIDE = (".git/", ".dvc/tmp/", ".recipe/locks/", ".recipe/cache/")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after everything has run; each test gets a copy."""
    project = mv_project.make(tmp_path_factory.mktemp("ran"), mv_project.EXTENDING)
    mv_project.run_all(project)
    assert project.ran == ["sft", "infer", "sft"]
    (project.root / "recipes/animals.lock").write_text(
        "# What the names in recipes/animals.yaml resolved to. Written by `recipe lock`; commit it, and do not edit it.\n"
        "version: 1\nrevision: 1\n"
    )
    assert project.recipe("compile").returncode == 0
    commit(project.root, "locked")
    return project


@pytest.fixture
def project(ran: Project, tmp_path: Path) -> Project:
    return copy(ran, tmp_path / "project")


def copy(ran: Project, root: Path, *without: str) -> Project:
    shutil.copytree(ran.root, root, symlinks=True, ignore=shutil.ignore_patterns(*without))
    (ran.control / "ran").unlink(missing_ok=True)
    return Project(root, ran.control)


def files(root: Path) -> dict[str, bytes]:
    return {path: content for path, content in tree(root).items() if not path.startswith(OUTSIDE)}


def test_nothing_runs_again(project: Project) -> None:
    before = {run.title: run.record for run in all_runs(project.root)}
    manifest = json.loads((project.root / "pipelines/animals/manifest.json").read_text())
    index = git(project.root, "ls-files", "--stage")
    done = project.recipe("mv", "animals", "beasts")
    assert done.returncode == 0, done.stderr
    assert "`animals` is called `beasts` now; nothing that ran has to run again" in done.stdout
    assert "commit it: git add --all recipes pipelines dvc.yaml dvc.lock" in done.stdout
    assert git(project.root, "ls-files", "--stage") == index

    repro = project.dvc("repro", *PIPELINES)
    assert repro.returncode == 0, repro.stderr
    begun = [line for line in repro.stdout.splitlines() if line.startswith(("Running", "Stage"))]
    assert sorted(line for line in begun if "didn't change" not in line) == [
        "Running stage 'pipelines/beasts/dvc.yaml:compiled':",
        "Running stage 'pipelines/beasts/short/dvc.yaml:compiled':",
    ]
    assert len(begun) == 2 + 4 + 2 + 1
    assert project.ran == []
    assert "up to date" in project.dvc("status", *PIPELINES).stdout
    assert "up to date" in project.recipe("run", "beasts").stdout

    after = {run.title: run.record for run in all_runs(project.root)}
    assert {title.replace("beasts", "animals") for title in after} == before.keys()
    for title, record in after.items():
        earlier = before[title.replace("beasts", "animals")]
        assert {**record, "inputs": 0, "log": 0, "stage": 0} == {**earlier, "inputs": 0, "log": 0, "stage": 0}
        assert (project.root / record["log"]).exists()
        assert all((project.root / given["path"]).exists() for given in record["inputs"].values())
    assert "beasts" in project.recipe("runs", manifest["recipe_hash"][:12]).stdout


def test_what_is_left_of_the_old_name(project: Project) -> None:
    """Only a description and the notes of the project's past; every text but the name is as it was."""
    lock = (project.root / "pipelines/animals/dvc.lock").read_text()
    assert project.recipe("mv", "recipes/animals.yaml", "beasts").returncode == 0
    root = project.root
    assert (root / "recipes/beasts.yaml").read_text() == mv_project.RECIPE.replace("name: animals", "name: beasts")
    assert (root / "recipes/plants.yaml").read_text() == mv_project.EXTENDING.replace("animals", "beasts")
    assert (root / "recipes/beasts.lock").read_text().startswith("# What the names in recipes/beasts.yaml resolved to.")
    assert (root / "dvc.yaml").read_text() == mv_project.ROOT_STAGES.replace("outputs/animals", "outputs/beasts")
    moved = lock.replace("s/animals", "s/beasts").replace("data/beasts.jsonl", "data/animals.jsonl")
    assert (root / "pipelines/beasts/dvc.lock").read_text() == moved
    assert not [path for path in files(root) if "animals" in path and not path.startswith(("data/", ".dvc/cache/"))]
    assert project.recipe("compile", "--check").returncode == 0


def test_a_look_changes_nothing_and_tells_all(project: Project) -> None:
    before = files(project.root)
    code, out, err = recipe(project.root, "mv", "animals", "beasts", "--dry-run")
    assert (code, err) == (0, "")
    assert files(project.root) == before
    assert not (project.root / ".recipe/mv.json").exists()
    _, done, _ = recipe(project.root, "mv", "animals", "beasts")
    told = [line.partition("  ")[2] for line in done.splitlines() if line.startswith("done  ")]
    assert [line.partition("  ")[2] for line in out.splitlines()] == told
    assert len(told) == 18


def test_moving_back_gives_what_was_there(project: Project) -> None:
    before = files(project.root)
    assert recipe(project.root, "mv", "animals", "beasts")[0] == 0
    assert recipe(project.root, "mv", "beasts", "animals")[0] == 0
    assert files(project.root) == before


def test_a_stage_that_runs_keeps_its_name(tmp_path: Path) -> None:
    """A real `recipe exec`, whose engine is at work; afterwards its pipeline, which is not compiled, stops the renaming."""
    with exec_project.cleaned_up(exec_project.make(tmp_path)) as running:
        (running.root / "recipes").mkdir()
        (running.root / ".git").mkdir()
        (running.root / "recipes/demo.yaml").write_text(run_project.RECIPE)
        running.hold("step-3")
        process = running.start(exec_project.TARGET)
        running.wait_at("step-3")
        code, _, err = recipe(running.root, "mv", "demo", "other")
        assert code == 1
        assert "error[R0443]: demo/train is being run" in err
        running.let_go()
        assert process.wait() == 0
        code, _, err = recipe(running.root, "mv", "demo", "other")
        assert code == 1
        assert "R0443" not in err


# Killed

CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir"}
"""What can be the last that the disk sees; a file that is being written is seen at its renaming."""
KILLED = 9


def killed(root: Path, when: Callable[[int, str], bool]) -> bool:
    """Rename in a process that ends at once, as if killed, before a change of the disk; whether it got there.

    `when` gets the number of the change and the path that it makes or takes away, relative to the root.
    """
    child = os.fork()
    if child == 0:
        changes = count(1)

        def hook(event: str, arguments: tuple) -> None:
            path = os.path.relpath(arguments[1 if event == "os.rename" else 0], root) if event in CHANGES else ".."
            if not path.startswith("..") and when(next(changes), path):
                os._exit(KILLED)

        sys.addaudithook(hook)
        code = 1
        try:
            code = recipe(root, "mv", "animals", "beasts")[0]
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, KILLED)
    return os.waitstatus_to_exitcode(status) == KILLED


def test_a_renaming_that_is_killed_anywhere_goes_on(ran: Project, tmp_path: Path) -> None:
    """Before each of its changes of the disk, one after another; called again, it ends with what it ends with unbroken."""
    whole = copy(ran, tmp_path / "whole", "cache")
    assert recipe(whole.root, "mv", "animals", "beasts")[0] == 0
    expected = files(whole.root)
    for number in count(1):
        root = copy(ran, tmp_path / "killed", "cache", ".git").root
        if not killed(root, lambda change, path, number=number: change == number):
            break
        code, _, err = recipe(root, "mv", "animals", "beasts")
        assert (code, "error[" in err) == (0, False), f"killed before change {number}: {err}"
        assert files(root) == expected, f"killed before change {number}"
        shutil.rmtree(root)
    assert number > 40  # changes, each of which was the first that did not happen


@pytest.mark.parametrize("path", ["outputs/beasts", "pipelines/beasts/manifest.json"])
def test_between_the_steps_nothing_runs_by_mistake(project: Project, path: str) -> None:
    """Killed before the results moved, or before the last compiled file: neither name runs, and nothing is lost."""
    root = project.root
    stamps = {"compiled.txt", "short/compiled.txt"}  # which DVC removes before the check that then fails
    kept = tree(root / "outputs/animals").keys() - stamps
    assert killed(root, lambda change, changed: changed == path)
    for name in ("animals", "beasts"):
        assert project.dvc("repro", f"pipelines/{name}/dvc.yaml").returncode != 0
    assert project.ran == []
    assert recipe(root, "mv", "animals", "beasts")[0] == 0
    assert tree(root / "outputs/beasts").keys() - stamps == kept
    assert project.dvc("repro", *PIPELINES).returncode == 0
    assert project.ran == []
