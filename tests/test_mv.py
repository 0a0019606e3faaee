"""What `recipe mv` changes in texts, and what it refuses. That nothing runs again is in test_mv_dvc.py."""

from __future__ import annotations

import fcntl
import json
import os
import re

import pytest
from compiling import SMALL, change, project, recipe, tree

from compiler.move.names import Move, begin

PLAIN = SMALL.partition("variants:")[0]


@pytest.fixture
def root(tmp_path):
    """A compiled project with one recipe."""
    project(tmp_path, small=SMALL)
    assert recipe(tmp_path, "compile")[0] == 0
    return tmp_path


def mv(root, *arguments, code=0):
    """Rename; what is said on standard error. Where it is refused, nothing has changed."""
    before = without_locks(root)
    ended, _, err = recipe(root, "mv", *arguments)
    assert ended == code, err
    if code:
        assert without_locks(root) == before
    return err


def without_locks(root):
    return {path: content for path, content in tree(root).items() if "/locks/" not in path}


def hashes(root):
    manifests = sorted((root / "pipelines").rglob("manifest.json"))
    return [json.loads(manifest.read_text())["recipe_hash"] for manifest in manifests]


# What is changed


def test_a_recipe_that_never_ran_is_renamed_with_its_pipelines(root):
    before = hashes(root)
    mv(root, "small", "tiny")
    assert sorted(path.name for path in (root / "pipelines").iterdir()) == ["exec.sh", "tiny", "watch.py"]
    assert hashes(root) == before
    assert recipe(root, "compile", "--check")[0] == 0


def test_a_recipe_that_was_never_compiled_is_not_compiled(tmp_path):
    project(tmp_path, small=SMALL)
    mv(tmp_path, "small", "tiny")
    assert not (tmp_path / "pipelines").exists()
    assert (tmp_path / "recipes/tiny.yaml").read_text() == SMALL.replace("name: small", "name: tiny")


@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        ("name: small # ours", "name: tiny # ours"),
        ('name: "small"', "name: tiny"),
        ("name:   'small'  ", "name:   tiny  "),
        ("name:\n  small", "name:\n  tiny"),
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf"])
def test_only_the_name_is_edited(tmp_path, written, becomes, ends, begin):
    text = "# Größe: 小\n" + PLAIN.replace("name: small", written)
    recipes = project(tmp_path)
    (recipes / "small.yml").write_bytes(begin + text.replace("\n", ends).encode())
    mv(tmp_path, "recipes/small.yml", "tiny")
    assert not (recipes / "small.yml").exists()
    expected = text.replace(written, becomes).replace("\n", ends).encode()
    assert (recipes / "tiny.yml").read_bytes() == begin + expected


@pytest.mark.parametrize("name", ["null", "true", "12", "1e5", "0x1f", "no", "2024-01-01", "a_b-c"])
def test_a_name_that_yaml_reads_as_something_else_is_quoted(root, name):
    mv(root, "small", name)
    assert recipe(root, "compile", "--check", f"recipes/{name}.yaml")[0] == 0
    assert (root / "pipelines" / name / "manifest.json").exists()


def test_a_file_that_is_called_otherwise_gets_the_name(root):
    (root / "recipes/small.yaml").rename(root / "recipes/other.yaml")
    assert recipe(root, "compile")[0] == 0
    before = hashes(root)
    mv(root, "other", "small")
    assert (root / "recipes/small.yaml").read_text() == SMALL
    assert hashes(root) == before
    assert recipe(root, "compile", "--check")[0] == 0


def test_recipes_that_extend_it_follow(tmp_path):
    """Directly, and through a base that is no recipe; their pipelines name its file."""
    recipes = project(tmp_path, small=PLAIN, direct='name: direct\nextends: ["small.yaml", ./small.yaml] # both\n')
    (recipes / "bases").mkdir()
    (recipes / "bases/it's.yaml").write_text("extends: [../small.yaml]\nseed: 7\n")
    (recipes / "through.yaml").write_text('name: through\nextends: ["bases/it\'s.yaml"]\n')
    assert recipe(tmp_path, "compile")[0] == 0
    before = hashes(tmp_path)
    mv(tmp_path, "small", "tiny")
    assert (recipes / "direct.yaml").read_text() == 'name: direct\nextends: ["tiny.yaml", ./tiny.yaml] # both\n'
    assert (recipes / "bases/it's.yaml").read_text() == "extends: [../tiny.yaml]\nseed: 7\n"
    assert sorted(hashes(tmp_path)) == sorted(before)
    assert recipe(tmp_path, "compile", "--check")[0] == 0
    assert "recipes/tiny.yaml" in (tmp_path / "pipelines/through/dvc.yaml").read_text()


