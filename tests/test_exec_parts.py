"""The small parts under exec: digests, links to data, and who counts as a caller."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from exec_project import TARGET, below, cleaned_up, make, wait_for

from runners.machine import link_data
from schema import digests
from schema.diagnostics import RecipeError
from schema.digests import Remembered, of_path
from schema.machine import Machine


def tree(folder: Path) -> Path:
    (folder / "cat").mkdir(parents=True)
    (folder / "cat/1.jpg").write_bytes(b"cat")
    (folder / "dog.jpg").write_bytes(b"dog")
    return folder


def test_digest_of_a_folder_is_that_of_names_and_bytes(tmp_path: Path) -> None:
    first, second = tree(tmp_path / "a"), tree(tmp_path / "b")
    (second / "empty").mkdir()
    os.utime(second / "dog.jpg", (1, 1))
    digest = of_path(first)
    assert digest == of_path(second)
    assert (digest.kind, digest.files, digest.size) == ("tree", 2, 6)
    (second / "dog.jpg").rename(second / "cow.jpg")
    assert digest.sha256 != of_path(second).sha256


def test_digest_follows_links_and_loops_once(tmp_path: Path) -> None:
    plain, linked = tree(tmp_path / "a"), tmp_path / "b"
    linked.symlink_to(plain)
    digest = of_path(linked)
    assert digest == of_path(plain)
    (plain / "cat/again").symlink_to(plain)
    assert of_path(plain) == digest


def test_digest_of_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")).write_bytes(b"x")
    assert of_path(tmp_path).files == 1


def test_unchanged_files_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, cache = tree(tmp_path / "data"), tmp_path / "cache"
    read: list[str] = []
    monkeypatch.setattr(digests, "of_file", lambda path, *_: (read.append(path.name), real(path))[1])
    monkeypatch.setattr(digests, "SETTLED_SECONDS", 0.0)
    wait_for(lambda: (folder / "dog.jpg").stat().st_ctime < time.time() - 0.05, "the clock")
    first = Remembered(cache, folder).digest()
    assert sorted(read) == ["1.jpg", "dog.jpg"]
    assert Remembered(cache, folder).digest() == first
    assert len(read) == 2
    (folder / "dog.jpg").write_bytes(b"cow")
    assert Remembered(cache, folder).digest() != first
    assert read[2:] == ["dog.jpg"]
    for table in (cache / "digests").iterdir():
        table.write_text("damaged")
    Remembered(cache, folder).digest()
    assert len(read) == 5


def test_fresh_files_are_not_remembered(tmp_path: Path) -> None:
    """Else a second change within one tick of the clock would go unnoticed."""
    folder, cache = tree(tmp_path / "data"), tmp_path / "cache"
    first = Remembered(cache, folder).digest()
    assert not (cache / "digests").exists()
    (folder / "dog.jpg").write_bytes(b"cow")
    assert Remembered(cache, folder).digest() != first


real = digests.of_file


def test_mapped_data_becomes_a_link(tmp_path: Path) -> None:
    root, place, other = tmp_path / "root", tree(tmp_path / "disk"), tree(tmp_path / "other")
    root.mkdir()
    assert link_data(root, Machine(data={"data/animals": str(place)})) == ["data/animals"]
    assert (root / "data/animals/dog.jpg").read_bytes() == b"dog"
    assert link_data(root, Machine(data={"data/animals": str(place)})) == []
    assert link_data(root, Machine(data={"data/animals": str(other)})) == ["data/animals"]
    assert (root / "data/animals").resolve() == other


def test_data_in_the_project_goes_before_a_mapping(tmp_path: Path) -> None:
    root, place = tmp_path / "root", tree(tmp_path / "disk")
    (root / "data/animals").mkdir(parents=True)
    assert link_data(root, Machine(data={"data/animals": str(place)})) == []
    assert not (root / "data/animals").is_symlink()


@pytest.mark.parametrize("path", ["../animals", "/data/animals", "", "data/../../x"])
def test_a_mapping_stays_in_the_project(tmp_path: Path, path: str) -> None:
    with pytest.raises(RecipeError) as raised:
        link_data(tmp_path, Machine(data={path: str(tmp_path)}))
    assert [d.code for d in raised.value.diagnostics] == ["R0506"]


def test_a_mapped_place_exists(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as raised:
        link_data(tmp_path, Machine(data={"data/a": "/no/such/a", "data/b": "/no/such/b"}))
    assert len(raised.value.diagnostics) == 2
    assert not (tmp_path / "data").exists()


def test_nohup_outlives_its_shell(tmp_path: Path) -> None:
    """`nohup recipe exec … &` from an interactive shell goes on when the shell ends; from a program it does not."""
    with cleaned_up(make(tmp_path)) as project:
        project.hold("step-3")
        line = f"nohup {sys.executable} -m runners.exec {TARGET} > {project.control}/output 2>&1 &"
        shell = subprocess.Popen(
            ("bash", "--norc", "--noprofile", "-i"),
            cwd=project.root,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        assert shell.stdin is not None
        shell.stdin.write(f"{line}\n")
        shell.stdin.flush()
        project.wait_at("step-3")
        below(shell, "runners.exec")
        shell.kill()
        shell.wait()
        project.let_go()
        wait_for(lambda: (project.out / "run.json").exists() and not project.work.exists(), "the end of the stage")
        assert project.starts == ["start"]
