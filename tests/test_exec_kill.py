"""Whoever is killed, wherever: no process is left, never two trainers, the next run ends as if nothing had happened."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from exec_project import EXEC, TARGET, TRAIN, Project, alive, below, cleaned_up, make, wait_for

# What a trainer is doing when it happens, and from where the next one starts.
POINTS = {
    "start": "start",
    "step-1": "start",
    "save-2-optimizer.pt": "start",
    "step-3": "checkpoint-2",
    "save-4-trainer_state.json": "checkpoint-2",
    "step-5": "checkpoint-4",
    "end": "checkpoint-4",
}
EXEC_LINE = shlex.join((*EXEC, TARGET))
CALLER = "import subprocess, sys; subprocess.run(sys.argv[1], shell=True)"


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an uninterrupted run hands over."""
    project = make(tmp_path_factory.mktemp("unbroken"))
    assert project.run().returncode == 0
    return project.results()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with cleaned_up(make(tmp_path, options="--family")) as project:
        yield project


def held_at(project: Project, point: str, *command: str) -> subprocess.Popen[str]:
    """Start exec, or what calls it, and wait until its trainer is at a point."""
    project.hold(point)
    process = project.start(command=command or (*EXEC, TARGET))
    project.wait_at(point)
    return process


def goes_on(project: Project, start: str, unbroken: dict[str, bytes]) -> None:
    """The next run begins where it should and ends with the right bytes."""
    project.wait_until_gone()
    assert not (project.out / "model").exists()
    project.let_go()
    done = project.run()
    assert done.returncode == 0, done.stderr
    assert project.starts == ["start", start]
    finished_well(project, unbroken)
    assert project.record["resumed_from"] == ([int(start.partition("-")[2])] if start != "start" else [])


def finished_well(project: Project, unbroken: dict[str, bytes]) -> None:
    assert project.results() == unbroken
    assert not (project.control / "CONCURRENT").exists()
    assert not project.work.exists()
    assert project.trainers() == []


@pytest.mark.parametrize(("point", "start"), POINTS.items())
def test_exec_is_killed(project: Project, unbroken: dict[str, bytes], point: str, start: str) -> None:
    process = held_at(project, point)
    process.kill()
    process.wait()
    goes_on(project, start, unbroken)


def test_training_is_over_and_the_script_can_leave_it_out(tmp_path: Path, unbroken: dict[str, bytes]) -> None:
    skips = TRAIN.replace("python -S", '[ -n "${{RECIPE_TRAINED:-}}" ] || python -S')
    with cleaned_up(make(tmp_path, script=skips)) as project:
        process = held_at(project, "end")
        process.kill()
        process.wait()
        project.wait_until_gone()
        project.let_go()
        done = project.run()
        assert done.returncode == 0, done.stderr
        assert project.starts == ["start"]
        assert project.record["resumed_from"] == [6]
        finished_well(project, unbroken)


def test_what_is_half_done_goes_and_what_is_kept_stays(tmp_path: Path, unbroken: dict[str, bytes]) -> None:
    """An engine refuses to merge into a folder that is there, or takes it for finished."""
    begins = 'mkdir "$RECIPE_OUT/merged"\nmkdir -p "$RECIPE_OUT/kept"\n'
    begins += 'echo begun >> "$RECIPE_OUT/kept/notes"\ncp "$RECIPE_OUT/kept/notes" {control}\n'
    script = TRAIN.replace("python -S", f"{begins}python -S")
    with cleaned_up(make(tmp_path, script=script)) as project:
        process = held_at(project, "step-3")
        process.kill()
        process.wait()
        goes_on(project, "checkpoint-2", unbroken)
        assert (project.control / "notes").read_text() == "begun\nbegun\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_exec_gets_a_signal(project: Project, unbroken: dict[str, bytes], number: signal.Signals) -> None:
    process = held_at(project, "step-3")
    process.send_signal(number)
    assert process.wait() == 128 + number
    assert project.trainers() == [], "exec ends after its engine"
    assert number.name in (project.control / "output").read_text()
    goes_on(project, "checkpoint-2", unbroken)


