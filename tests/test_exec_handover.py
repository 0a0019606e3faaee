"""A hand-over stopped before any of its steps leaves each out old or new and whole, and the next run finishes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from exec_project import EXEC, TARGET, Project, make, write_pipeline

OLD = "cat dog horse\n"
NEW = "new data\n"
RESULT = {"metrics.json": NEW, "model/a.txt": NEW, "model/b.txt": NEW}


@pytest.mark.parametrize(("how", "outs"), [("kill", "keep"), ("kill", "remove"), ("full", "keep")])
def test_stopped_before_each_change_of_the_disk(tmp_path: Path, how: str, outs: str) -> None:
    reports = stopped_before_each_change(tmp_path, how, outs)
    each_out_is_old_or_new_and_whole(reports)
    a_record_says_that_all_is_in_place(reports)
    the_next_run_finishes(reports)
    finished_work_is_not_computed_again(reports)
    if how == "full":
        the_full_disk_is_said(reports)


def stopped_before_each_change(folder: Path, how: str, outs: str) -> list[dict]:
    """What was found for each change of the disk before which exec was stopped."""
    program = Path(__file__).with_name("exec_crash.py")
    environment = os.environ | {"RECIPE_GRACE": "1"}
    done = subprocess.run(
        (sys.executable, program, folder, how, outs), capture_output=True, text=True, env=environment, timeout=600
    )
    assert done.returncode == 0, done.stderr
    found: list[dict] = json.loads(done.stdout)
    assert len(found) > 30
    assert any(".incoming-0" in report["where"] for report in found)
    assert any("run.json" in report["where"] for report in found)
    return found


def each_out_is_old_or_new_and_whole(reports: list[dict]) -> None:
    for report in reports:
        outs = {name: text for name, text in report["stopped"]["files"].items() if not name.startswith(".")}
        model = {text for name, text in outs.items() if name.startswith("model/")}
        assert model in ({OLD}, {NEW}, set()), report
        assert len([name for name in outs if name.startswith("model/")]) in (0, 2), report
        assert outs["metrics.json"] in (OLD, NEW), report


def a_record_says_that_all_is_in_place(reports: list[dict]) -> None:
    for report in reports:
        if report["stopped"]["record"]:
            outs = report["stopped"]["files"]
            assert len(outs) == 3, report
            assert len(set(outs.values())) == 1, report


def the_next_run_finishes(reports: list[dict]) -> None:
    for report in reports:
        assert report["second"] == 0, report
        assert report["at_end"]["files"] == RESULT, report
        assert report["at_end"]["record"], report
        assert (report["at_end"]["work"], report["at_end"]["hidden"]) == ([], []), report


def finished_work_is_not_computed_again(reports: list[dict]) -> None:
    sealed = [report for report in reports if report["stopped"]["sealed"]]
    assert len(sealed) > 10
    for report in sealed:
        assert report["at_end"]["starts"] == report["stopped"]["starts"], report


def the_full_disk_is_said(reports: list[dict]) -> None:
    failed = [report for report in reports if report["status"]]
    assert len(failed) > 20
    for report in failed:
        assert "R0510" in report["said"], report
        assert report["stopped"]["hidden"] == [], report


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place), capture_output=True)
    if mounted.returncode:
        pytest.skip("only root on Linux may mount a small disk")
    try:
        yield place
    finally:
        subprocess.run(("umount", "-l", place), check=True)


WRITES = """\
echo start >> {control}/starts
mkdir -p "$RECIPE_OUT/result/model"
head -c 700000 /dev/zero > "$RECIPE_OUT/result/model/weights"
echo 1 > "$RECIPE_OUT/result/metrics.json"
"""


def test_outputs_on_a_disk_that_is_full(tmp_path: Path, small_disk: Path) -> None:
    """The outputs are on another disk, so they are copied: that fails, the old ones stay, and later it succeeds."""
    project = _project(tmp_path, WRITES)
    (project.root / "outputs").symlink_to(small_disk)
    assert project.run().returncode == 0
    before = project.results()
    (project.root / "data/animals.txt").write_text(NEW)
    other = small_disk / "other"
    other.write_bytes(bytes(200_000))
    failed = project.run()
    assert failed.returncode == 1
    assert "R0510" in failed.stderr
    assert str(small_disk) in failed.stderr or "outputs" in failed.stderr
    assert project.results() == before
    (project.out / "model/weights").unlink()  # make room
    done = project.run()
    assert done.returncode == 0, done.stderr
    assert project.results() == before
    assert len(project.starts) == 2, "what was finished is not computed again"


def test_work_on_a_disk_that_is_full(tmp_path: Path, small_disk: Path) -> None:
    """The engine itself meets the full disk: the reason is said, the old outs stay."""
    project = _project(tmp_path, WRITES.replace("700000", "2000000"))
    (project.root / ".recipe").symlink_to(small_disk)
    failed = project.run()
    assert failed.returncode == 1
    assert "R0507" in failed.stderr
    assert "the disk is full" in failed.stderr
    assert not project.out.exists()


def test_no_file_may_grow(tmp_path: Path) -> None:
    """Where nothing can be mounted: a limit on the size of files makes every write of exec fail."""
    project = _project(tmp_path, WRITES)
    command = f"ulimit -f 0; exec {' '.join(EXEC)} {TARGET}"
    done = subprocess.run(("bash", "-c", command), cwd=project.root, capture_output=True, text=True)
    assert done.returncode == 1
    assert "R0510" in done.stderr
    assert not project.out.exists()


def test_no_link_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems have no hard links: the results are copied, with their modes."""
    from runners import handover

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "result/model").mkdir(parents=True)
    (tmp_path / "result/model/run").write_text("x")
    (tmp_path / "result/model/run").chmod(0o755)
    handover.hand_over(tmp_path / "result", tmp_path / "out", ["model"])
    assert (tmp_path / "out/model/run").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "result/model/run").exists()


def _project(folder: Path, script: str) -> Project:
    project = make(folder)
    write_pipeline(project, "set -eu\n" + script.format(control=project.control), checkpoints=None)
    return project
