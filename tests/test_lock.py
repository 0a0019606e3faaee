"""`recipe lock` without a hub: what it writes, keeps and checks, and what compiling makes of it."""

import json
import os
import re
import shutil
import subprocess
import sys
from unittest import mock

import pytest
from compiling import ROOT, change, plans, project, recipe
from diff_project import commit, git
from terminal import on_terminal

from schema import digests
from schema.lock import Built, Lock, is_safe, read_lock, text_of
from schema.pins import maker
from schema.signature import toolchain

CHAT = """\
version: 1
name: chat
models: {base: {id: tiny/qwen2-vl, dtype: float32}}
datasets:
  rows: {kind: jsonl, path: data/rows.jsonl, prompt_file: prompts/ask.txt, columns: {answer: reply}}
  more: {kind: csv, path: data/more.csv, columns: {prompt: ask, answer: reply}}
hardware: {gpus: 0}
stages:
  data: {kind: prepare, dataset: rows}
  other: {kind: prepare, dataset: more}
  train: {kind: sft, model: base, data: data.train}
  answers: {kind: predict, model: train, data: other.train}
"""
DATA = {"data/rows.jsonl": '{"reply": "a"}\n', "data/more.csv": "ask,reply\nb,c\n", "prompts/ask.txt": "Which?\n"}


@pytest.fixture
def root(tmp_path):
    """A project with a recipe that reads three files."""
    project(tmp_path, chat=CHAT)
    for path, text in DATA.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


@pytest.fixture
def locked(root):
    """The same, locked."""
    assert recipe(root, "lock")[0] == 0
    return root


def lock_in(root):
    return read_lock(root / "recipes/chat.lock", "chat.lock", {}).lock


def edit(root, old, new):
    path = root / "recipes/chat.lock"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def keys(root):
    return {stage.name: stage.key for stage in plans(root / "recipes/chat.yaml")["chat"].stages}


# What is written


def test_every_name_is_pinned(locked):
    found = lock_in(locked)
    assert found.local.keys() == DATA.keys()
    for path, pin in found.local.items():
        assert (pin.kind, pin.files, pin.sha256) == ("file", 1, digests.of_file(locked / path))
    assert found.built["tiny/qwen2-vl"].code == maker()
    assert found.toolchain == toolchain()


def test_what_moved_is_told(root):
    _, out, _ = recipe(root, "lock", "chat")
    assert out.startswith("recipes/chat.lock\n  + tiny/qwen2-vl  code ")
    assert "  + data/more.csv  " in out and "  + torch  2." in out
    assert recipe(root, "lock", "chat") == (0, "recipes/chat.lock  unchanged\n", "")
    (root / "data/rows.jsonl").write_text("")
    _, out, _ = recipe(root, "lock", "--format", "json")
    ((move,),) = (lock["moved"] for lock in json.loads(out)["locks"])
    assert (move["section"], move["name"], move["after"]) == (
        "local",
        "data/rows.jsonl",
        "e3b0c44298fc (1 file, 0 bytes)",
    )


