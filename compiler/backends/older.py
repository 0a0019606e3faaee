"""What an older release of an engine, which a toolchain holds, calls the options that the backends write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from compiler.plan import Command, Value


@dataclass(frozen=True)
class Older:
    """The differences of one engine to the release that the backends write for."""

    names: Mapping[str, str] = field(default_factory=dict)
    """Option → what it was called."""
    values: Mapping[tuple[str, Value], Value] = field(default_factory=dict)
    """Option, by its new name, and value → what the value was called."""
    unsaid: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Command → options that it neither has nor needs, whatever their value."""
    unread: frozenset[str] = frozenset()
    """Variables of the environment that it does not look at."""
    mixed: Mapping[Value, str] = field(default_factory=dict)
    """Number format of the weights → the option of mixed precision that it turns on in training, whatever else is said."""
    unwatched: bool = False
    """Whether it has no callbacks by name, so that nothing compares what its trainer holds with the plan."""


OLDER: dict[tuple[str, str], Older] = {
    ("transformers-4.41", "ms-swift"): Older(
        names={"tuner_type": "train_type", "use_liger_kernel": "use_liger", "load_from_cache_file": "enable_cache"},
        values={("infer_backend", "transformers"): "pt"},
        unsaid={
            # Checkpointing is of both parts or of none. Its `remove_unused_columns` is the trainer's own, and takes the
            # pictures from rows that are encoded late; the current one is about the columns of a data set.
            "sft": frozenset({"vit_gradient_checkpointing", "remove_unused_columns"}),
            "infer": frozenset({"write_batch_size"}),  # it writes all answers at the end
        },
        unread=frozenset({"ROOT_IMAGE_DIR"}),
        mixed={"float32": "fp16", "float16": "fp16", "bfloat16": "bf16"},
        unwatched=True,
    )
}
"""Toolchain and engine → how its release differs."""


def spelled(command: Command, engine: tuple[str, str], within: str) -> Command:
    """The command as the release of the engine in a toolchain is told it."""
    older = OLDER.get((within, engine[0]))
    if older is None:
        return command
    unsaid = older.unsaid.get(engine[1], frozenset())
    options = {
        older.names.get(name, name): _value(older, name, value)
        for name, value in command.options.items()
        if name not in unsaid
    }
    fields = {older.names.get(name, name): field for name, field in command.fields.items()}
    return replace(command, options=options, fields=fields, watch={} if older.unwatched else command.watch)


def unread(engine: tuple[str, str], within: str) -> frozenset[str]:
    """Variables that the release of an engine in a toolchain does not look at, though the backends write them."""
    older = OLDER.get((within, engine[0]))
    return older.unread if older else frozenset()


def mixed(command: Command, engine: tuple[str, str], within: str) -> str | None:
    """The option of mixed precision that a training turns on by itself though the command turns it off."""
    older = OLDER.get((within, engine[0]))
    option = older.mixed.get(command.options.get("torch_dtype", ""), "") if older and command.trains else ""
    return option if command.options.get(option) is False else None


def unwatched(command: Command) -> bool:
    """Whether nothing compares what the trainer of a command holds with the plan."""
    match command.signature:
        case (engine, _, within) if (within, engine) in OLDER:
            return OLDER[within, engine].unwatched
    return False


def _value(older: Older, name: str, value: Value) -> Value:
    return older.values.get((name, value), value) if isinstance(value, str) else value
