"""Two branches change DVC's record of what ran, and git merges them: stage by stage, with a real git and a real DVC."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from compiling import ROOT, recipe
from diff_project import commit, git

from compiler.commands.merge_lock import merge
from compiler.dvclock import NotALock, parse

BIN = Path(sys.executable).parent
LOCK = "pipelines/demo/dvc.lock"
BARE = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "GIT_CONFIG_NOSYSTEM": "1"}
"""No environment is activated."""


def entry(name, asked="1", came="1", after=""):
    """A stage's entry as DVC writes it: `asked` is in the digest of its dependency, `came` in that of its output."""
    more = f"    - path: outputs/demo/{after}\n      hash: md5\n      md5: {'e' * 32}\n      size: 3\n" if after else ""
    return (
        f"  {name}:\n"
        f"    cmd: sh pipelines/exec.sh exec pipelines/demo/{name}\n"
        "    deps:\n"
        f"    - path: pipelines/demo/{name}.json\n      hash: md5\n      md5: {digest(asked)}\n      size: 7\n"
        f"{more}"
        "    outs:\n"
        f"    - path: outputs/demo/{name}/model\n      hash: md5\n      md5: {digest(came)}.dir\n      size: 9\n      nfiles: 1\n"
    )


def digest(number):
    return f"{number}a" * 16


def lock(*entries):
    return "schema: '2.0'\nstages:\n" + "".join(entries)


def merged(base, ours, theirs):
    """The names of the stages that a merge leaves, its text and its notes."""
    done = merge(parse(base), parse(ours), parse(theirs))
    text = done.lock.text()
    assert list(yaml.safe_load(text)["stages"] or ()) == list(done.lock.stages)
    return list(done.lock.stages), text, " ".join(done.notes)


# What is decided for a stage


DATA, TRAIN, SCORES = (entry(name) for name in ("data", "train", "scores"))
BASE = lock(DATA, TRAIN)


def test_stages_that_each_side_adds_are_both_there():
    _, text, notes = merged(BASE, lock(DATA, TRAIN, SCORES), lock(DATA, TRAIN, entry("answers")))
    assert text == lock(DATA, TRAIN, SCORES, entry("answers"))
    assert notes == ""


def test_a_stage_that_one_side_ran_again_is_that_sides():
    again = entry("train", came="2")
    assert merged(BASE, lock(DATA, again), BASE)[1] == lock(DATA, again)
    assert merged(BASE, BASE, lock(DATA, again))[1] == lock(DATA, again)


def test_each_side_runs_another_stage_again():
    ours, theirs = entry("data", came="2"), entry("train", came="3")
    assert merged(BASE, lock(ours, TRAIN), lock(DATA, theirs))[1] == lock(ours, theirs)


def test_a_stage_that_one_side_takes_away_is_gone():
    assert merged(BASE, lock(DATA), BASE)[1] == lock(DATA)
    assert merged(BASE, BASE, lock(DATA))[1] == lock(DATA)


def test_a_stage_that_both_sides_changed_to_the_same_is_that():
    both = lock(DATA, entry("train", "2", "2"))
    assert merged(BASE, both, both)[1:] == (both, "")


def test_a_stage_that_both_sides_asked_something_else_is_left_out():
    _, text, notes = merged(BASE, lock(DATA, entry("train", "2", "2")), lock(DATA, entry("train", "3", "3")))
    assert text == lock(DATA)
    assert notes == "left out train, which both sides changed: `dvc repro` runs it again, unless its run cache has it"


def test_a_stage_that_one_side_changed_and_the_other_took_away_is_left_out():
    _, text, notes = merged(BASE, lock(DATA), lock(DATA, entry("train", "2", "2")))
    assert text == lock(DATA)
    assert "left out train" in notes


def test_two_results_of_the_same_question_are_both_true_and_ours_is_kept():
    ours, theirs = entry("train", "2", "5"), entry("train", "2", "6")
    _, text, notes = merged(BASE, lock(DATA, ours), lock(DATA, theirs))
    assert text == lock(DATA, ours)
    assert notes == "kept our result of train, which both sides ran on the same inputs"
    assert merged("", lock(ours), lock(theirs))[1] == lock(ours)


@pytest.mark.parametrize("swapped", [False, True])
def test_the_side_stays_that_answers_what_both_together_ask(swapped):
    """One side asked something new, the other only ran the old question again: the new question is the merged one."""
    new, old = entry("train", "2", "5"), entry("train", "1", "6")
    sides = (lock(DATA, new), lock(DATA, old))
    assert merged(BASE, *(reversed(sides) if swapped else sides))[1] == lock(DATA, new)


def test_a_question_that_no_side_asked_has_no_answer():
    """One side changed the launch, the other its data."""
    before = entry("train", after="data")
    ours, theirs = before.replace(digest("1"), digest("2")), before.replace("e" * 32, "f" * 32)
    assert merged(lock(before), lock(ours), lock(theirs))[0] == []


