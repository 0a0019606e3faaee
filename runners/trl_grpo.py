"""GRPO with TRL on prepared questions with solutions (arXiv:2402.03300), started by accelerate:

accelerate launch --config_file train.accelerate.json -m runners.trl_grpo --model_name_or_path DIR \\
  --train_dataset train.jsonl --rewards train.rewards.json --num_generations 8 --output_dir OUT

TRL's own program (`trl grpo`) goes on from no checkpoint, opens no picture that a row names by its path, and knows none
of our rewards. What samples, compares and trains is TRL's. The rewards are tried on the data before the model is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from runners import cli, trl_arguments, trl_model, trl_questions, trl_reference, trl_rows, trl_training
from runners.rewards import plugin
from runners.rewards.load import Scores, scores
from runners.trl_arguments import GrpoArguments
from schema.diagnostics import Diagnostic, RecipeError

Reward = Callable[..., list[float]]


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError for rewards, rows, pictures or models that TRL cannot train with."""
    from trl import GRPOTrainer  # loads torch

    rows, config, given = trl_arguments.parser(trl_arguments.grpo_sources()).parse_args_and_config(argv)
    rewards = rewards_of(rows)
    trl_training.begin(config)
    model, processor, peft = trl_reference.policy(rows, config, given)
    trainer = _weighing(GRPOTrainer)(
        model=model,
        reward_funcs=rewards,
        args=config,
        processing_class=processor,
        train_dataset=_questions(rows.train_dataset, rows, config, processor),
        eval_dataset=_questions(rows.eval_dataset, rows, config, processor) if rows.eval_dataset else None,
        peft_config=peft,
        callbacks=trl_training.callbacks(),
    )
    trl_reference.compare(trainer, rows)
    _enough(len(trainer.train_dataset), config)
    trl_training.train(trainer)
    return 0


def rewards_of(rows: GrpoArguments) -> list[Reward]:
    """The rewards, tried on the first row of each file. Errors: RecipeError R0550 to R0554."""
    described = json.loads(Path(rows.rewards).read_bytes())
    files = [*rows.train_dataset, *(rows.eval_dataset or ())]
    print(plugin.check(described, rows.reward_files, [Path(file) for file in files]), flush=True)
    return [_function(scores(reward, rows.reward_files)) for reward in described["rewards"]]


def _function(judge: Scores) -> Reward:
    """A reward as TRL calls it: all answers at once, and the columns of their rows."""

    def call(completions: Sequence[Any], **columns: Any) -> list[float]:
        return judge(completions, columns)

    call.__name__ = judge.name  # what TRL's log calls it
    return call


def _weighing(trainer: Any) -> Any:
    """A class of trainers that log the reward which they train with."""

    class Weighing(trl_training.telling(trainer)):  # type: ignore[misc]
        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            weights = dict(zip(self.reward_func_names, self.reward_weights.tolist(), strict=True))
            weigh(self._metrics["train" if self.model.training else "eval"], weights)
            super().log(logs, start_time)

    return Weighing


def weigh(measured: dict[str, list[float]], weights: Mapping[str, float]) -> None:
    """Put the weighted sum of rewards where TRL has their plain sum; the deviation of that one goes.

    >>> told = {"rewards/exact/mean": [1.0], "rewards/length/mean": [0.5], "reward": [1.5], "reward_std": [0.1]}
    >>> weigh(told, {"exact": 1.0, "length": 0.1})
    >>> told["reward"], "reward_std" in told
    ([1.05], False)
    """
    means = [measured.get(f"rewards/{name}/mean", []) for name in weights]
    if all(means) and set(weights.values()) != {1.0}:
        each = zip(*means, strict=True)
        measured["reward"] = [sum(w * m for w, m in zip(weights.values(), step, strict=True)) for step in each]
        measured.pop("reward_std", None)


def _questions(files: Sequence[str], rows: GrpoArguments, config: Any, processor: Any) -> Any:
    """The rows as the trainer takes them. Errors: RecipeError R0560."""
    sees = trl_model.has_pictures(processor)
    found = trl_questions.read(files, sees, Path(rows.image_folder or ""))
    limit = trl_questions.Limit(trl_questions.counter(processor), rows.max_prompt_length, config.seed)
    return trl_rows.as_dataset(trl_questions.Fitting(found, limit))


def _enough(questions: int, config: Any) -> None:
    """R0580: the questions fill one step. TRL leaves an unfilled step out, and with none it trains nothing."""
    wanted = config.generation_batch_size // config.num_generations
    if questions < wanted:
        message = f"a step asks {wanted} questions, and the data has {questions}"
        help = f"write a `global` batch of at most {questions * config.num_generations}, or more `generations`"
        raise RecipeError([Diagnostic("R0580", message, help)])


if __name__ == "__main__":
    cli.run(main)
