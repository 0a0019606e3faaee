"""Two branches change DVC's record of what ran, and git merges them: stage by stage, with a real git and a real DVC."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from diff_project import commit, git
from hypothesis import given
from hypothesis import strategies as st
from merge_project import (
    BASE,
    DATA,
    LOCK,
    SCORES,
    TRAIN,
    branches,
    call,
    digest,
    entry,
    lock,
    repository,
    set_up,
    write,
)

from compiler.commands.merge_lock import merge
from compiler.dvclock import NotALock, parse


def merged(base, ours, theirs):
    """The names of the stages that a merge leaves, its text and its notes."""
    done = merge(parse(base), parse(ours), parse(theirs))
    text = done.lock.text()
    assert list(yaml.safe_load(text)["stages"] or ()) == list(done.lock.stages)
    return list(done.lock.stages), text, " ".join(done.notes)


# What is decided for a stage


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
    (root / "ran").unlink()
    assert "Data and pipelines are up to date" in dvc(root, "repro")
    assert not (root / "ran").exists()
    assert (root / "dvc.lock").read_bytes().startswith(written)

    git(root, "checkout", "--quiet", "-b", "other")
    rerun(root, rate="3")
    git(root, "checkout", "--quiet", "main")
    rerun(root, seed="2")
    done = call(root, "merge", "--no-edit", "other")
    assert done.returncode == 0, done.stderr
    assert "left out train, answers, scores" in done.stderr.replace("scores, answers", "answers, scores")
    (root / "ran").unlink()
    dvc(root, "repro")
    assert sorted((root / "ran").read_text().split()) == ["answers", "scores", "train"]
    assert (root / "scores.txt").read_text() == "23"
    assert "up to date" in dvc(root, "status")


# Laws

SIDES = st.dictionaries(st.sampled_from("abc"), st.tuples(*[st.sampled_from("123")] * 3), max_size=3)


def record(side):
    """A lock whose stages were asked two things, and came to another."""
    texts = (entry(name, *facts[:2], after="data").replace("e" * 32, digest(facts[2])) for name, facts in side.items())
    return parse(lock(*texts) if side else "")


@given(SIDES, SIDES, SIDES)
def test_laws_of_a_merge(base, ours, theirs):
    """Nothing is made up, a side that changed nothing changes nothing, and what both ask is what an entry answers."""
    o, a, b = map(record, (base, ours, theirs))
    found = merge(o, a, b).lock.stages
    assert all(block in (a.stages.get(name), b.stages.get(name)) for name, block in found.items())
    assert dict(merge(o, a, o).lock.stages) == dict(merge(o, a, a).lock.stages) == dict(a.stages)
    assert dict(merge(o, o, b).lock.stages) == dict(b.stages)
    swapped = merge(o, b, a).lock.stages
    assert found.keys() == swapped.keys()
    for name in found:
        asked = [found[name].value[part] for part in ("cmd", "deps")]
        assert asked == [swapped[name].value[part] for part in ("cmd", "deps")]
        if name in base and name in ours and name in theirs:
            for part in (0, 2):
                changed = {side[name][part] for side in (ours, theirs)} - {base[name][part]}
                assert len(changed) <= 1