def test_an_empty_record_can_be_merged():
    assert merged("", BASE, lock(SCORES))[1] == lock(DATA, TRAIN, SCORES)
    assert merged(BASE, lock(DATA), lock(TRAIN))[1] == "schema: '2.0'\nstages: {}\n"
    assert merged(BASE, "schema: '2.0'\nstages: {}\n", BASE)[1] == "schema: '2.0'\nstages: {}\n"


def test_what_dvc_wrote_is_taken_over_as_it_wrote_it():
    """PyYAML would read the path as `true` and write the digest as a number."""
    odd = "  odd:\n    cmd: 'true'\n    deps:\n    - path: yes\n      md5: '1e5'\n    - path: data/中文 😀.txt\n"
    assert merged(BASE, BASE, lock(DATA, TRAIN, odd))[1] == lock(DATA, TRAIN, odd)


def test_other_sections_are_merged_as_a_whole():
    section = "datasets:\n- name: animals\n  type: url\n"
    assert merged(BASE, BASE + section, lock(DATA, TRAIN, SCORES))[1] == lock(DATA, TRAIN, SCORES) + section
    assert merged(BASE, section + BASE, lock(DATA, TRAIN, SCORES))[1].endswith(section)
    with pytest.raises(NotALock, match="both sides changed `datasets`"):
        merged(BASE, BASE + section, BASE + section.replace("animals", "plants"))


@pytest.mark.parametrize(
    "text",
    [
        "<<<<<<< ours\n" + BASE,
        "schema: '1.0'\nstages: {}\n",
        "- a list\n",
        "schema: '2.0'\nstages: [a]\n",
        "schema: '2.0'\nstages: {a: {cmd: x}, b: {cmd: y}}\n",
        "schema: '2.0'\nstages:\n  a: text\n",
        "schema: '2.0'\nstages:\n  a: {cmd: x}\n  a: {cmd: y}\n",
        "{schema: '2.0', stages: {a: {cmd: x}}}\n",
        "schema: [\n",
    ],
)
def test_what_is_no_record_of_dvc_is_refused(text):
    with pytest.raises(NotALock):
        parse(text)


# With git


def repository(root: Path, text: str, attributes: str | None = None) -> Path:
    (root / LOCK).parent.mkdir(parents=True)
    (root / ".gitattributes").write_text(
        attributes if attributes is not None else (ROOT / ".gitattributes").read_text()
    )
    git(root, "init", "--quiet")
    write(root, text)
    return root


def write(root: Path, text: str) -> None:
    (root / LOCK).write_text(text)
    commit(root)


def branches(root: Path, base: str, ours: str, theirs: str) -> Path:
    """A clone on `main` with our text, and a branch `topic` with theirs."""
    repository(root, base)
    git(root, "checkout", "--quiet", "-b", "topic")
    write(root, theirs)
    git(root, "checkout", "--quiet", "main")
    write(root, ours)
    return root