def test_a_bar_while_large_data_is_read(root):
    """On a terminal, and never in a pipe."""
    rows = root / "data/rows.jsonl"
    os.truncate(rows, 1 << 30)
    command = (sys.executable, "-m", "compiler", "lock", "chat")
    ended, shown = on_terminal(*command, cwd=root, PYTHONPATH=str(ROOT))
    assert ended == 0, shown
    assert re.search(r"data/rows\.jsonl.*\d+\.\d/1\.1 GB.*B/s", shown), shown
    rows.touch()  # so that it is read again
    done = subprocess.run(
        command, cwd=root, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("recipes/chat.lock  unchanged\n", "")


def test_a_fact_is_a_line(locked):
    text = (locked / "recipes/chat.lock").read_text()
    assert text.count("\n") == 1 + 2 + 2 + 1 + len(DATA) + 1 + len(toolchain())
    assert text == text_of(lock_in(locked), "recipes/chat.yaml")
    names = [line.split(":")[0] for line in text.splitlines() if line.startswith("  ") and "kind:" in line]
    assert names == sorted(names)


def test_versions_and_commits_that_look_like_numbers(tmp_path):
    """`12e4567` is a float in YAML 1.2, and `2.10` in both."""
    code = {"a": "1" * 64, "b": "1" * 30 + "e" + "5" * 33, "c": "0" * 64}
    built = {name: Built(code=digest) for name, digest in code.items()}
    lock = Lock(version=1, revision=1, toolchain={"torch": "2.10", "python": "3.11", "x": "1e5"}, built=built)
    (tmp_path / "a.lock").write_text(text_of(lock, "a.yaml"))
    assert read_lock(tmp_path / "a.lock", "a.lock", {}).lock == lock
    (tmp_path / "a.lock").write_text("version: 1\nrevision: 1\ntoolchain: {torch: 2.10}\n")
    assert read_lock(tmp_path / "a.lock", "a.lock", {}).lock.toolchain == {"torch": "2.10"}


def test_two_branches_that_pin_two_things_merge(root):
    """One line for each fact: both sides stay, without a conflict."""
    git(root, "init", "--quiet", "--initial-branch=main")
    recipe(root, "lock")
    commit(root, "first")
    for branch, path in (("left", "data/more.csv"), ("right", "prompts/ask.txt")):
        git(root, "checkout", "--quiet", "-b", branch, "main")
        (root / path).write_text(f"ask,reply\n{branch},x\n")
        recipe(root, "lock")
        commit(root, branch)
    git(root, "merge", "--quiet", "--no-edit", "left")
    assert recipe(root, "lock", "--check")[0] == 0


def test_large_data_is_read_once(locked):
    with mock.patch.object(digests, "SETTLED_SECONDS", -1.0):
        assert recipe(locked, "lock")[0] == 0
        with mock.patch.object(digests, "of_file", side_effect=AssertionError("it was read again")):
            assert recipe(locked, "lock") == (0, "recipes/chat.lock  unchanged\n", "")
            assert recipe(locked, "lock", "--check")[0] == 0


def test_a_folder_is_one_pin(root):
    change(root, "kind: jsonl, path: data/rows.jsonl", "kind: image-folder, path: data/animals", "chat")
    change(root, ", columns: {answer: reply}}", "}", "chat")
    for name in ("cat/1.png", "dog/2.png"):
        (root / "data/animals" / name).parent.mkdir(parents=True)
        (root / "data/animals" / name).write_bytes(name.encode())
    recipe(root, "lock")
    pin = lock_in(root).local["data/animals"]
    assert (pin.kind, pin.files, pin.size) == ("tree", 2, 18)
    assert pin.sha256 == digests.of_path(root / "data/animals").sha256


def test_data_on_another_disk(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("disk") / "rows.jsonl"
    (root / "data/rows.jsonl").rename(elsewhere)
    (root / "machine.yaml").write_text(f"data: {{data/rows.jsonl: {elsewhere}}}\n")
    assert recipe(root, "lock")[0] == 0
    assert lock_in(root).local["data/rows.jsonl"].sha256 == digests.of_file(elsewhere)
    assert str(elsewhere) not in (root / "recipes/chat.lock").read_text()


def test_what_is_not_here_keeps_its_pin(locked):
    before = lock_in(locked)
    (locked / "data/rows.jsonl").unlink()
    (locked / "data/more.csv").write_text("ask,reply\n")
    code, _, err = recipe(locked, "lock")
    assert code == 1
    assert "error[R0705]: `data/rows.jsonl` is not here" in err and "chat.yaml:5:" in err
    after = lock_in(locked)
    assert after.local["data/rows.jsonl"] == before.local["data/rows.jsonl"]
    assert after.local["data/more.csv"] != before.local["data/more.csv"]


def test_a_later_revision_is_read_and_not_rewritten(locked):
    edit(locked, "revision: 1\n", "revision: 9\nlicences: {tiny/qwen2-vl: none}\n")
    edit(locked, "kind: file,", "kind: file, owner: somebody,")
    assert recipe(locked, "compile", "chat", "--locked")[0] == 0
    (locked / "data/rows.jsonl").write_text("")
    before = (locked / "recipes/chat.lock").read_bytes()
    code, _, err = recipe(locked, "lock")
    assert (code, "error[R0707]" in err) == (1, True)
    assert (locked / "recipes/chat.lock").read_bytes() == before


def test_names_to_upgrade_have_to_be_known(locked):
    code, _, err = recipe(locked, "lock", "--upgrade", "chat", "tiny/qwen3")
    assert (code, err) == (2, "recipe: no recipe here names `tiny/qwen3`\n")
    assert recipe(locked, "lock", "--upgrade", "chat", "tiny/qwen2-vl", "rows")[0] == 0
    assert recipe(locked, "lock", "--upgrade")[0] == 0


# Whether it is up to date


def test_a_fresh_lock_is_up_to_date(locked):
    assert recipe(locked, "lock", "--check") == (0, "locks are up to date\n", "")


@pytest.mark.parametrize(
    ("spoil", "code", "message", "place"),
    [
        (lambda root: (root / "recipes/chat.lock").unlink(), "R0704", "`recipes/chat.yaml` has no lock", ""),
        (lambda root: (root / "data/rows.jsonl").write_text(""), "R0706", "rows.jsonl` has other bytes", "chat.lock:"),
        (lambda root: change(root, "more.csv", "rows.jsonl", "chat"), "R0702", "tells of `data/more.csv`", "chat.lock:"),
        (lambda root: change(root, "qwen2-vl", "qwen2.5-vl", "chat"), "R0702", "nothing of `tiny/qwen2.5-vl`", "chat.yaml:3:"),
        (lambda root: edit(root, "torch: 2", "torch: 1"), "R0703", "for other versions: torch 1", "chat.lock:"),
        (lambda root: edit(root, maker(), "0" * 64), "R0703", "tiny/qwen2-vl is built by other code", "chat.lock:"),
    ],
    ids=["gone", "other bytes", "unused", "missing", "toolchain", "maker"],
)  # fmt: skip
def test_a_stale_lock_is_found(locked, spoil, code, message, place):
    spoil(locked)
    status, _, err = recipe(locked, "lock", "--check")
    assert status == 1
    assert f"error[{code}]: " in err and message in err and place in err


def test_data_that_is_elsewhere_does_not_make_a_lock_stale(locked):
    """Where a pull request is checked there is none of it."""
    shutil.rmtree(locked / "data")
    code, _, err = recipe(locked, "lock", "--check")
    assert code == 0
    assert "note[R0705]: `data/rows.jsonl` is not here, so its pin was not checked" in err


def test_findings_for_programs(locked):
    (locked / "data/rows.jsonl").write_text("")
    code, out, _ = recipe(locked, "lock", "--check", "--format", "github")
    assert code == 1
    assert out.startswith("::error file=recipes/chat.lock,line=")


# What compiling makes of it


def test_without_a_lock_a_run_is_not_pinned(root):
    code, out, _ = recipe(root, "compile", "chat")
    assert (code, "not pinned" in out) == (0, True)
    assert json.loads((root / "pipelines/chat/manifest.json").read_text())["pinned"] is False
    code, _, err = recipe(root, "compile", "chat", "--locked")
    assert (code, "error[R0704]" in err) == (1, True)
    assert "not pinned: there is no lock" in recipe(root, "hash", "chat")[2]


def test_with_one_it_is(locked):
    code, out, err = recipe(locked, "compile", "chat", "--locked")
    assert (code, "not pinned" in out, err) == (0, False, "")
    manifest = json.loads((locked / "pipelines/chat/manifest.json").read_text())
    assert (manifest["pinned"], manifest["lock"]) == (True, "recipes/chat.lock")
    pins = {path: pin.sha256 for path, pin in lock_in(locked).local.items()}
    assert manifest["stages"]["data"]["pins"] == {"dataset": pins["data/rows.jsonl"], "prompt": pins["prompts/ask.txt"]}
    assert recipe(locked, "hash", "chat")[2] == ""
    assert "not pinned" not in recipe(locked, "show", "chat")[1]


def test_the_check_depends_on_the_lock(locked):
    recipe(locked, "compile", "chat")
    assert "- recipes/chat.lock" in (locked / "pipelines/chat/dvc.yaml").read_text()
    (locked / "data/rows.jsonl").write_text("")
    recipe(locked, "lock")
    assert recipe(locked, "compile", "chat", "--check")[0] == 1
    assert recipe(locked, "check", "pipelines/chat")[0] == 1


def test_a_lock_that_lacks_something_warns_and_refuses_when_asked(locked):
    change(locked, "qwen2-vl", "qwen2.5-vl", "chat")
    code, out, err = recipe(locked, "compile", "chat")
    assert (code, "not pinned" in out) == (0, True)
    assert "warning[R0702]: recipes/chat.lock says nothing of `tiny/qwen2.5-vl`" in err
    code, _, err = recipe(locked, "compile", "chat", "--locked")
    assert (code, "error[R0702]" in err) == (1, True)


def test_a_lock_names_the_folder_of_a_model(locked):
    before = plans(locked / "recipes/chat.yaml")["chat"].stage("train").input("model").path
    assert before == f".recipe/models/tiny--qwen2-vl@{maker()[:12]}"


READERS = {
    "data/rows.jsonl": {"data", "train", "answers"},
    "prompts/ask.txt": {"data", "train", "answers"},
    "data/more.csv": {"other", "answers"},
}


@pytest.mark.parametrize("path", DATA)
def test_changed_bytes_move_who_reads_them(locked, path):
    before = keys(locked)
    with (locked / path).open("a") as file:
        file.write("more,of it\n")
    assert keys(locked) == before  # compiling never reads data
    recipe(locked, "lock")
    after = keys(locked)
    assert {name for name in after if after[name] != before[name]} == READERS[path]


def test_explained(locked):
    _, out, _ = recipe(locked, "hash", "chat", "--explain")
    pin = lock_in(locked).local["data/rows.jsonl"].sha256
    assert f"    dataset  sha256 {pin}" in out
    assert f"    model  code {maker()}" in out
    document = json.loads(recipe(locked, "hash", "chat", "--explain", "--format", "json")[1])
    assert document["pinned"] is True
    pinned = {name for name, part in document["explained"].items() if part["components"]["lock"]}
    assert pinned == {"data", "other", "train", "answers"}  # the last reads the base of the adapter
    assert document["components"]["lock"]


# A lock that is no lock


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("version: 2\nrevision: 1\n", "R0105"),
        ("version: 1\n", "R0104"),
        ("[]\n", "R0019"),
        ("version: 1\nrevision: 1\nlocal: {data/x: {kind: tree, files: 1, size: 1, sha256: abc}}\n", "R0102"),
        ("<<<<<<< one\nversion: 1\n=======\nversion: 1\n>>>>>>> other\n", "R0009"),
        ("version: 1\nversion: 1\nrevision: 1\n", "R0010"),
    ],
)  # fmt: skip
def test_a_broken_lock_is_told_with_its_place(root, text, code):
    (root / "recipes/chat.lock").write_text(text)
    for verb in ("validate", "compile", "lock"):
        status, _, err = recipe(root, verb, "chat")
        assert status == 1, verb
        assert f"error[{code}]" in err and "recipes/chat.lock:" in err, (verb, err)


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "a//b", "./a", "a\\b", "C:x", "a\nb", ".."])
def test_paths_that_lead_out(root, path):
    assert not is_safe(path)
    files = {path: {"size": 1, "sha256": "0" * 64}}
    entry = {"sha256": "0" * 64, "sources": {"modelscope": {"repo": "a/b", "requested": "master", "commit": "a" * 40}}}
    text = json.dumps({"version": 1, "revision": 1, "models": {"a/b": entry | {"files": files}}})
    (root / "recipes/chat.lock").write_text(text)
    code, _, err = recipe(root, "validate", "chat")
    assert (code, "error[R0701]" in err) == (1, True)


def test_a_lock_that_was_merged_wrongly(root):
    files = {"config.json": {"size": 1, "sha256": "0" * 64}}
    entry = {"sha256": "0" * 64, "sources": {"modelscope": {"repo": "a/b", "requested": "master", "commit": "a" * 40}}}
    text = json.dumps({"version": 1, "revision": 1, "models": {"a/b": entry | {"files": files}}})
    (root / "recipes/chat.lock").write_text(text)
    code, _, err = recipe(root, "validate", "chat")
    assert (code, "error[R0701]: the files of a/b are not those that its digest stands for" in err) == (1, True)
