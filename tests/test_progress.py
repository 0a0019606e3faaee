"""What `recipe run` reads from the trainer's own log."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from runners import run
from runners.dvc import Dvc
from runners.events import Event, Said, StageChanged, duration
from runners.pipeline import Pipeline, Step
from runners.progress import Follower, parse
from runners.views import Lines, _Row


def test_progress_follows_only_what_is_new(tmp_path: Path) -> None:
    log = tmp_path / "logging.jsonl"
    log.write_text('{"loss": 9.0, "global_step/max_steps": "5/9"}\n')
    follower = Follower("train", log)
    assert follower.new() == []
    with log.open("a") as stream:
        stream.write('{"loss": 1.0, "global_step/max_steps": "6/9", "remaining_time": "2h 1m 5s"}\n{"loss"')
    (found,) = follower.new()
    assert (found.step, found.steps, found.loss, found.left) == (6, 9, 1.0, 7265.0)
    with log.open("a") as stream:
        stream.write(': 0.5, "eval_runtime": 3, "global_step/max_steps": "7/9"}\n')
    (found,) = follower.new()
    assert (found.step, found.loss, found.metrics, found.left) == (7, 0.5, {}, None)
    log.unlink()
    assert follower.new() == []
    log.write_text('{"eval_loss": 0.5, "global_step/max_steps": "1/9"}\n')
    (found,) = follower.new()
    assert (found.loss, found.metrics) == (None, {"eval_loss": 0.5})


@pytest.mark.parametrize("line", [b"", b"[]", b"{", b'{"loss": 1}', b'{"global_step/max_steps": "x/y"}', b"\xff"])
def test_lines_without_a_step(line: bytes) -> None:
    assert parse("train", line) is None


LOGGED = b'{"loss": 2e-8, "reward": 0.48205, "global_step/max_steps": "5/9", "remaining_time": "3s"}'


def test_a_training_with_rewards_tells_them_and_not_its_loss(capsys: pytest.CaptureFixture[str]) -> None:
    found = parse("train", LOGGED)
    assert found is not None
    Lines().show(found)
    assert capsys.readouterr().out == "train: step 5 of 9, reward 0.482, 3s left\n"
    row = _Row()
    row.advance(found)
    assert row.cells(0.0)[1:3] == ("5/9", "reward 0.4820")


def test_what_a_check_found_is_told_when_it_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "check.json").write_text('{"format_version": 1, "parameters": 98624, "answers": ["", "a\\tcat"]}')
    step = Step("looks", "check", "0" * 64, ".", (), ())
    pipeline = Pipeline(tmp_path, "demo", "recipes/demo.yaml", (step,), (), ())
    dvc = SimpleNamespace(root=tmp_path, signals=None, run=lambda *_: 0)
    monkeypatch.setattr(run, "Dvc", lambda *_: dvc)
    events: list[Event] = []
    walk = run.Walk(pipeline, run.Wish(), events.append, cast(Dvc, dvc))
    assert run._Turn(walk, step).run()
    assert [event.state for event in events if isinstance(event, StageChanged)] == ["running", "done"]
    assert events[-1] == Said("looks", "parameters: 98,624\nanswers: '' 'a\\tcat'")


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0s"), (59.4, "59s"), (64, "1m 04s"), (7380, "2h 03m")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_trainer_of_transformers_writes_the_log_that_is_followed(tmp_path: Path) -> None:
    from transformers import TrainerState, TrainingArguments

    from runners.training_log import TrainingLog

    log, state = TrainingLog(), TrainerState(max_steps=8, global_step=2, epoch=0.5)
    arguments = TrainingArguments(str(tmp_path), report_to=[], use_cpu=True)
    log.on_train_begin(arguments, state, None)
    state.global_step = 4
    log.on_log(arguments, state, None, logs={"loss": 1.5, "reward": 0.25, "grad_norm": float("nan")})
    (line,) = (tmp_path / "logging.jsonl").read_bytes().splitlines()
    found = parse("train", line)
    assert found is not None and found.left is not None
    assert (found.step, found.steps, found.loss, found.metrics) == (4, 8, 1.5, {"reward": 0.25, "epoch": 0.5})
    state.is_world_process_zero = False
    log.on_log(arguments, state, None, logs={"loss": 1.0})
    assert (tmp_path / "logging.jsonl").read_bytes().splitlines() == [line]
