"""What our TRL programs share around a trainer: what they set before it, and what they add to it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schema.diagnostics import Diagnostic, RecipeError

PLAN = "RECIPE_PLAN"
"""Names the stage's identity document."""


def begin(config: Any) -> None:
    """Before a model is loaded: one GPU for each process, and the seed, which an adapter's random weights need."""
    from transformers import set_seed  # loads torch

    config._n_gpu = min(config.n_gpu, 1)  # one process that sees several GPUs would split its batches over them
    set_seed(config.seed)


def callbacks() -> list[Any]:
    """What listens to every trainer. The log is imported by its name: no stage's identity is to count its source."""
    return [_without_counts(), importlib.import_module("runners.training_log").TrainingLog()]


def train(trainer: Any) -> None:
    """Train, from a checkpoint where the arguments name one.

    What `recipe` compiles names its plan, and the trainer is held against it (`runners.watch`). That changes nothing in
    the result and so is imported by its name: no stage's identity is to count its source.
    """
    if os.environ.get(PLAN):
        importlib.import_module("runners.watch.trl").watch(trainer)
    trainer.train(resume_from_checkpoint=trainer.args.resume_from_checkpoint)


def telling(trainer: Any) -> Any:
    """A class of trainers whose evaluations hand over all that they measured.

    TRL logs rewards and keeps them back from what chooses the best checkpoint by a metric.
    """

    class Telling(trainer):  # type: ignore[misc]
        def evaluate(self, *given: Any, **named: Any) -> dict[str, float]:
            metrics = super().evaluate(*given, **named)
            logged = self.state.log_history[-1] if self.state.log_history else {}
            return {**{name: value for name, value in logged.items() if name.startswith("eval_")}, **metrics}

    return Telling


def _without_counts() -> Any:
    """Keeps TRL's count of tokens out of the curve: it begins anew at a resume, and runs are to end with equal files."""
    from transformers import TrainerCallback

    class WithoutCounts(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            for name in ("num_tokens", "eval_num_tokens"):
                state.log_history[-1].pop(name, None)

    return WithoutCounts()


def refuse_longer(trainer: Any, limit: int, sees: bool, longest: Callable[[Any], int]) -> None:
    """End the run at an example beyond the limit, where TRL would cut it in silence.

    With pictures it ends where the example comes up, for only its batch tells how long it is; else before the first step:
    `longest` gives the length of the longest of a data set. Errors: RecipeError R0563, now or later.
    """
    if sees:
        trainer.data_collator = Measured(trainer.data_collator, limit)
        return
    for rows in filter(None, (trainer.train_dataset, trainer.eval_dataset)):
        check_length(longest(rows), limit)


class Measured:
    """A collator that refuses a batch with an example beyond the limit. Errors: RecipeError R0563."""

    def __init__(self, collate: Any, limit: int) -> None:
        self.collate, self.limit = collate, limit

    def __call__(self, examples: Sequence[Mapping[str, Any]]) -> Any:
        batch = self.collate(examples)
        check_length(batch["input_ids"].shape[1], self.limit)
        return batch


def check_length(length: int, limit: int) -> None:
    if length > limit:
        message = f"an example has {length} tokens, and `max_length` is {limit}"
        help = "write a greater `max_length`, a smaller `max_pixels`, or `too_long: right`"
        raise RecipeError([Diagnostic("R0563", message, help)])
