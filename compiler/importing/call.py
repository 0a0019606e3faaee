"""What was found in an input: commands that become stages, and what is left of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from compiler.importing.left import Given, Left, given_from
from compiler.importing.script import Text
from schema.diagnostics import Span
from schema.signature import Signature

Engine = Literal["trl", "ms-swift"]
"""What trains in the recipe what a trainer on transformers was started for."""
COMMON = {
    "model_name_or_path": "model",
    "train_dataset": "dataset",
    "eval_dataset": "val_dataset",
    "adapter": "adapters",
    "reference_adapter": "ref_adapters",
}
"""Option of TRL → the name under which every engine's is looked at."""


@dataclass(frozen=True, slots=True)
class Call:
    """A command that becomes a stage. `trainer` is a script on transformers' arguments, whose own defaults are not known."""

    kind: str
    program: str
    signature: Signature
    given: Mapping[str, Given]
    env: Mapping[str, Text]
    place: Span
    raw: str
    trainer: bool = False
    stage: str = "sft"
    """The kind of stage that a training becomes."""
    launched: Mapping[str, Given] = field(default_factory=dict)
    """What its launcher says besides hardware, precision and accumulation."""

    @property
    def engine(self) -> str:
        """The engine whose options these are."""
        return self.signature.engine

    @property
    def common(self) -> dict[str, Given]:
        """The options, those that every engine has under ms-swift's name for them."""
        names = COMMON if self.engine == "trl" else {}
        return {names.get(name, name): given for name, given in self.given.items()}


@dataclass(slots=True)
class Calls:
    """What was found in an input."""

    engine: Engine = "trl"
    calls: list[Call] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


def by_name(given: list[Given]) -> dict[str, Given]:
    """Options by the engine's name, or as they are written where it has none."""
    return {option.name or option.written: option for option in given}


def overruled(found: Calls, before: Mapping[str, Given], after: Mapping[str, Given]) -> dict[str, Given]:
    """Options that are said at two places: the later one counts, and the earlier one is told."""
    for name in before.keys() & after.keys():
        same = [text.lower() for text in before[name].values] == [text.lower() for text in after[name].values]
        reason = f"line {after[name].place.line} of the command gives it again, and that counts"
        found.left.append(before[name].left(reason, "R0735" if same else "R0732"))
    return {**before, **after}


def environment(call: Call) -> dict[str, Given]:
    """The environment of a call as options, in lower case as fields' synonyms have them."""
    return {name.lower(): replace(given_from(text, name), name=name.lower()) for name, text in call.env.items()}