def test_it_works_from_within_a_folder(root):
    ended, _, err = recipe(root / "recipes", "mv", "small.yaml", "tiny")
    assert (ended, err) == (0, "")
    assert recipe(root, "compile", "--check")[0] == 0


def test_paths_in_a_text():
    move = Move("recipes/a.yaml", "recipes/b.yaml", "a", "b")
    moved = "outputs/a, ./outputs/a/x ('pipelines/a/dvc.yaml:train'), recipes/a.yaml recipes/a.lock: outputs/a. .recipe/logs/a"
    kept = (
        "outputs/a-2 outputs/a.bak my-outputs/a x/outputs/a ../outputs/a recipes/a.yaml2 recipes/a.yamls outputs/ab a"
    )
    assert move.in_text(f"{moved} {kept}") == f"{moved.replace('/a', '/b')} {kept}"
    assert move.in_text(move.in_text(moved)) == move.in_text(moved)


# What is refused


@pytest.mark.parametrize("name", ["", "Tiny", "a b", "../x", "a/b", "a.yaml", "-x", "ä", "small\n", "\udce9"])
def test_what_is_no_name(root, name):
    err = mv(root, "--", "small", name, code=2)
    assert "is not a name: write lower-case letters and digits" in err


def test_the_same_name(root):
    assert "`small` is called that already" in mv(root, "small", "small", code=2)


def test_a_recipe_that_is_not_there(root):
    assert "error[R0001]" in mv(root, "smal", "tiny", code=1)


def test_a_recipe_whose_file_name_is_no_text(root):
    (root / "recipes/small.yaml").rename(root / "recipes/\udcff.yaml")
    assert "error[R0424]" in mv(root, "recipes/\udcff.yaml", "tiny", code=1)


@pytest.mark.parametrize(
    "there", ["recipes/tiny.yaml", "recipes/tiny.lock", "pipelines/tiny/x", "outputs/tiny/x", ".recipe/logs/tiny/x"]
)
def test_the_new_name_is_taken(root, there):
    (root / there).parent.mkdir(parents=True, exist_ok=True)
    (root / there).write_text("name: tiny\n")
    err = mv(root, "small", "tiny", code=1)
    assert f"error[R0442]: `tiny` is taken: there is {there.removesuffix('/x')}" in err


def test_another_recipe_has_the_new_name(root):
    (root / "recipes/other.yaml").write_text("name: tiny\n")
    err = mv(root, "small", "tiny", code=1)
    assert "error[R0442]: `tiny` is the name of another recipe\n --> recipes/other.yaml:1:7" in err


def test_stale_files_are_compiled_first(root):
    change(root, "validation: 0.2", "validation: 0.3")
    assert "error[R0405]: pipelines/small is stale" in mv(root, "small", "tiny", code=1)


def test_stale_files_of_a_recipe_that_extends_it(tmp_path):
    recipes = project(tmp_path, small=PLAIN, over="name: over\nextends: [small.yaml]\n")
    assert recipe(tmp_path, "compile")[0] == 0
    (recipes / "over.yaml").write_text("name: over\nextends: [small.yaml]\nseed: 3\n")
    assert "error[R0405]: pipelines/over is stale" in mv(tmp_path, "small", "tiny", code=1)


def test_a_name_that_stands_in_a_base(tmp_path):
    recipes = project(tmp_path, small="extends: [bases/named.yaml]\n")
    (recipes / "bases").mkdir()
    (recipes / "bases/named.yaml").write_text(PLAIN)
    err = mv(tmp_path, "small", "tiny", code=1)
    assert "error[R0441]: recipes/small.yaml has its name from a base" in err


def test_a_name_that_other_fields_repeat(tmp_path):
    project(tmp_path, small=PLAIN.replace("name: small", "name: &n small\ndescription: *n"))
    assert "error[R0441]" in mv(tmp_path, "small", "tiny", code=1)


def test_a_recipe_that_is_a_link(root):
    (root / "text").write_text(SMALL)
    (root / "recipes/small.yaml").unlink()
    (root / "recipes/small.yaml").symlink_to("../text")
    assert "error[R0441]: recipes/small.yaml is a link" in mv(root, "small", "tiny", code=1)


