"""The training of students: resumed after a kill, on two processes, ended early, and where a loss is no number.

One import for all runs.
"""

import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from distill_project import argv, digits, told

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.engine

TOLERANCE = 1e-4
"""How far the losses of two processes may be from those of one, relative to them: sums are made in another order."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from runners.tiny_model import build

    root = tmp_path_factory.mktemp("distill")
    digits(root)
    build("qwen2_vl", 0, root / "teacher")
    return root


@pytest.fixture(scope="module")
def remembered(folder):
    """What asking the teacher printed, the first and the second time."""
    from runners.distill import remember, teacher

    before = Path.cwd()
    os.chdir(folder)
    try:
        config = told(folder, "hybrid")
        assert remember.main(argv(folder, config)) == 0
        assert remember.main(argv(folder, told(folder, "feature", type="feature"))) == 0
        load = teacher.load
        teacher.load = lambda *_: pytest.fail("the teacher is loaded although nothing is missing")
        try:
            assert remember.main(argv(folder, config)) == 0
            assert remember.main(argv(folder, folder / "feature.json")) == 0
        finally:
            teacher.load = load
    finally:
        os.chdir(before)
    return config


@pytest.fixture(scope="module")
def runs(folder, remembered):
    """Name → exit codes, of every training of this module."""
    config = remembered
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    two = told(folder, "two", batch__micro=8)
    wild = {"optimizer__name": "sgd", "optimizer__max_grad_norm": 0, "optimizer__schedule": "constant"}
    nan = told(folder, "nan", optimizer__learning_rate=1e30, optimizer__warmup_ratio=0.0, **wild)
    cut = folder / "cut"
    listed = {
        "whole": {"argv": argv(folder, config, folder / "whole", report_to="tensorboard")},
        "cut": {"argv": argv(folder, config, cut), "kill_at": str(cut / "checkpoint-3" / "trainer_state.json")},
        "resumed": {"argv": argv(folder, config, cut, resume_from_checkpoint=cut / "checkpoint-3")},
        "two": {"argv": argv(folder, two, folder / "two"), "ranks": 2, "port": port},
        "nan": {"argv": argv(folder, nan, folder / "nan")},
        **early(folder),
    }
    for name, run in listed.items():
        run["log"] = str(folder / f"{name}.log")
    (folder / "runs.json").write_text(json.dumps(list(listed.values())))
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "distill_project.py", folder / "runs.json"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(listed, json.loads(done.stdout.splitlines()[-1]), strict=True))


EARLY = {
    "type": "none",
    "epochs": 8.0,
    "patience": 2,
    "checkpoints": {"every": "epoch", "select": "best", "metric": "eval_accuracy", "higher_is_better": True},
    "optimizer__learning_rate": 1e-12,
}
"""A student that does not get better after its first epoch of four steps, so it ends with its third."""


def early(folder):
    """A training that ends early: whole, cut after its second epoch and gone on with, and taken up after its end."""
    file, half = told(folder, "early", **EARLY), folder / "early-cut" / "checkpoint-8"

    def words(name, **options):
        return {"argv": argv(folder, file, folder / name, save_total_limit=1, **options)}

    return {
        "early": words("early"),
        "early-cut": words("early-cut") | {"kill_at": str(half / "trainer_state.json")},
        "early-resumed": words("early-cut", resume_from_checkpoint=half),
        "early-again": words("early-again", resume_from_checkpoint=folder / "early" / "checkpoint-12"),
    }


def log(folder, name):
    return (folder / f"{name}.log.0").read_text()


def history(folder, name, step=8):
    return json.loads((folder / name / f"checkpoint-{step}" / "trainer_state.json").read_text())["log_history"]


def losses(folder, name, step=8):
    """Step → what was measured there, without times."""
    found = {}
    for entry in history(folder, name, step):
        found.setdefault(entry["step"], {}).update({k: v for k, v in entry.items() if "loss" in k or "accuracy" in k})
    return found


def test_training_ends_well(folder, runs):
    assert runs["whole"] == [0], log(folder, "whole")


def test_it_does_without_the_teacher(folder, runs):
    assert "TEACHER False" in log(folder, "whole")


def test_a_run_that_was_killed_ends_with_the_same_bytes(folder, runs):
    assert runs["cut"] == [-9]
    assert runs["resumed"] == [0], log(folder, "resumed")
    for name in ("model.safetensors", "optimizer.pt"):
        whole, resumed = ((folder / run / "checkpoint-8" / name).read_bytes() for run in ("whole", "cut"))
        assert whole == resumed, name
    assert losses(folder, "whole") == losses(folder, "cut")


def test_two_processes_learn_what_one_learns(folder, runs):
    """A ViT has no statistics of batches, so both see the same examples in each step and the same gradient."""
    assert runs["two"] == [0, 0], log(folder, "two")
    one, two = losses(folder, "whole"), losses(folder, "two")
    assert one.keys() == two.keys()
    for step, measured in one.items():
        for name in measured.keys() & {"loss", "eval_loss"}:
            assert two[step][name] == pytest.approx(measured[name], rel=TOLERANCE), (step, name)


def test_it_learns(folder, runs):
    measured = losses(folder, "whole")
    assert measured[8]["eval_loss"] < measured[0]["before_loss"]
    assert set(measured[8]) >= {"loss", "task_loss", "scores_loss", "features_loss"}


def test_it_writes_the_log_that_progress_is_read_from(folder, runs):
    lines = (folder / "whole" / "logging.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["global_step/max_steps"] == "8/8"
    assert any("loss" in json.loads(line) for line in lines)


def test_tensorboard_shows_what_is_measured_once_in_groups_of_its_own(folder, runs):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    seen = EventAccumulator(str(next((folder / "whole" / "runs").iterdir())))
    seen.Reload()
    names = set(seen.Tags()["scalars"])
    assert {"before/accuracy", "before/loss", "teacher/accuracy", "eval/accuracy", "train/task_loss"} <= names
    assert not {name for name in names if name.startswith(("train/before", "train/teacher", "train/eval"))}
    (score,) = seen.Scalars("teacher/accuracy")
    assert score.step == 0
    assert score.value == pytest.approx(losses(folder, "whole")[0]["teacher_accuracy"])


def test_the_teachers_own_score_is_told(folder, runs):
    assert 0 <= losses(folder, "whole")[0]["teacher_accuracy"] <= 1


def test_the_teachers_own_score_is_told_where_only_its_features_are_learned(folder, runs, monkeypatch):
    """The same score as where the student learns from it, too."""
    from runners.distill import train

    monkeypatch.chdir(folder)
    trainer = train.build(train._parse(argv(folder, folder / "feature.json", folder / "feature")), folder)
    hybrid = losses(folder, "whole")[0]
    assert trainer._of_teacher()["accuracy"] == hybrid["teacher_accuracy"]


def test_the_loss_is_the_weighted_sum_of_its_parts(folder, runs):
    for step in range(1, 9):
        measured = losses(folder, "whole")[step]
        soft = measured["scores_loss"] + measured["features_loss"]
        assert measured["loss"] == pytest.approx(0.5 * measured["task_loss"] + 0.5 * soft, rel=1e-4)


def test_a_loss_that_is_no_number_ends_the_run_and_names_its_batch(folder, runs):
    assert runs["nan"] == [1]
    message = log(folder, "nan")
    assert "RecipeError the loss became" in message
    assert "in the batch of the rows" in message
    assert ".png" in message


@pytest.fixture(scope="module")
def collected(folder, runs):
    from runners.distill import collect

    to = folder / "result"
    evaluation = ["--evaluation", str(to / "evaluation.csv")]
    assert (
        collect.main(
            ["--config", str(folder / "hybrid.json"), "--from", str(folder / "whole"), "--to", str(to), *evaluation]
        )
        == 0
    )
    return to


def test_the_projection_is_dropped(folder, collected):
    from safetensors.torch import load_file

    kept = set(load_file(folder / "whole/checkpoint-8/model.safetensors"))
    handed = set(load_file(collected / "student/model.safetensors"))
    dropped = {name for name in kept if name.startswith("align.")}
    assert dropped
    assert {f"student.{name}" for name in handed} == kept - dropped


def test_curve_and_metrics_are_handed_over(collected):
    for name, steps in (("curve", range(1, 9)), ("evaluation", (0, 4, 8))):
        with (collected / f"{name}.csv").open() as file:
            assert [int(row["step"]) for row in csv.DictReader(file)] == list(steps)
    metrics = json.loads((collected / "metrics.json").read_text())
    assert {"before_accuracy", "eval_accuracy", "teacher_accuracy", "steps"} <= metrics.keys()


def test_a_student_answers_every_row(folder, collected, monkeypatch):
    from runners.distill import answer

    monkeypatch.chdir(folder)
    options = ["--student", collected / "student", "--data", "validation.jsonl", "--classes", "classes.json"]
    assert answer.main([str(option) for option in (*options, "--to", "answers")]) == 0
    found = [json.loads(line) for line in (folder / "answers" / "predictions.jsonl").read_text().splitlines()]
    assert len(found) == 32
    right = sum(line["label"] == line["parsed"] for line in found) / len(found)
    assert right == pytest.approx(json.loads((collected / "metrics.json").read_text())["eval_accuracy"], abs=1e-6)
    assert all(sum(line["scores"].values()) == pytest.approx(1, abs=1e-4) for line in found)


def test_a_student_of_other_classes_does_not_answer(folder, collected, tmp_path):
    from runners.distill import answer
    from schema.diagnostics import RecipeError

    (tmp_path / "classes.json").write_text('["a", "b"]')
    options = ["--student", collected / "student", "--data", folder / "validation.jsonl", "--to", tmp_path]
    with pytest.raises(RecipeError) as error:
        answer.main([str(option) for option in (*options, "--classes", tmp_path / "classes.json")])
    assert error.value.diagnostics[0].code == "R0665"


# Ending early


def test_a_training_that_gets_no_better_ends_and_hands_over_its_best(folder, runs, tmp_path, capsys):
    """With one checkpoint to be kept the last one stays, too: the curve is in it."""
    from safetensors.torch import load_file

    from runners.distill import collect

    assert runs["early"] == [0], log(folder, "early")
    assert sorted(path.name for path in (folder / "early").glob("checkpoint-*")) == ["checkpoint-12", "checkpoint-4"]
    options = ["--config", str(folder / "early.json"), "--from", str(folder / "early"), "--to", str(tmp_path)]
    assert collect.main(options) == 0
    assert "the best checkpoint, of step 4 of 12, before_accuracy" in capsys.readouterr().out
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert (metrics["steps"], metrics["selected_step"], metrics["epoch"]) == (12, 4, 1.0)
    best, last, handed = (
        load_file(file / "model.safetensors")
        for file in (folder / "early/checkpoint-4", folder / "early/checkpoint-12", tmp_path / "student")
    )
    assert all(best[f"student.{name}"].equal(tensor) for name, tensor in handed.items())
    assert not all(last[f"student.{name}"].equal(tensor) for name, tensor in handed.items())


def test_an_early_end_is_the_same_after_a_kill(folder, runs):
    """How long nothing has improved is known again; and a training that has ended goes no further."""
    assert (runs["early-cut"], runs["early-resumed"]) == ([-9], [0]), log(folder, "early-resumed")
    assert losses(folder, "early", 12) == losses(folder, "early-cut", 12)
    assert not (folder / "early-cut" / "checkpoint-16").exists()
    assert runs["early-again"] == [0]
    assert "is the end of its training" in log(folder, "early-again")
    assert not (folder / "early-again").exists()


# Asking the teacher


def test_two_processes_ask_about_a_share_each_and_every_view_once(folder, remembered, monkeypatch):
    """Rows × views, divided between both; afterwards nothing is missing."""
    from runners.distill import asking, cache, remember
    from runners.distill.config import read

    monkeypatch.chdir(folder)
    file = told(folder, "views", type="feature", views=2)
    config = read(file, folder / "classes.json")
    task = config.task(folder)
    rows = task.read(folder / "train.jsonl")
    how = asking.asked(config, folder, folder / "teacher", None)
    load = remember.loader(config, folder / "teacher", None)
    seen = []
    for rank in ("0", "1", "0"):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", "2")
        seen.append(remember.remember(config, folder, how, asking.Names(config, task), rows, load))
    assert seen == [len(rows), len(rows), 0]  # half of rows × views each
    held = cache.read(folder, how)
    assert held.places.keys() == asking.shown(asking.Names(config, task), rows, 2).keys()
    assert len(held.places) == 2 * len(rows)


@pytest.mark.parametrize("kind", ["features", "scores"])
def test_a_teacher_that_says_no_numbers_ends_the_stage_and_nothing_is_kept(folder, remembered, monkeypatch, kind):
    """As one in float16 does whose sums overflow; kept, it would spoil every training to come."""
    import torch

    from runners.distill import asking, cache, remember
    from runners.distill.config import read
    from schema.diagnostics import RecipeError

    class Overflowing:
        def features(self, images, *_):
            return [self.told("features", 32)] * len(images)

        def scores(self, images, *_):
            return torch.stack([self.told("scores", 10)] * len(images))

        def told(self, asked, width):
            return torch.full((width,), float("inf") if asked == kind else 1.0)

    monkeypatch.chdir(folder)
    config = read(told(folder, "overflow", temperature=3.0), folder / "classes.json")
    task = config.task(folder)
    how = asking.asked(config, folder, folder / "teacher", None) | {"adapter": f"another, for {kind}"}
    rows = task.read(folder / "train.jsonl")
    with pytest.raises(RecipeError) as error:
        remember.remember(config, folder, how, asking.Names(config, task), rows, Overflowing)
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.code == "R0686"
    assert kind in diagnostic.message and rows[0]["images"][0] in diagnostic.message
    assert not cache.read(folder, how).places


def test_a_training_whose_teacher_was_not_asked_is_refused_before_its_first_step(folder, remembered, monkeypatch):
    from runners.distill import train
    from schema.diagnostics import RecipeError

    monkeypatch.chdir(folder)
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    (folder / "images" / "new.png").write_bytes((folder / rows[0]["images"][0]).read_bytes() + b"another")
    (folder / "new.jsonl").write_text(json.dumps(rows[1]) + "\n" + json.dumps(rows[0] | {"images": ["images/new.png"]}))
    with pytest.raises(RecipeError) as error:
        train.main(argv(folder, folder / "hybrid.json", folder / "new", data=folder / "new.jsonl"))
    (found,) = error.value.diagnostics
    assert found.code == "R0669"
    assert "of 1 pictures, such as" in found.message and "new.png" in found.message


def test_the_mean_score_of_a_class_may_be_taken_off(folder, remembered, monkeypatch):
    import numpy

    from runners.distill import asking, cache
    from runners.distill.config import read
    from runners.distill.trainer import Taught

    monkeypatch.chdir(folder)
    config = read(told(folder, "mean", scores__calibration="mean"), folder / "classes.json")
    task = config.task(folder)
    rows = task.read(folder / "train.jsonl")
    held = cache.read(folder, asking.asked(config, folder, folder / "teacher", None))
    taught = Taught(config, asking.Names(config, task), held)
    before = [taught.scores(row, 0) for row in rows]
    taught.calibrate(rows)
    after = [taught.scores(row, 0) for row in rows]
    numpy.testing.assert_allclose(numpy.mean(after, axis=0), 0, atol=1e-5)
    numpy.testing.assert_allclose(before[3] - after[3], numpy.mean(before, axis=0), atol=1e-5)
