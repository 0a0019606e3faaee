"""`recipe setup` makes a clone merge records of DVC stage by stage, whatever becomes of the program meanwhile."""

from __future__ import annotations

import subprocess
import sys

import pytest
from compiling import recipe
from diff_project import git
from merge_project import BARE, BASE, BIN, DATA, LOCK, branches, call, entry, lock, repository, set_up


def test_setting_up_twice_changes_nothing(tmp_path):
    repository(tmp_path, BASE)
    assert set_up(tmp_path).startswith("git merges dvc.lock stage by stage: merge.dvc-lock")
    config = (tmp_path / ".git/config").read_bytes()
    assert set_up(tmp_path).startswith("git merges dvc.lock stage by stage, as it did")
    assert (tmp_path / ".git/config").read_bytes() == config


def test_setting_up_replaces_what_an_earlier_version_set(tmp_path):
    repository(tmp_path, BASE)
    for value in ("false", "true"):
        git(tmp_path, "config", "--local", "--add", "merge.dvc-lock.driver", value)
    set_up(tmp_path)
    assert git(tmp_path, "config", "--get-all", "merge.dvc-lock.driver").startswith("for recipe in ")


def test_setting_up_says_when_no_file_names_the_driver(tmp_path):
    repository(tmp_path, BASE, attributes="")
    assert "to have it used, write and commit: echo 'dvc.lock merge=dvc-lock' >> .gitattributes" in set_up(tmp_path)


def test_setting_up_says_what_git_would_take_for_its_own(tmp_path):
    repository(tmp_path, BASE)
    (tmp_path / ".gitignore").write_text("outputs\n")
    *_, said = set_up(tmp_path).splitlines()
    assert said.endswith(r"out of git: printf '%s\n' /.recipe/ /machine.yaml >> .gitignore")
    subprocess.run(said.partition("out of git: ")[2], shell=True, cwd=tmp_path, check=True)
    assert (tmp_path / ".gitignore").read_text() == "outputs\n/.recipe/\n/machine.yaml\n"
    assert "out of git" not in set_up(tmp_path)


def test_there_is_nothing_to_set_up_outside_a_clone(tmp_path):
    code, _, err = recipe(tmp_path, "setup")
    assert code == 1
    assert "error[R0440]: this folder is no clone that git can set up: not a git repository" in err


@pytest.mark.parametrize("found", ["local", "path", "nowhere"])
def test_the_driver_is_found_although_the_environment_has_moved(tmp_path, found):
    """In `.venv` of the folder, on the PATH, and else git merges text as if there were no driver."""
    root = branches(
        tmp_path / "project", BASE, lock(DATA, entry("train", "2", "2")), lock(DATA, entry("train", "3", "3"))
    )
    set_up(root)
    driver = git(root, "config", "merge.dvc-lock.driver")
    assert f"{BIN}/recipe" in driver
    git(
        root,
        "config",
        "merge.dvc-lock.driver",
        driver.replace(f"{BIN}/recipe", "/nowhere/it's/recipe".replace("'", "")),
    )
    folder = {"local": root / ".venv/bin", "path": tmp_path / "bin", "nowhere": tmp_path / "none"}[found]
    folder.mkdir(parents=True)
    if found != "nowhere":
        (folder / "recipe").symlink_to(BIN / "recipe")
    environment = {**BARE, "PATH": f"{tmp_path / 'bin'}:{BARE['PATH']}"}
    command = ["git", "-c", "user.name=me", "-c", "user.email=me@example.org", "merge", "--no-edit", "topic"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == (1 if found == "nowhere" else 0), done.stderr
    assert ("<<<<<<< ours" in (root / LOCK).read_text()) == (found == "nowhere")


def test_the_program_may_lie_in_a_folder_with_any_name(tmp_path, monkeypatch):
    root = branches(
        tmp_path / "project", BASE, lock(DATA, entry("train", "2", "2")), lock(DATA, entry("train", "3", "3"))
    )
    folder = tmp_path / "it's 100% & $mine"
    folder.mkdir()
    (folder / "recipe").symlink_to(BIN / "recipe")
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    set_up(root)
    assert call(root, "merge", "--no-edit", "topic").returncode == 0
    assert (root / LOCK).read_text() == lock(DATA)
