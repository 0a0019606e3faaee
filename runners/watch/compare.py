"""Two tables of settings, option → value: what was planned, and what a trainer holds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

GROUPS = "optimizer."
"""Settings of the optimizer's parameter groups: those held are to be among those planned, as a part may be frozen."""
OPEN = {"modules_to_save", "lora_modules_to_save"}
"""Lists to which PEFT adds on its own, such as the head of a classifier."""
AUTO = "auto"
"""What a DeepSpeed configuration leaves to the trainer."""
TOLD_ONLY = {"steps_per_print", "wall_clock_breakdown"}
"""What DeepSpeed writes to its log, which accelerate changes."""
OWN_GROUPS = (None, "default", "multimodal")
"""Values of `optimizer` with which each parameter group has a planned learning rate."""


@dataclass(frozen=True, slots=True)
class Difference:
    """An option that the trainer holds another value of than was planned."""

    option: str
    planned: Any
    held: Any

    def __str__(self) -> str:
        return f"{self.option}: planned {shown(self.planned)}, held {shown(self.held)}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def shown(value: Any) -> str:
    """A value as the scripts write it, a list with commas.

    >>> [shown(value) for value in (True, 1e-4, ["a", "b"], None, "none")]
    ['true', '0.0001', 'a, b', 'nothing', 'none']
    """
    if isinstance(value, list):
        return ", ".join(map(shown, value)) or "nothing"
    if value is None:
        return "nothing"
    return str(value).lower() if isinstance(value, bool) else str(value)


def planned(identity: Mapping[str, Any], programs: Sequence[Sequence[str]]) -> dict[str, Any]:
    """What a stage's identity document says of the trainer that is one of these programs, by option.

    Errors: KeyError when the document has no such launch.
    """
    commands = [command for command in identity["launch"] if command["program"] in [*map(list, programs)]]
    if not commands:
        raise KeyError("launch")
    options = {name: value for name, value in commands[0]["options"].items() if not isinstance(value, dict)}
    return {
        **options,
        "world_size": _processes(identity),
        **_groups(options),
        **deepspeed(identity["files"].get("deepspeed")),
    }


def _processes(identity: Mapping[str, Any]) -> int:
    """How many take part, by what starts them: accelerate's configuration, or what ms-swift reads."""
    launcher, env = identity["files"].get("accelerate"), identity["env"]
    if launcher is not None:
        return int(launcher["num_processes"])
    return int(env.get("NPROC_PER_NODE", 1)) * int(env.get("NNODES", 1))


def _groups(options: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The values that parameter groups may have; nothing for an optimizer that makes groups of its own kind."""
    if options.get("optimizer") not in OWN_GROUPS or "learning_rate" not in options:
        return {}
    rates = (options.get(name) for name in ("learning_rate", "vit_lr", "aligner_lr"))
    return {
        f"{GROUPS}learning_rate": sorted({float(rate) for rate in rates if rate is not None}),
        **{f"{GROUPS}{name}": values for name, values in _alike(options).items() if None not in values},
    }


def _alike(options: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What all groups have in common, save that weight decay leaves some parameters out."""
    return {
        "weight_decay": [0.0, options.get("weight_decay")],
        "beta1": [options.get("adam_beta1")],
        "beta2": [options.get("adam_beta2")],
        "epsilon": [options.get("adam_epsilon")],
    }


def deepspeed(document: Any, above: str = "deepspeed") -> dict[str, Any]:
    """The leaves of a DeepSpeed configuration that it does not leave to the trainer: `deepspeed.zero_optimization.stage`."""
    if not isinstance(document, Mapping):
        return {} if document in (None, AUTO) else {above: document}
    leaves: dict[str, Any] = {}
    for name, below in document.items():
        if name not in TOLD_ONLY:
            leaves |= deepspeed(below, f"{above}.{name}")
    return leaves


def differences(planned: Mapping[str, Any], held: Mapping[str, Any]) -> list[Difference]:
    """Where the two differ, in the order of what is held; what only one of them has is not compared."""
    return list(_differences(planned, held))


def _differences(planned: Mapping[str, Any], held: Mapping[str, Any]) -> Iterator[Difference]:
    for option in held:
        if option in planned:
            ours, theirs = normal(planned[option]), normal(held[option])
            if not _fits(option, ours, theirs):
                yield Difference(option, ours, theirs)


def _fits(option: str, ours: Any, theirs: Any) -> bool:
    if option.startswith(GROUPS):
        return _among(theirs, ours)
    return _among(ours, theirs) if option in OPEN else _same(ours, theirs)


def normal(value: Any) -> Any:
    """A value as JSON has it: enumerations and number formats by their names, sets sorted.

    >>> normal({"v_proj", "q_proj"}), normal((0.9, 0.95))
    (['q_proj', 'v_proj'], [0.9, 0.95])
    """
    if isinstance(value, Enum):
        return normal(value.value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such number
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, set | frozenset):
        return sorted(map(normal, value), key=str)
    if isinstance(value, Sequence):
        return [normal(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): normal(item) for name, item in value.items()}
    return str(value).removeprefix("torch.")


def _same(ours: Any, theirs: Any) -> bool:
    """Whether two normal values mean the same: 1 and 1.0 do, true and 1 do not, a list of one stands for its item."""
    if isinstance(ours, list) or isinstance(theirs, list):
        return _several(ours) == _several(theirs)
    return bool(_key(ours) == _key(theirs))


def _among(part: Any, whole: Any) -> bool:
    return bool(part) and set(_several(part)) <= set(_several(whole))


def _several(value: Any) -> list[Any]:
    return sorted((_key(item) for item in (value if isinstance(value, list) else [value])), key=str)


def _key(value: Any) -> Any:
    """What equal values have in common: the kind, and the number or the text."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value.lower() if value.lower() in ("true", "false", "none") else value
    return float(value) if isinstance(value, int | float) else str(value)
