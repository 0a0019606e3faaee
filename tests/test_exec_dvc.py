"""Under a real `dvc repro`, which removes outs before it runs a stage, and leaves the stage alone when it is killed."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from exec_project import Project, cleaned_up, make, wait_for

from compiler.render.root import EXEC as EXEC_SH
from compiler.render.root import EXEC_NAME

DVC = (sys.executable, "-m", "dvc", "repro", "pipelines/demo/dvc.yaml:train")
DVC_YAML = """\
stages:
  train:
    cmd: sh pipelines/exec.sh exec pipelines/demo/train
    wdir: ../..
    deps:
    - pipelines/demo/train.json
    - data/animals.txt
    outs:
    - outputs/demo/train/model
    metrics:
    - outputs/demo/train/metrics.json
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project in a repository of git and DVC."""
    with cleaned_up(make(tmp_path, options="--family")) as project:
        (project.root / "pipelines/demo/dvc.yaml").write_text(DVC_YAML)
        (project.root / "pipelines" / EXEC_NAME).write_text(EXEC_SH)
        subprocess.run(("git", "init", "-q"), cwd=project.root, check=True)
        subprocess.run((sys.executable, "-m", "dvc", "init", "-q"), cwd=project.root, check=True)
        project.environment |= {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}
        yield project


def repro(project: Project) -> None:
    process = project.start(command=DVC)
    assert process.wait() == 0, (project.control / "output").read_text()


def finished_well(project: Project) -> None:
    assert not (project.control / "CONCURRENT").exists()
    assert project.trainers() == []
    assert not project.work.exists()
    assert (project.out / "run.json").exists()
    assert set(project.results()) == {"metrics.json", "model/adapter_model.safetensors"}
    unbroken = make(project.root.parent / "unbroken")
    assert unbroken.run().returncode == 0
    assert project.results() == unbroken.results()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_dvc_is_killed(project: Project, number: signal.Signals) -> None:
    project.hold("step-5")
    process = project.start(command=DVC)
    project.wait_at("step-5")
    process.send_signal(number)
    process.wait()
    project.wait_until_gone()
    project.let_go()
    repro(project)
    assert project.starts == ["start", "checkpoint-4"]
    finished_well(project)
    repro(project)
    assert project.starts == ["start", "checkpoint-4"], "the second time there is nothing to do"


def test_dvc_is_started_again_at_once(project: Project) -> None:
    """The second `dvc repro` waits for the end of the first one's trainer instead of starting another beside it."""
    project.hold("step-3")
    process = project.start(command=DVC)
    project.wait_at("step-3")
    process.kill()
    process.wait()
    second = project.start(command=DVC)
    wait_for(lambda: len(project.starts) == 2, "the second trainer")
    project.let_go()
    assert second.wait() == 0, (project.control / "output").read_text()
    assert project.starts == ["start", "checkpoint-2"]
    finished_well(project)


def test_ctrl_c(project: Project) -> None:
    """A terminal sends SIGINT to all of the foreground group: dvc, the shell and exec, but not the engine."""
    project.hold("step-3")
    process = project.start(command=DVC)
    project.wait_at("step-3")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait() != 0
    project.wait_until_gone()
    assert "stopped by SIGINT; its checkpoints are kept" in (project.control / "output").read_text()
    project.let_go()
    repro(project)
    assert project.starts == ["start", "checkpoint-2"]
    finished_well(project)


KILLER = """\
import os, signal, sys

def hook(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith("outputs/demo/train/metrics.json"):
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
from runners.exec import main
sys.exit(main(sys.argv[1:]))
"""


def test_results_survive_a_kill_during_the_hand_over(project: Project) -> None:
    """The first out is in place when exec is killed; DVC removes it before the next run, which need not train again."""
    killer = project.control / "killer.py"
    killer.write_text(KILLER)
    script = project.root / "pipelines" / EXEC_NAME
    script.write_text(f'shift\nexec {shlex.join((sys.executable, str(killer)))} "$@"\n')
    assert project.start(command=DVC).wait() != 0
    assert (project.out / "model").exists()
    assert not (project.out / "metrics.json").exists()
    script.write_text(EXEC_SH)
    repro(project)
    assert project.starts == ["start"]
    finished_well(project)
