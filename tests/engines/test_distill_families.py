"""Students with convolutions: resumed after a kill, and on two processes. One import for all runs.

What the teacher said are random numbers: the bytes of a run do not depend on what they mean.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from distill_project import argv, say, shapes, told

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.engine

STEPS = 4
TOLERANCE = 1e-4
"""How far the losses of two processes may be from those of one, relative to them: sums are made in another order."""
FAMILIES = {
    "resnet": {"task": "classification", "student__size": "resnet18", "type": "hybrid", "freeze_batch_norm": True},
    "unet": {"task": "segmentation", "student__size": "small", "features__grid": 2},
    "yolov8": {"task": "detection", "student__size": "n", "features__grid": 2},
    "lstm": {"task": "sequence", "student__size": "small", "student__frames": "resnet18", "freeze_batch_norm": True},
}
DATA = {"resnet": "classify.jsonl", "unet": "segment.jsonl", "yolov8": "detect.jsonl", "lstm": "sequence.jsonl"}
ALIKE = tuple(family for family, given in FAMILIES.items() if "freeze_batch_norm" in given)
"""Those that learn on two processes what they learn on one: batch norms are frozen, and the loss is a mean over rows."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("families")
    shapes(root)
    (root / "teacher").mkdir()
    return root


def listed(folder, family):
    """Name → a run: whole, cut short, gone on with; some also on two processes."""
    given = {
        "student__family": family,
        "student__image_size": 64,
        "type": "feature",
        "batch__micro": 4,
        "epochs": 1.0,
        "checkpoints__every": "2 steps",
        "evaluate_every": None,
        "classes": 2,
        **FAMILIES[family],
    }
    one = told(folder, family, **given)
    say(folder, one, DATA[family])

    def words(config, name, **options):
        made = argv(folder, config, folder / f"{family}-{name}", data=folder / DATA[family], **options)
        at = made.index("--validation")
        return {"argv": [*made[:at], *made[at + 2 :]]}

    half = folder / f"{family}-cut" / "checkpoint-2"
    found = {
        f"{family}-whole": words(one, "whole"),
        f"{family}-cut": words(one, "cut") | {"kill_at": str(half / "trainer_state.json")},
        f"{family}-resumed": words(one, "cut", resume_from_checkpoint=half),
    }
    if family not in ALIKE:
        return found
    two = told(folder, f"{family}-two", **given | {"batch__micro": 2})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return found | {f"{family}-two": words(two, "two") | {"ranks": 2, "port": free.getsockname()[1]}}


@pytest.fixture(scope="module")
def runs(folder):
    """Name → exit codes, of every training of this module."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        all = {name: run for family in FAMILIES for name, run in listed(folder, family).items()}
    finally:
        os.chdir(before)
    for name, run in all.items():
        run["log"] = str(folder / f"{name}.log")
    (folder / "runs.json").write_text(json.dumps(list(all.values())))
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "distill_project.py", folder / "runs.json"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(all, json.loads(done.stdout.splitlines()[-1]), strict=True))


def losses(folder, name, part="loss"):
    """What each step measured."""
    state = json.loads((folder / name / f"checkpoint-{STEPS}" / "trainer_state.json").read_text())
    return [entry[part] for entry in state["log_history"] if "loss" in entry]


def log(folder, name):
    return (folder / f"{name}.log.0").read_text()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_run_that_was_killed_ends_with_the_same_bytes(folder, runs, family):
    assert runs[f"{family}-whole"] == [0], log(folder, f"{family}-whole")
    assert runs[f"{family}-cut"] == [-9]
    assert runs[f"{family}-resumed"] == [0], log(folder, f"{family}-resumed")
    for name in ("model.safetensors", "optimizer.pt"):
        whole, resumed = (
            (folder / f"{family}-{run}" / f"checkpoint-{STEPS}" / name).read_bytes() for run in ("whole", "cut")
        )
        assert whole == resumed, name
    assert losses(folder, f"{family}-whole") == losses(folder, f"{family}-cut")


@pytest.mark.parametrize("family", ALIKE)
def test_two_processes_learn_what_one_learns(folder, runs, family):
    assert runs[f"{family}-two"] == [0, 0], log(folder, f"{family}-two")
    for name in ("loss", "task_loss", "features_loss"):
        one, two = losses(folder, f"{family}-whole", name), losses(folder, f"{family}-two", name)
        assert len(one) == STEPS
        assert two == pytest.approx(one, rel=TOLERANCE), name


def test_frozen_norms_stay_as_they_are(folder, runs):
    """Statistics and scales of an LSTM's frames; its other weights learn."""
    from safetensors.torch import load_file

    before, after = (load_file(folder / f"lstm-whole/checkpoint-{n}/model.safetensors") for n in (2, STEPS))
    norms = {name for name in before if ".bn" in name or "downsample.1" in name}
    assert any(name.endswith("running_mean") for name in norms)
    changed = {name for name in before if not before[name].equal(after[name])}
    assert not changed & norms
    assert {name for name in before if name.endswith("weight")} - norms <= changed
