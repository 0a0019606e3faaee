"""What our TRL programs take on their command line besides TRL's own options.

TRL's own script takes data by the name of a data set, and neither pictures' limits nor the parts of a model that stay
frozen; these options say them. The names of all others are TRL's: SFTConfig, ModelConfig.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

TOO_LONG = ["error", "right"]


@dataclass
class RowsArguments:
    """The prepared rows, and how an example is made of one."""

    train_dataset: list[str] = field(metadata={"help": "files of prepared rows, JSON lines"})
    eval_dataset: list[str] | None = field(default=None, metadata={"help": "the same, for the validation loss"})
    image_folder: str | None = field(default=None, metadata={"help": "where the paths of pictures begin"})
    max_pixels: int | None = field(default=None, metadata={"help": "pictures are scaled down to so many pixels"})
    min_pixels: int | None = field(default=None, metadata={"help": "pictures are scaled up to so many pixels"})
    processor: str | None = field(
        default=None, metadata={"help": "the folder of the processor, where it is not the model's"}
    )
    too_long: str = field(
        default="error", metadata={"help": "an example beyond max_length ends the run, or is cut", "choices": TOO_LONG}
    )
    freeze_vision: bool = field(default=True, metadata={"help": "the vision tower stays as it is"})
    freeze_aligner: bool = field(default=True, metadata={"help": "the projection to the language model stays"})
    freeze_language: bool = field(default=False, metadata={"help": "the language model stays"})


def sft_sources() -> tuple[type, ...]:
    """The dataclasses whose fields are the options of `runners.trl_sft`."""
    from trl import ModelConfig, SFTConfig  # loads torch

    return (RowsArguments, SFTConfig, ModelConfig)


def parser(sources: tuple[type, ...]) -> Any:
    """The parser that reads them, as TRL builds its own."""
    from trl import TrlParser

    return TrlParser(sources, allow_abbrev=False)
