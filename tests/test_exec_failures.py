"""What exec says when a launch fails or does not write what it should, and that nothing is handed over then."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from exec_project import Project
from test_exec import WRITES, project_with


def failure(project: Project) -> str:
    done = project.run()
    assert done.returncode == 1
    assert not (project.out / "run.json").exists()
    assert not (project.out / "model").exists()
    return done.stderr


def test_end_of_the_log_its_path_and_how_to_run_by_hand(tmp_path: Path) -> None:
    progress = r"printf '\r 50%%\r100%%\n'"
    project = project_with(tmp_path, f"for i in $(seq 1 60); do echo line $i; done; {progress}; exit 7")
    said = failure(project)
    assert "demo/train failed with exit code 7" in said
    assert re.findall(r"^line \d+$", said, re.M) == [f"line {i}" for i in range(42, 61)]
    assert "\n100%\n" in said
    assert ".recipe/logs/demo/train.log" in said
    by_hand = re.search(r"by hand: (RECIPE_OUT=.* bash pipelines/demo/train.sh)", said)
    assert by_hand is not None
    assert subprocess.run(("bash", "-c", by_hand[1]), cwd=project.root, capture_output=True).returncode == 7


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("no-such-program", "the program `no-such-program` is missing"),
        ("python -S -c 'import no_such_package'", "the Python package `no_such_package` is missing"),
        (
            "echo 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate'; exit 1",
            "the GPU has too little memory",
        ),
        ("echo 'OSError: [Errno 28] No space left on device'; exit 1", "the disk is full"),
        ("kill -9 $$", "SIGKILL: it was killed, most likely because the machine ran out of memory"),
        ("sh -c 'kill -TERM $$'", "SIGTERM"),
        ("exit 130", "SIGINT"),
    ],
)
def test_known_reasons(tmp_path: Path, script: str, reason: str) -> None:
    said = failure(project_with(tmp_path, script))
    assert "R0507" in said
    assert reason in said, said


@pytest.mark.parametrize(
    ("script", "code", "message"),
    [
        ("true", "R0508", "has not written model, metrics.json"),
        (WRITES + 'echo 2 > "$RECIPE_OUT/result/scores.json"', "R0508", "written scores.json into its result"),
        (WRITES + 'ln -s /etc/hostname "$RECIPE_OUT/result/model/link"', "R0509", "model/link is a link"),
        (WRITES + 'ln -s . "$RECIPE_OUT/result/model/up"', "R0509", "model/up is a link"),
        (
            WRITES + 'echo "{\\"at\\": \\"$PWD/data\\"}" > "$RECIPE_OUT/result/model/c.json"',
            "R0509",
            "model/c.json holds",
        ),
        (WRITES + 'mkfifo "$RECIPE_OUT/result/model/pipe"', "R0509", "model/pipe is neither a file nor a folder"),
        (WRITES + 'rm -r "$RECIPE_OUT/result"', "R0508", "has not written model, metrics.json"),
    ],
)
def test_result_must_be_as_declared(tmp_path: Path, script: str, code: str, message: str) -> None:
    said = failure(project_with(tmp_path, script))
    assert code in said
    assert message in said, said


def test_outs_may_lie_in_folders(tmp_path: Path) -> None:
    script = 'mkdir -p "$RECIPE_OUT/result/plots"; echo 1 > "$RECIPE_OUT/result/plots/a.csv"\n'
    project = project_with(tmp_path, script, outs=["plots/a.csv"])
    done = project.run()
    assert done.returncode == 0, done.stderr
    assert project.results() == {"plots/a.csv": b"1\n"}
    extra = project_with(tmp_path / "extra", script + 'echo 1 > "$RECIPE_OUT/result/plots/b.csv"', outs=["plots/a.csv"])
    assert "written plots/b.csv into its result" in extra.run().stderr


def test_a_refusal_of_the_system(tmp_path: Path) -> None:
    project = project_with(tmp_path, WRITES)
    (project.root / ".recipe").write_text("a file where a folder should be")
    said = failure(project)
    assert "R0512" in said
    assert "Traceback" not in said
