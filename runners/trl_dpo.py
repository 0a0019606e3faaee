"""DPO with TRL on prepared rows with two answers (arXiv:2305.18290), started by accelerate:

accelerate launch --config_file preferring.accelerate.json -m runners.trl_dpo --model_name_or_path DIR \\
  --train_dataset train.jsonl --adapter DIR --reference_adapter DIR --beta 0.1 --output_dir OUT

TRL's own program (`trl dpo`) goes on from no checkpoint and in no adapter, and opens no picture that a row names by its
path. What compares and trains is TRL's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runners import cli, trl_arguments, trl_model, trl_pairs, trl_reference, trl_rows, trl_training
from runners.trl_arguments import DpoArguments


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError for rows, pictures or models that TRL cannot train with."""
    from trl import DPOTrainer  # loads torch

    rows, config, given = trl_arguments.parser(trl_arguments.dpo_sources()).parse_args_and_config(argv)
    trl_training.begin(config)
    limit, config.max_length = config.max_length, None if rows.too_long == "error" else config.max_length
    model, processor, peft = trl_reference.policy(rows, config, given)
    sees = trl_model.has_pictures(processor)
    ending = trl_rows.ending_of(processor, sees)
    trainer = trl_training.telling(DPOTrainer)(
        model=model,
        args=config,
        processing_class=processor,
        train_dataset=_pairs(rows.train_dataset, rows, sees, ending),
        eval_dataset=_pairs(rows.eval_dataset, rows, sees, ending) if rows.eval_dataset else None,
        peft_config=peft,
        callbacks=trl_training.callbacks(),
    )
    trl_reference.compare(trainer, rows)
    if rows.too_long == "error":
        trl_training.refuse_longer(trainer, limit, sees, _longest)
    trl_training.train(trainer)
    return 0


def _pairs(files: Sequence[str], rows: DpoArguments, sees: bool, ending: str) -> Any:
    """The rows as the trainer takes them. Errors: RecipeError R0560."""
    return trl_rows.dataset(trl_pairs.read(files, sees, ending), sees, rows.image_folder)


def _longest(pairs: Any) -> int:
    return max(map(trl_pairs.length, pairs))


if __name__ == "__main__":
    cli.run(main)
