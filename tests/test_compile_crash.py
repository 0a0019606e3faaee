"""Compiling is cut off: by a kill at any point, a full disk, or a place that cannot be written."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from compiling import ROOT, SMALL, change, files, project, recipe, tree

from runners import compiled
from schema.diagnostics import RecipeError


@pytest.fixture
def root(tmp_path):
    project(tmp_path, small=SMALL)
    return tmp_path


def killed_at(root, number, before):
    """Compile in a process that is killed at a replacement or removal of a file. Whether it came to that."""
    child = os.fork()
    if child == 0:
        calls = iter(range(10**6))

        def deadly(action):
            def act(*arguments, **options):
                mine = next(calls)
                if before and mine == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                result = action(*arguments, **options)
                if not before and mine == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                return result

            return act

        code = 99
        try:
            os.replace, os.unlink = deadly(os.replace), deadly(os.unlink)
            code = recipe(root, "compile")[0]
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


def exec_refuses(root, stage):
    """Whether the runner refuses a compiled stage."""
    try:
        loaded = compiled.load(root / "pipelines" / stage)
        compiled.check_files(loaded)
    except RecipeError as error:
        assert {d.code for d in error.diagnostics} <= {"R0501", "R0502"}
        return True
    return False


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_kill_at_any_point(tmp_path, before):
    """Each file is old or new, a mixture is noticed, and compiling again repairs it and leaves nothing behind."""
    project(tmp_path, small=SMALL)
    recipe(tmp_path, "compile")
    old = tree(tmp_path / "pipelines")
    change(tmp_path, "name: small", "name: small\nseed: 2")
    change(tmp_path, "  answers: {kind: predict, model: train, data: data.validation}\n", "")
    change(tmp_path, "  short: {stages: {train: {max_steps: 2}}}\n", "")
    recipe(tmp_path, "compile", "--out", "new")
    new = tree(tmp_path / "new" / "pipelines")
    kills = 0
    for number in range(200):
        restore(tmp_path / "pipelines", old)
        if not killed_at(tmp_path, number, before):
            break
        kills += 1
        now = {path: text for path, text in tree(tmp_path / "pipelines").items() if not path.endswith(".partial")}
        assert [path for path, text in now.items() if text not in (old.get(path), new.get(path))] == []
        finished = now == new
        assert recipe(tmp_path, "compile", "--check")[0] == (0 if finished else 1)
        for folder in ("small", "small/long"):
            noticed(tmp_path, folder, old, new, now)
        assert recipe(tmp_path, "compile")[0] == 0
        assert tree(tmp_path / "pipelines") == new
    assert kills > 15
    assert tree(tmp_path / "pipelines") == new


def noticed(root, folder, old, new, now):
    """`recipe exec` refuses a pipeline that is neither the old nor the new one."""
    mine = {path: text for path, text in now.items() if Path(path).parent.as_posix() == folder}
    whole = [{p: t for p, t in side.items() if Path(p).parent.as_posix() == folder} for side in (old, new)]
    if mine not in whole:
        assert exec_refuses(root, f"{folder}/train")
    else:
        assert not exec_refuses(root, f"{folder}/train")


def test_a_reader_that_goes_away_stops_nothing(root):
    """`recipe compile | head -1`"""
    expected = {path: text.encode() for path, text in files(root / "recipes" / "small.yaml").items()}
    assert len({Path(path).parent for path in expected}) == 3
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(
        [sys.executable, "-u", "-m", "compiler", "compile", "recipes/small.yaml"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (1, "")
    now = tree(root / "pipelines")
    assert {path: now[path.removeprefix("pipelines/")] for path in expected} == expected


def restore(folder, contents):
    shutil.rmtree(folder, ignore_errors=True)
    for path, text in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text)


@pytest.mark.parametrize("limit", [0, 700, 3000])
def test_a_full_disk_keeps_the_old_files(root, limit):
    """A limit on the size of files stands for the end of the disk: writing fails in the middle of a file."""
    recipe(root, "compile")
    old = tree(root / "pipelines")
    change(root, "name: small", "name: small\nseed: 2")
    expected = {path: text.encode() for path, text in files(root / "recipes" / "small.yaml").items()}
    ran = subprocess.run(
        [sys.executable, "-m", "compiler", "compile", "recipes/small.yaml"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert ran.returncode == 1
    assert "R0407" in ran.stderr
    assert "Traceback" not in ran.stderr
    now = tree(root / "pipelines")
    assert set(now) == set(old)
    assert [path for path, text in now.items() if text not in (old[path], expected.get(f"pipelines/{path}"))] == []
    assert recipe(root, "compile")[0] == 0


def a_file_in_place_of_the_folder(root):
    (root / "pipelines").write_text("")


def a_folder_in_place_of_a_file(root):
    (root / "pipelines" / "small" / "train.sh").mkdir(parents=True)


@pytest.mark.parametrize("obstacle", [a_file_in_place_of_the_folder, a_folder_in_place_of_a_file])
def test_places_that_cannot_be_written(root, obstacle):
    obstacle(root)
    refused(root)


@pytest.fixture
def read_only(root):
    """A pipeline's folder that nobody may write: root is stopped by the file system only."""
    folder = root / "pipelines" / "small"
    folder.mkdir(parents=True)
    if os.geteuid() != 0:
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
        return
    mounted = subprocess.run(("mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", folder), capture_output=True)
    if mounted.returncode:
        pytest.skip("root may mount nothing here, and writes everywhere else")
    yield folder
    subprocess.run(("umount", "-l", folder), check=True)


def test_a_folder_that_is_read_only(root, read_only):
    refused(root)
    assert list(read_only.iterdir()) == []


def refused(root):
    """Compiling says which place cannot be written."""
    code, _, err = recipe(root, "compile")
    assert code == 1
    assert "R0407" in err
    assert "cannot be written" in err
