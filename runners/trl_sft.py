"""Supervised fine-tuning with TRL on prepared rows, started by accelerate:

accelerate launch --config_file train.accelerate.json -m runners.trl_sft --model_name_or_path DIR \\
  --train_dataset train.jsonl --use_peft true --lora_r 16 --output_dir OUT

TRL's own program (`trl sft`) would not do: it goes on from no checkpoint, takes data sets by name, opens no picture that
a row names by its path, learns the question together with the answer where a row is a conversation with pictures, and
puts adapters into the vision tower. Everything that trains is TRL's: its trainer, collator, options and checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runners import cli, trl_arguments, trl_model, trl_parts, trl_rows, trl_training
from runners.trl_arguments import RowsArguments


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError for rows, pictures or models that TRL cannot train with."""
    from trl import SFTTrainer  # loads torch

    rows, config, given = trl_arguments.parser(trl_arguments.sft_sources()).parse_args_and_config(argv)
    trl_training.begin(config)
    max_length, config.max_length = config.max_length, config.max_length if rows.too_long == "right" else None
    model, processor = trl_model.load(rows, given)
    sees = trl_model.has_pictures(processor)
    peft = trl_model.adapter(model, given, trl_model.frozen(rows)) if given.use_peft else None
    if not given.use_peft:
        trl_parts.freeze(model, trl_model.frozen(rows))
    ending = trl_rows.ending_of(processor, sees)
    trainer = SFTTrainer(
        model=model,
        args=config,
        processing_class=processor,
        train_dataset=_examples(rows.train_dataset, rows, sees, ending),
        eval_dataset=_examples(rows.eval_dataset, rows, sees, ending) if rows.eval_dataset else None,
        peft_config=peft,
        callbacks=trl_training.callbacks(),
    )
    if rows.too_long == "error":
        trl_training.refuse_longer(trainer, max_length, sees, _longest)
    trl_training.train(trainer)
    return 0


def _examples(files: Sequence[str], rows: RowsArguments, sees: bool, ending: str) -> Any:
    """The rows as the trainer takes them. Errors: RecipeError R0560."""
    return trl_rows.dataset(trl_rows.read(files, sees, ending), sees, rows.image_folder)


def _longest(examples: Any) -> int:
    return max(map(len, examples["input_ids"]))


if __name__ == "__main__":
    cli.run(main)
