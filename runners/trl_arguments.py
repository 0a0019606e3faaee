"""What our TRL programs take on their command line besides TRL's own options.

TRL's own script takes data by the name of a data set, and neither pictures' limits nor the parts of a model that stay
frozen; these options say them. The names of all others are TRL's: SFTConfig, DPOConfig, GRPOConfig, ModelConfig.
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


@dataclass
class ComparedArguments(RowsArguments):
    """What an adapter of the stage before means, and what the policy is compared with."""

    adapter: str | None = field(default=None, metadata={"help": "the folder of the adapter in which training goes on"})
    reference_adapter: str | None = field(
        default=None, metadata={"help": "the folder of an adapter with which the model is the reference"}
    )
    reference_model: str | None = field(
        default=None, metadata={"help": "the folder of the reference where all weights are trained"}
    )


@dataclass
class DpoArguments(ComparedArguments):
    """Rows with two answers."""

    too_long: str = field(
        default="error",
        metadata={
            "help": "an example beyond max_length ends the run, or is cut",
            "choices": ["error", "left", "right"],
        },
    )


@dataclass
class GrpoArguments(ComparedArguments):
    """Questions with solutions, and what an answer is worth."""

    rewards: str = field(default="", metadata={"help": "the rewards, as JSON"})
    reward_files: list[str] = field(
        default_factory=list, metadata={"help": "Python files of the project that hold rewards"}
    )
    max_prompt_length: int = field(default=512, metadata={"help": "a question of more tokens gives way to another one"})


def sft_sources() -> tuple[type, ...]:
    """The dataclasses whose fields are the options of `runners.trl_sft`."""
    from trl import ModelConfig, SFTConfig  # loads torch

    return (RowsArguments, SFTConfig, ModelConfig)


def dpo_sources() -> tuple[type, ...]:
    """The same of `runners.trl_dpo`."""
    from trl import DPOConfig, ModelConfig  # loads torch

    return (DpoArguments, DPOConfig, ModelConfig)


def grpo_sources() -> tuple[type, ...]:
    """The same of `runners.trl_grpo`."""
    from trl import GRPOConfig, ModelConfig  # loads torch

    return (GrpoArguments, GRPOConfig, ModelConfig)


def parser(sources: tuple[type, ...]) -> Any:
    """The parser that reads them, as TRL builds its own."""
    from trl import TrlParser

    return TrlParser(sources, allow_abbrev=False)