@pytest.mark.parametrize("victim", ["train.sh", "fake_trainer.py"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_engine_is_killed(project: Project, unbroken: dict[str, bytes], victim: str, number: signal.Signals) -> None:
    process = held_at(project, "save-4-optimizer.pt")
    below(process, victim).send_signal(number)
    assert process.wait() == 1
    assert "R0507" in (project.control / "output").read_text()
    goes_on(project, "checkpoint-2", unbroken)


def test_watcher_is_killed(project: Project, unbroken: dict[str, bytes]) -> None:
    process = held_at(project, "step-3")
    below(process, "runners.watcher").kill()
    project.let_go()
    assert process.wait() == 0
    assert project.starts == ["start"]
    finished_well(project, unbroken)


def test_watcher_then_exec_is_killed(project: Project, unbroken: dict[str, bytes]) -> None:
    """A watcher that is gone is replaced."""
    process = held_at(project, "step-3")
    first = below(process, "runners.watcher")
    first.kill()
    wait_for(lambda: _watchers(process) - {first.pid}, "a new watcher")
    process.kill()
    process.wait()
    goes_on(project, "checkpoint-2", unbroken)


def _watchers(process: subprocess.Popen[str]) -> set[int]:
    children = psutil.Process(process.pid).children()
    return {child.pid for child in children if alive(child.pid) and "runners.watcher" in child.cmdline()}


def test_exec_and_watcher_are_killed_at_once(project: Project, unbroken: dict[str, bytes]) -> None:
    """Nobody is left to end the engine then: the next run does it, before it starts its own."""
    process = held_at(project, "step-3")
    watcher = below(process, "runners.watcher")
    process.send_signal(signal.SIGSTOP)
    watcher.kill()
    process.kill()
    process.wait()
    left = project.trainers()
    assert left
    project.let_go()
    for trainer in left:  # what goes on by itself must not write into the run that follows
        trainer.suspend()
    done = project.run()
    assert done.returncode == 0, done.stderr
    assert "that an earlier run had left behind" in done.stderr
    assert project.starts == ["start", "checkpoint-2"]
    finished_well(project, unbroken)


@pytest.mark.parametrize("line", [EXEC_LINE, f"{EXEC_LINE}; exit $?", f"sh -c {shlex.quote(EXEC_LINE)}; exit $?"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_caller_is_killed(project: Project, unbroken: dict[str, bytes], line: str, number: signal.Signals) -> None:
    """The caller is the first that is no shell: those that only run our command outlive it and do not count."""
    process = held_at(project, "step-5", sys.executable, "-c", CALLER, line)
    process.send_signal(number)
    process.wait()
    goes_on(project, "checkpoint-4", unbroken)


def test_caller_ends_before_exec_looks(project: Project) -> None:
    orphan = f"{shlex.join((sys.executable, '-c', 'import time; time.sleep(1)'))}; {EXEC_LINE}"
    caller = "import subprocess, sys; subprocess.Popen(sys.argv[1], shell=True)"
    with (project.control / "output").open("w") as output:
        process = subprocess.Popen(
            (sys.executable, "-c", caller, orphan), cwd=project.root, stderr=output, start_new_session=True
        )
        process.wait()
    wait_for(lambda: "is gone" in (project.control / "output").read_text(), "the orphan to stop")
    assert project.starts == []


def test_callers_output_is_gone(project: Project, unbroken: dict[str, bytes]) -> None:
    """Nobody reads what exec prints any more: it goes on all the same."""
    project.hold("step-3")
    reader = f"{EXEC_LINE} 2>&1 | true; exit 0"
    process = project.start(command=("bash", "-c", f"set -m; {reader}"))
    project.wait_at("step-3")
    project.let_go()
    wait_for(lambda: (project.out / "run.json").exists(), "the record")
    process.wait()
    wait_for(lambda: not project.work.exists(), "the end of exec")
    finished_well(project, unbroken)


def test_stubborn_engine_is_killed(tmp_path: Path, unbroken: dict[str, bytes]) -> None:
    with cleaned_up(make(tmp_path, options="--ignore_term")) as project:
        process = held_at(project, "step-3")
        process.terminate()
        assert process.wait() == 128 + signal.SIGTERM
        assert project.trainers() == []
        goes_on(project, "checkpoint-2", unbroken)


def test_second_signal_hurries(tmp_path: Path) -> None:
    with cleaned_up(make(tmp_path, options="--ignore_term")) as project:
        project.environment["RECIPE_GRACE"] = "3600"
        process = held_at(project, "step-3")
        bash = below(process, "train.sh")
        process.send_signal(signal.SIGINT)
        wait_for(lambda: not alive(bash.pid), "the script, which ends on SIGTERM")
        assert project.trainers()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 128 + signal.SIGINT
        assert project.trainers() == []


def test_lock_is_held_as_long_as_the_engine_lives(tmp_path: Path, unbroken: dict[str, bytes]) -> None:
    """exec is killed and its engine takes its time to end: a second exec says for whom it waits, and waits."""
    with cleaned_up(make(tmp_path, options="--ignore_term")) as project:
        project.environment["RECIPE_GRACE"] = "2"
        process = held_at(project, "step-3")
        process.kill()
        process.wait()
        assert project.trainers()
        project.let_go()
        project.hold("step-4")
        done = project.start(TARGET)
        wait_for(lambda: len(project.starts) == 2, "the second trainer")
        project.let_go()
        assert done.wait() == 0
        said = (project.control / "output").read_text()
        assert f"demo/train: waiting for another run, process {process.pid}" in said
        finished_well(project, unbroken)


def test_second_run_waits_and_gives_up(project: Project) -> None:
    process = held_at(project, "step-3")
    project.environment["RECIPE_LOCK_WAIT"] = "0.3"
    second = project.run()
    assert second.returncode == 1
    assert "R0504" in second.stderr
    assert second.stderr.count(f"process {process.pid}") == 2
    project.let_go()
    assert process.wait() == 0
    assert project.starts == ["start"]


def test_second_run_that_waits_can_be_stopped(project: Project) -> None:
    first = held_at(project, "step-3")
    second = project.start(TARGET)
    wait_for(lambda: "waiting for another run" in (project.control / "output").read_text(), "the second run to wait")
    second.terminate()
    assert second.wait() == 128 + signal.SIGTERM
    os.kill(first.pid, 0)
    project.let_go()
    assert first.wait() == 0
