"""Supervised fine-tuning with TRL on prepared rows, started by accelerate:

accelerate launch --config_file train.accelerate.json -m runners.trl_sft --model_name_or_path DIR \\
  --train_dataset train.jsonl --use_peft true --lora_r 16 --output_dir OUT

TRL's own program (`trl sft`) would not do: it goes on from no checkpoint, takes data sets by name, opens no picture that
a row names by its path, learns the question together with the answer where a row is a conversation with pictures, and
puts adapters into the vision tower. Everything that trains is TRL's: its trainer, collator, options and checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runners import cli, trl_arguments, trl_parts, trl_rows
from runners.trl_arguments import RowsArguments
from schema.diagnostics import Diagnostic, RecipeError


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError for rows, pictures or models that TRL cannot train with."""
    from transformers import set_seed  # both load torch
    from trl import SFTTrainer

    from runners.training_log import TrainingLog

    rows, config, given = trl_arguments.parser(trl_arguments.sft_sources()).parse_args_and_config(argv)
    config._n_gpu = min(config.n_gpu, 1)  # one process that sees several GPUs would split its batches over them
    set_seed(config.seed)  # the trainer does so only when the adapter has its random weights
    max_length, config.max_length = config.max_length, config.max_length if rows.too_long == "right" else None
    model, processor = load(rows, given)
    sees = has_pictures(processor)
    peft = _adapter(model, given, _frozen(rows)) if given.use_peft else None
    if not given.use_peft:
        trl_parts.freeze(model, _frozen(rows))
    trainer = SFTTrainer(
        model=model,
        args=config,
        processing_class=processor,
        train_dataset=dataset(rows.train_dataset, rows, sees),
        eval_dataset=dataset(rows.eval_dataset, rows, sees) if rows.eval_dataset else None,
        peft_config=peft,
        callbacks=[_without_counts(), TrainingLog()],
    )
    if rows.too_long == "error":
        _refuse_longer(trainer, max_length, sees)
    trainer.train(resume_from_checkpoint=config.resume_from_checkpoint)
    return 0


def load(rows: RowsArguments, given: Any) -> tuple[Any, Any]:
    """The model, and its processor or tokenizer. Errors: RecipeError R0562 when it knows no limits of pixels."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    from trl import get_kbit_device_map, get_quantization_config

    folder = given.model_name_or_path
    options = {"attn_implementation": given.attn_implementation, "dtype": given.dtype}
    quantization = get_quantization_config(given)
    if quantization is not None:
        options |= {"device_map": get_kbit_device_map(), "quantization_config": quantization}
    sees = AutoConfig.from_pretrained(folder).model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    model = (AutoModelForImageTextToText if sees else AutoModelForCausalLM).from_pretrained(folder, **options)
    if sees:
        trl_parts.check(model)
    asked = {"max_pixels": rows.max_pixels, "min_pixels": rows.min_pixels}
    limits = {name: value for name, value in asked.items() if value is not None}
    processor = (AutoProcessor if sees else AutoTokenizer).from_pretrained(rows.processor or folder, **limits)
    _check_limits(processor, limits)
    return model, processor


def _check_limits(processor: Any, limits: Mapping[str, int]) -> None:
    images = getattr(processor, "image_processor", None)
    size = dict(getattr(images, "size", None) or {})
    understood = {"max_pixels": size.get("longest_edge"), "min_pixels": size.get("shortest_edge")}
    for name, value in limits.items():
        if understood[name] != value:
            message = f"the processor of this model does not know `{name}`"
            raise RecipeError([Diagnostic("R0562", message, f"remove `{name}` from the model")])


def has_pictures(processor: Any) -> bool:
    """Whether examples may hold pictures: a processor has a tokenizer among its parts, a tokenizer is alone."""
    return hasattr(processor, "tokenizer") and hasattr(processor, "image_processor")


def dataset(files: Sequence[str], rows: RowsArguments, sees: bool) -> Any:
    """The rows of files as the trainer takes them. Errors: RecipeError R0560."""
    found = trl_rows.read(files, sees)
    if sees:
        return trl_rows.Pictures(found, Path(rows.image_folder or ""))
    from datasets import Dataset

    return Dataset.from_list(found)


def _frozen(rows: RowsArguments) -> set[trl_parts.Part]:
    parts: dict[trl_parts.Part, bool] = {
        "vision": rows.freeze_vision,
        "aligner": rows.freeze_aligner,
        "language": rows.freeze_language,
    }
    return {part for part, stays in parts.items() if stays}


def _adapter(model: Any, given: Any, frozen: set[trl_parts.Part]) -> Any:
    """PEFT's configuration of the adapter, from TRL's options."""
    from trl import get_peft_config

    if given.lora_target_modules == trl_parts.ALL_LINEAR:
        given.lora_target_modules = trl_parts.linear_layers(model, frozen)
    return get_peft_config(given)


def _without_counts() -> Any:
    """Keeps TRL's count of tokens out of the curve: it begins anew at a resume, and runs are to end with equal files."""
    from transformers import TrainerCallback

    class WithoutCounts(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            for name in ("num_tokens", "eval_num_tokens"):
                state.log_history[-1].pop(name, None)

    return WithoutCounts()


def _refuse_longer(trainer: Any, limit: int, sees: bool) -> None:
    """End the run at an example that is longer than it may be, where TRL cuts it in silence."""
    if sees:
        trainer.data_collator = _Measured(trainer.data_collator, limit)
        return
    for rows in filter(None, (trainer.train_dataset, trainer.eval_dataset)):
        _check_length(max(map(len, rows["input_ids"])), limit)


class _Measured:
    """A collator that refuses a batch with an example beyond the limit. Errors: RecipeError R0563."""

    def __init__(self, collate: Any, limit: int) -> None:
        self.collate, self.limit = collate, limit

    def __call__(self, examples: Sequence[Mapping[str, Any]]) -> Any:
        batch = self.collate(examples)
        _check_length(batch["input_ids"].shape[1], self.limit)
        return batch


def _check_length(length: int, limit: int) -> None:
    if length > limit:
        message = f"an example has {length} tokens, and `max_length` is {limit}"
        help = "write a greater `max_length`, a smaller `max_pixels`, or `too_long: right`"
        raise RecipeError([Diagnostic("R0563", message, help)])


if __name__ == "__main__":
    cli.run(main)