def test_a_recipe_that_reads_its_results(tmp_path):
    reading = PLAIN.replace("name: small", "name: reading").replace("kind: digits,", "kind: jsonl, path: PATH,")
    project(tmp_path, small=PLAIN, reading=reading.replace("PATH", "./outputs/small/data/train.jsonl"))
    err = mv(tmp_path, "small", "tiny", code=1)
    assert "error[R0445]: recipes/reading.yaml reads what would move with `small`\n --> recipes/reading.yaml:4:" in err
    assert "write the new path there, below `outputs/tiny`" in err
    other = reading.replace("PATH", "outputs/small-2/data/train.jsonl") + "x-note: outputs/small\n"
    (tmp_path / "recipes/reading.yaml").write_text(other)
    mv(tmp_path, "small", "tiny")


def test_a_stage_is_being_run(root):
    key = json.loads((root / "pipelines/small/long/manifest.json").read_text())["stages"]["train"]["key"]
    lock = root / ".recipe/locks" / f"{key}.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for more in ([], ["--dry-run"]):
            assert "error[R0443]: small/long/train is being run" in mv(root, "small", "tiny", *more, code=1)
    mv(root, "small", "tiny")


def test_dvc_is_at_work(root):
    folder = root / ".dvc/tmp"
    folder.mkdir(parents=True)
    with (folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "error[R0443]: DVC is at work in this project" in mv(root, "small", "tiny", code=1)
    here = {"pid": os.getpid(), "cmd": "dvc repro"}
    for name, told in (("small", True), ("other", False)):
        (folder / "rwlock").write_text(json.dumps({"write": {f"{root}/outputs/{name}/compiled.txt": here}}))
        err = mv(root, "small", "tiny", code=int(told))
        assert (f"DVC is at work on outputs/{name}/compiled.txt: process {os.getpid()}" in err) == told


def test_a_dvc_that_was_killed_is_not_at_work(root):
    folder = root / ".dvc/tmp"
    folder.mkdir(parents=True)
    ended = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(ended, 0)
    written = {f"{root}/outputs/small/compiled.txt": {"pid": ended, "cmd": "dvc repro"}}
    (folder / "rwlock").write_text(json.dumps({"write": written}))
    mv(root, "small", "tiny")


def test_another_move_was_cut_off(root):
    begin(root, Move("recipes/small.yaml", "recipes/tiny.yaml", "small", "tiny"))
    err = mv(root, "small", "other", code=1)
    assert (
        "error[R0444]: renaming `small` to `tiny` was cut off\n  help: finish it first: `recipe mv small tiny`" in err
    )
    mv(root, "recipes/small.yaml", "tiny")
    mv(root, "tiny", "other")


def test_what_was_put_back_while_a_move_was_cut_off(root):
    move = Move("recipes/small.yaml", "recipes/tiny.yaml", "small", "tiny")
    begin(root, move)
    (root / "pipelines/tiny").mkdir()
    code, _, err = recipe(root, "mv", "small", "tiny")
    assert code == 1
    assert "error[R0446]: pipelines/small and pipelines/tiny are both there" in err
    (root / "pipelines/tiny").rmdir()
    mv(root, "small", "tiny")


def test_a_recipe_that_stopped_compiling_while_a_move_was_cut_off(root):
    begin(root, Move("recipes/small.yaml", "recipes/tiny.yaml", "small", "tiny"))
    change(root, "gpus: 0", "gpus: many")
    code, _, err = recipe(root, "mv", "small", "tiny")
    assert code == 1
    assert "error[R0444]: `small` is called `tiny` now, but recipes/tiny.yaml does not compile" in err
    change(root, "gpus: many", "gpus: 0", name="tiny")
    mv(root, "small", "tiny")
    assert recipe(root, "compile", "--check")[0] == 0


def test_a_disk_that_takes_nothing(root, monkeypatch):
    def full(self, target):
        raise OSError(28, "No space left on device", str(target))

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.rename", full)
        code, _, err = recipe(root, "mv", "small", "tiny")
    assert code == 1
    assert re.search(r"error\[R0407\]: \S+ cannot be changed: no space left on device", err)
    assert "call `recipe mv small tiny` again: it goes on from here" in err
    mv(root, "small", "tiny")
    assert recipe(root, "compile", "--check")[0] == 0
