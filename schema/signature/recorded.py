"""The recorded signatures as data: `schema/signatures/<engine>-<version>/<command>.json`, read when first asked for.

Those of another toolchain than the default one stand in `schema/signatures/toolchains/<name>/`, in the same form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from schema.toolchain import DEFAULT

FOLDER = Path(__file__).parent.parent / "signatures"

Type = str
"""One of: bool, on_off (bool and on/off), flag (no value), truthy (any text but the empty one is true), int, float,
str, path, json (a map as JSON text, or a path or name), choice, comma_list,
on_off_list, unsupported (cannot be given)."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a command. `nargs` is argparse's: None one value, "?" at most one, "+" one or more, 0 none."""

    name: str
    flags: tuple[str, ...]
    type: Type
    default: Any = None
    choices: tuple[Any, ...] | None = None
    nargs: str | int | None = None
    negative: tuple[str, ...] = ()
    """The spellings that mean false, such as `--no_freeze_vit`."""
    repeatable: bool = False
    owner: str = ""
    """The class that declares it, as `package.Class`."""

    @property
    def flag(self) -> str:
        """The spelling to write: the long one with underscores, where there is one."""
        long = [flag for flag in self.flags if flag.startswith("--")] or list(self.flags)
        return next((flag for flag in long if "-" not in flag.lstrip("-")), long[0])

    @property
    def many(self) -> bool:
        """Whether it takes several values."""
        return self.nargs in ("+", "*")


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """Everything a command takes."""

    engine: str
    command: str
    program: tuple[str, ...]
    versions: Mapping[str, str]
    """The packages that the options come from."""
    abbreviations: bool
    positionals: tuple[str, ...]
    """For a launcher: the script, and all that follows it."""
    options: Mapping[str, Option]
    spellings: Mapping[str, tuple[Option, bool]]
    """Flag → its option, and whether it means false."""
    _names: Mapping[str, tuple[Option, bool]] = field(repr=False)

    def find(self, name: str) -> tuple[Option, bool] | None:
        """The option of a name in any spelling, with or without dashes, and whether the name means false.

        >>> load("ms-swift", "sft").find("no-freeze-vit")[1]
        True
        """
        return self.spellings.get(name) or self._names.get(_bare(name))


def _bare(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_")


def load(engine: str, command: str, within: str = DEFAULT) -> Signature:
    """The signature of a command in the engine version of a toolchain, e.g. ("ms-swift", "sft").

    Raises:
        LookupError: when it was never recorded.
    """
    return _loaded(engine, command, within)


@cache
def _loaded(engine: str, command: str, within: str) -> Signature:
    folder = _recorded(within)["signatures"].get(engine)
    path = place_of(within) / f"{folder}" / f"{command}.json"
    if folder is None or not path.is_file():
        raise LookupError(f"no signature of `{command}` of {engine} is recorded in the toolchain {within}")
    return _signature(engine, command, json.loads(path.read_text(encoding="utf-8")))


def _signature(engine: str, command: str, data: dict[str, Any]) -> Signature:
    options = {name: _option(name, entry) for name, entry in data["options"].items()}
    spellings = {flag: (option, False) for option in options.values() for flag in option.flags}
    spellings |= {flag: (option, True) for option in options.values() for flag in option.negative}
    names = {_bare(flag): found for flag, found in spellings.items()}
    names |= {name: (option, False) for name, option in options.items()}
    return Signature(
        engine,
        command,
        tuple(data["program"]),
        data["packages"],
        data["abbreviations"],
        tuple(data["positionals"]),
        options,
        spellings,
        names,
    )


def _option(name: str, entry: dict[str, Any]) -> Option:
    choices = entry.get("choices")
    return Option(
        name,
        tuple(entry["flags"]),
        entry["type"],
        entry["default"],
        None if choices is None else tuple(choices),
        entry.get("nargs"),
        tuple(entry.get("negative", ())),
        entry.get("repeatable", False),
        entry.get("owner", ""),
    )


def place_of(toolchain: str) -> Path:
    """The folder of what is recorded of a toolchain."""
    return FOLDER if toolchain == DEFAULT else FOLDER / "toolchains" / toolchain


@cache
def _recorded(within: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((place_of(within) / "toolchain.json").read_text(encoding="utf-8"))
    return data


def toolchain(name: str = DEFAULT) -> dict[str, str]:
    """Package → version, for all packages that can change a result."""
    return dict(_recorded(name)["packages"])


def requirements(name: str) -> str | None:
    """The sha256 of `toolchains/NAME.txt`, in hexadecimal; None for the default toolchain, which is installed already."""
    found: str | None = _recorded(name).get("requirements")
    return found


def packages(*names: str, within: str = DEFAULT) -> dict[str, str]:
    """The part of a toolchain that some packages are.

    >>> packages("ms-swift")
    {'ms-swift': '4.6.0'}
    """
    return {name: _recorded(within)["packages"][name] for name in names}


def folder_of(engine: str) -> Path:
    """Where the signatures of an engine lie."""
    return FOLDER / str(_recorded(DEFAULT)["signatures"][engine])


_PROGRAMS = {
    ("swift", "sft"): ("ms-swift", "sft"),
    ("swift", "infer"): ("ms-swift", "infer"),
    ("swift", "export"): ("ms-swift", "export"),
    ("swift", "rlhf"): ("ms-swift", "rlhf"),
    ("swift", "deploy"): ("ms-swift", "deploy"),
    ("torchrun",): ("torch", "torchrun"),
    ("deepspeed",): ("deepspeed", "deepspeed"),
    ("accelerate", "launch"): ("accelerate", "launch"),
    ("python", "-m", "runners.trl_sft"): ("trl", "sft"),
    ("vllm", "serve"): ("vllm", "serve"),
    ("python", "-m", "runners.trl_dpo"): ("trl", "dpo"),
    ("python", "-m", "runners.trl_grpo"): ("trl", "grpo"),
}


def for_program(argv: Sequence[str], within: str = DEFAULT) -> tuple[Signature, list[str]] | None:
    """The signature of a whole command and the arguments it is about, or None where none is recorded.

    >>> signature, rest = for_program(["swift", "sft", "--model", "m"])
    >>> signature.command, rest
    ('sft', ['--model', 'm'])
    """
    for length in (3, 2, 1):
        known = _PROGRAMS.get(tuple(argv[:length]))
        if known is not None and len(argv) >= length:
            return load(*known, within), list(argv[length:])
    return None
