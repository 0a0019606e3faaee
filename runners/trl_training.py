"""What our TRL programs share around a trainer: what they set before it, and what they add to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schema.diagnostics import Diagnostic, RecipeError


def begin(config: Any) -> None:
    """Before a model is loaded: one GPU for each process, and the seed, which an adapter's random weights need."""
    from transformers import set_seed  # loads torch

    config._n_gpu = min(config.n_gpu, 1)  # one process that sees several GPUs would split its batches over them
    set_seed(config.seed)


def callbacks() -> list[Any]:
    """What listens to every trainer."""
    from runners.training_log import TrainingLog

    return [_without_counts(), TrainingLog()]


def _without_counts() -> Any:
    """Keeps TRL's count of tokens out of the curve: it begins anew at a resume, and runs are to end with equal files."""
    from transformers import TrainerCallback

    class WithoutCounts(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            for name in ("num_tokens", "eval_num_tokens"):
                state.log_history[-1].pop(name, None)

    return WithoutCounts()


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
