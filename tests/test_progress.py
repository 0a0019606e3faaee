"""What `recipe run` reads from the trainer's own log."""

from __future__ import annotations

from pathlib import Path

import pytest

from runners.events import duration
from runners.progress import Follower, parse


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
