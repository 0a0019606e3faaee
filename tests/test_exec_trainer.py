"""What exec makes of what a trainer tells of its settings: stops, or goes on, and what the record has of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from exec_project import Project, make, write_pipeline

DIFFERENCE = {"option": "learning_rate", "planned": 0.0001, "held": 0.5}
OTHER = {"option": "seed", "planned": 42, "held": 43}
HEAD = "set -eu\nexport RECIPE_PLAN=pipelines/demo/train.json\n"
FINE = {
    "format": 1,
    "held": {"learning_rate": 0.0001},
    "not_compared": ["strict"],
    "parameters": {"trainable": 1, "all": 2},
    "before": [],
    "after": [],
}
WRITES = """\
mkdir -p "$RECIPE_OUT/result/model"
cp data/animals.txt "$RECIPE_OUT/result/model/a.txt"
echo 1 > "$RECIPE_OUT/result/metrics.json"
"""


def tells(report: dict, name: str = "trainer.json") -> str:
    """The line of a script that does what the watch of a trainer does."""
    return f"echo '{json.dumps(report)}' > \"$RECIPE_OUT/{name}\"\n"


def project_with(folder: Path, script: str, **stage: object) -> Project:
    project = make(folder)
    write_pipeline(project, HEAD + script, **{"checkpoints": None, **stage})  # type: ignore[arg-type]
    return project


def test_what_is_held_goes_into_the_record(tmp_path: Path) -> None:
    project = project_with(tmp_path, tells(FINE) + WRITES)
    done = project.run()
    assert done.returncode == 0, done.stderr
    told = {name: FINE[name] for name in ("held", "not_compared", "parameters", "after")}
    assert project.record["trainer"] == told
    assert "held" not in done.stderr


def test_a_difference_before_the_first_step(tmp_path: Path) -> None:
    project = project_with(tmp_path, tells(FINE | {"before": [DIFFERENCE, OTHER], "after": None}) + "exit 1\n")
    done = project.run()
    assert done.returncode == 1
    assert "R0514" in done.stderr
    assert "learning_rate: planned 0.0001, held 0.5; seed: planned 42, held 43" in done.stderr
    assert "R0507" not in done.stderr
    assert not project.out.exists() or not any(project.out.iterdir())


def test_a_difference_that_did_not_end_the_process(tmp_path: Path) -> None:
    """An engine that catches the exit of its callback must not get away with it."""
    project = project_with(tmp_path, tells(FINE | {"before": [DIFFERENCE]}) + WRITES)
    done = project.run()
    assert done.returncode == 1
    assert "R0514" in done.stderr
    assert not (project.out / "run.json").exists()


def test_a_difference_of_another_process(tmp_path: Path) -> None:
    script = tells(FINE) + tells(FINE | {"before": [DIFFERENCE]}, "trainer.3.json") + WRITES
    done = project_with(tmp_path, script).run()
    assert done.returncode == 1
    assert done.stderr.count("learning_rate: planned") == 1


def test_a_difference_after_the_last_step_is_only_told(tmp_path: Path) -> None:
    project = project_with(tmp_path, tells(FINE | {"after": [DIFFERENCE]}) + WRITES)
    done = project.run()
    assert done.returncode == 0
    assert "after its last step the trainer held other values. learning_rate: planned 0.0001, held 0.5" in done.stderr
    assert project.record["trainer"]["after"] == [DIFFERENCE]


def test_a_trainer_that_was_not_looked_at_again(tmp_path: Path) -> None:
    project = project_with(tmp_path, tells(FINE | {"after": None}) + WRITES)
    assert project.run().returncode == 0
    assert project.record["trainer"]["after"] is None


@pytest.mark.parametrize("told", ["", 'echo "{" > "$RECIPE_OUT/trainer.json"\n', tells({"format": 2})])
def test_a_trainer_that_tells_nothing(tmp_path: Path, told: str) -> None:
    project = project_with(tmp_path, told + WRITES)
    done = project.run()
    assert done.returncode == 1
    assert "R0515" in done.stderr
    assert "recipe compile recipes/demo.yaml" in done.stderr
    assert not (project.out / "run.json").exists()


def test_a_launch_that_nobody_watches(tmp_path: Path) -> None:
    project = make(tmp_path)
    write_pipeline(project, f"set -eu\n{WRITES}")
    assert project.run().returncode == 0
    assert project.record["trainer"] is None


def test_a_failure_of_another_kind_stays_one(tmp_path: Path) -> None:
    done = project_with(tmp_path, tells(FINE) + "echo sad >&2\nexit 3\n").run()
    assert "R0507" in done.stderr
    assert "exit code 3" in done.stderr


def test_what_an_earlier_try_has_told_counts_no_more(tmp_path: Path) -> None:
    project = project_with(tmp_path, tells(FINE) + "exit 3\n")
    assert project.run().returncode == 1
    write_pipeline(project, HEAD + WRITES, checkpoints=None)
    assert "R0515" in project.run().stderr


def test_what_was_told_stays_when_training_had_ended(tmp_path: Path) -> None:
    """The trainer is left out after a cut behind its last checkpoint: what it held is known from before."""
    project = make(tmp_path)
    script = (project.root / "pipelines/demo/train.sh").read_text().replace("set -euo pipefail\n", HEAD)
    command, sign, rest = script.partition("mkdir -p")
    trains = f'if [ -z "${{RECIPE_TRAINED:-}}" ]; then\n{tells(FINE)}{command.removeprefix("#!/usr/bin/env bash")}fi\n'
    write_pipeline(project, f"{trains}[ -e {project.control}/go ] || exit 9\n{sign}{rest}")
    assert project.run().returncode == 1
    (project.control / "go").touch()
    done = project.run()
    assert done.returncode == 0, done.stderr
    assert project.starts == ["start"]
    assert project.record["trainer"]["held"] == FINE["held"]
