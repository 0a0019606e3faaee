"""The log of a training with transformers' Trainer, line by line, in the form of ms-swift's: what `recipe run` follows.

checkpoints/logging.jsonl: {"loss": 2.1465, "epoch": 0.44, "global_step/max_steps": "20/450", "remaining_time": "32s"}
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from runners.progress import STEPS


class TrainingLog(TrainerCallback):  # type: ignore[misc]
    """Appends what the trainer logs to `logging.jsonl` in its output folder; of several processes the first does."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Time left is told from here, also when the training was taken up again."""
        self._begun, self._first = time.monotonic(), state.global_step

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **others: Any) -> None:
        """Write one line."""
        if not state.is_world_process_zero or not state.max_steps:
            return
        done = state.global_step - self._first
        row = {**(logs or {}), "epoch": state.epoch, STEPS: f"{state.global_step}/{state.max_steps}"}
        if done > 0:
            seconds = (time.monotonic() - self._begun) / done * (state.max_steps - state.global_step)
            row["remaining_time"] = f"{seconds:.0f}s"
        with Path(args.output_dir, "logging.jsonl").open("a") as log:
            log.write(json.dumps(row) + "\n")