def call(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """git, as from a shell in which no environment is activated."""
    identity = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    return subprocess.run(["git", *identity, *arguments], cwd=root, env=BARE, capture_output=True, text=True)


def set_up(root: Path) -> str:
    code, out, err = recipe(root, "setup")
    assert (code, err) == (0, "")
    return out


@pytest.mark.parametrize("how", [["merge", "--no-edit", "topic"], ["rebase", "topic"], ["cherry-pick", "topic"]])
def test_git_merges_stage_by_stage(tmp_path, how):
    """Each side adds a stage and runs another one again, one takes one away, and one is asked two things."""
    base = lock(DATA, TRAIN, entry("gone"), entry("torn"))
    ours = lock(entry("data", "2", "2"), TRAIN, entry("gone"), entry("torn", "2", "2"), entry("answers"))
    theirs = lock(DATA, entry("train", "3", "3"), entry("torn", "3", "3"), entry("scores"))
    branches(tmp_path, base, ours, theirs)
    set_up(tmp_path)
    done = call(tmp_path, *how)
    assert done.returncode == 0, done.stderr
    assert f"recipe: {LOCK}: left out torn, which both sides changed" in done.stderr
    assert git(tmp_path, "status", "--porcelain") == ""
    kept = {"data": entry("data", "2", "2"), "train": entry("train", "3", "3")}
    new = [entry("scores"), entry("answers")] if how[0] == "rebase" else [entry("answers"), entry("scores")]
    assert (tmp_path / LOCK).read_text() == lock(kept["data"], kept["train"], *new)


@pytest.mark.parametrize("how", [["merge", "--no-edit", "topic"], ["rebase", "topic"], ["cherry-pick", "topic"]])
def test_what_is_no_record_is_left_as_git_leaves_it(tmp_path, how):
    """The same conflict as in a clone that was never set up, up to the names of the sides."""
    texts = ("a\nb\nc\n", "a\nours\nc\n", "a\ntheirs\nc\n")
    plain, driven = branches(tmp_path / "plain", *texts), branches(tmp_path / "driven", *texts)
    set_up(driven)
    left = {}
    for root in (plain, driven):
        done = call(root, *how)
        assert done.returncode == 1
        assert f"UU {LOCK}" in git(root, "status", "--porcelain").splitlines()
        left[root.name] = [line[:7] if line[:1] in "<>" else line for line in (root / LOCK).read_text().splitlines()]
    assert left["driven"] == left["plain"]
    assert left["plain"].count("=======") == 1


def test_what_is_no_record_but_merges_as_text_is_merged(tmp_path):
    lines = [f"{number}\n" for number in range(9)]
    ours, theirs = "ours\n" + "".join(lines[1:]), "".join(lines[:-1]) + "theirs\n"
    set_up(branches(tmp_path, "".join(lines), ours, theirs))
    assert call(tmp_path, "merge", "--no-edit", "topic").returncode == 0
    assert (tmp_path / LOCK).read_text() == "ours\n" + "".join(lines[1:-1]) + "theirs\n"


def test_a_clone_that_was_not_set_up_merges_text(tmp_path):
    """The attribute alone does no harm: what git can merge, it merges."""
    branches(tmp_path, BASE, lock(entry("data", came="2"), TRAIN), lock(DATA, TRAIN, SCORES))
    assert call(tmp_path, "merge", "--no-edit", "topic").returncode == 0
    assert (tmp_path / LOCK).read_text() == lock(entry("data", came="2"), TRAIN, SCORES)


def test_a_record_that_both_sides_begin_is_merged(tmp_path):
    repository(tmp_path, "")
    git(tmp_path, "rm", "--quiet", LOCK)
    commit(tmp_path)
    git(tmp_path, "checkout", "--quiet", "-b", "topic")
    (tmp_path / LOCK).parent.mkdir(parents=True, exist_ok=True)
    write(tmp_path, lock(SCORES))
    git(tmp_path, "checkout", "--quiet", "main")
    (tmp_path / LOCK).parent.mkdir(parents=True, exist_ok=True)
    write(tmp_path, BASE)
    set_up(tmp_path)
    assert call(tmp_path, "merge", "--no-edit", "topic").returncode == 0
    assert (tmp_path / LOCK).read_text() == lock(DATA, TRAIN, SCORES)


# Setting up a clone


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


# With DVC


STAGES = """\
stages:
  data:
    cmd: cat seed > data.txt && echo data >> ran
    deps: [seed]
    outs: [data.txt]
  train:
    cmd: cat data.txt rate > model.txt && echo train >> ran
    deps: [data.txt, rate]
    outs: [model.txt]
"""
ADDED = (
    "  {name}:\n    cmd: cp model.txt {name}.txt && echo {name} >> ran\n    deps: [model.txt]\n    outs: [{name}.txt]\n"
)


def dvc(root: Path, *arguments: str) -> str:
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(root.parent / "site")}
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True).stdout


def rerun(root: Path, **files: str) -> None:
    for name, text in files.items():
        (root / name).write_text(text)
    dvc(root, "repro", "-q")
    commit(root)


def test_dvc_is_content_with_a_merged_record(tmp_path):
    """Two branches add a stage each; then both change the rate, and one the seed."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "dvc.yaml").write_text(STAGES)
    (root / ".gitattributes").write_text("dvc.lock merge=dvc-lock\n.gitignore merge=union\n")
    (root / ".gitignore").write_text("ran\n/scores.txt\n/answers.txt\n")
    git(root, "init", "--quiet")
    dvc(root, "init", "-q")
    rerun(root, seed="1", rate="1")
    set_up(root)

    git(root, "checkout", "--quiet", "-b", "topic")
    (root / "dvc.yaml").write_text(STAGES + ADDED.format(name="scores"))
    rerun(root)
    git(root, "checkout", "--quiet", "main")
    (root / "dvc.yaml").write_text(ADDED.format(name="answers").join(STAGES.partition("stages:\n")[1:]))
    rerun(root)
    written = (root / "dvc.lock").read_bytes()
    assert call(root, "merge", "--no-edit", "topic").returncode == 0
    dvc(root, "checkout", "-q")
    (root / "ran").unlink()
    assert "up to date" in dvc(root, "status")
    assert "Data and pipelines are up to date" in dvc(root, "repro")
    assert not (root / "ran").exists()
    assert (root / "dvc.lock").read_bytes().startswith(written)

    git(root, "checkout", "--quiet", "-b", "other")
    rerun(root, rate="3")
    git(root, "checkout", "--quiet", "main")
    dvc(root, "checkout", "-q")
    rerun(root, seed="2")
    done = call(root, "merge", "--no-edit", "other")
    assert done.returncode == 0, done.stderr
    assert "left out train, answers, scores" in done.stderr.replace("scores, answers", "answers, scores")
    (root / "ran").unlink()
    dvc(root, "repro")
    assert sorted((root / "ran").read_text().split()) == ["answers", "scores", "train"]
    assert (root / "scores.txt").read_text() == "23"
    assert "up to date" in dvc(root, "status")
