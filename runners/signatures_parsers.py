"""The engines' own argument parsers, and what is recorded of one.

`accelerate launch --num_processes 2 train.py` is read by the parser that is here ("accelerate", "launch").
"""

from __future__ import annotations

import argparse
import dataclasses
import enum
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Union

from runners import trl_arguments

EngineCommand = tuple[str, str]

_FLAGS = {"HelpAction", "PrintCompletionAction", "VersionAction"}
_FUNCTIONS = {
    "string_to_bool": "bool",  # transformers: yes true t y 1, no false f n 0
    "str_to_bool": "on_off",  # accelerate: the same, and on and off
    "comma_separated_list": "comma_list",
    "launch_command_parser.<locals>.<lambda>": "on_off_list",
    "human_readable_int": "str",  # vLLM: 4096, or 4k
    "human_readable_int_or_auto": "str",
    "loads": "json",
    "union_dict_and_str": "json",
    "_compute_kwargs.<locals>.parse_dataclass": "json",
}
"""Conversion functions of the parsers by their qualified name → our name of the type."""


_WRAPPERS = {
    "_accept_none.<locals>.parse": "inner",  # TRL 1: none and null are no value
    "optional_type.<locals>._optional_type": "return_type",  # vLLM: the same
    "parse_type.<locals>._parse_type": "return_type",
}
"""Conversion functions around another one → the variable that holds it."""


@dataclasses.dataclass(frozen=True)
class Parser:
    """An engine's parser, and the dataclasses that it was made from where there are some."""

    program: tuple[str, ...]
    parser: argparse.ArgumentParser
    packages: tuple[str, ...]
    sources: tuple[type, ...] = ()


def parsers(distributions: Iterable[str]) -> dict[EngineCommand, Parser]:
    """(distribution, command) → parser, of those distributions. Imports the engines, about 10 s of processor time."""
    return {
        (engine, command): parser
        for engine in distributions
        for command, parser in (_ENGINES[engine]() if engine in _ENGINES else {}).items()
    }


def _swift() -> dict[str, Parser]:
    return {name: _of_dataclass(("swift", name), source) for name, source in swift_arguments().items()}


def swift_arguments() -> dict[str, type]:
    """Command of ms-swift → the dataclass of its options, which version 3 keeps elsewhere. Imports the engine."""
    old = version("ms-swift").startswith("3.")
    module = import_module("swift.llm" if old else "swift.arguments")
    names = {"sft": "TrainArguments" if old else "SftArguments", "infer": "InferArguments", "export": "ExportArguments"}
    names |= {"rlhf": "RLHFArguments", "deploy": "DeployArguments"}
    return {command: getattr(module, name) for command, name in names.items()}


def _trainers() -> dict[str, Parser]:
    return {
        "sft": _trl("runners.trl_sft", trl_arguments.sft_sources()),
        "dpo": _trl("runners.trl_dpo", trl_arguments.dpo_sources()),
        "grpo": _trl("runners.trl_grpo", trl_arguments.grpo_sources()),
    }


def _server() -> dict[str, Parser]:
    """`vllm serve`, as its program builds it on a machine with an NVIDIA GPU: defaults depend on the kind of device."""
    current = import_module("vllm.platforms").current_platform  # vLLM is in no environment that checks types
    if not current.device_type:
        current.device_type = "cuda"
    parser = import_module("vllm.utils.argparse_utils").FlexibleArgumentParser()
    make = import_module("vllm.entrypoints.openai.cli_args").make_arg_parser
    return {"serve": Parser(("vllm", "serve"), make(parser), ("vllm",))}


def _of_dataclass(program: tuple[str, ...], source: type) -> Parser:
    from swift.utils import utils
    from transformers import HfArgumentParser

    with getattr(utils, "_patch_get_type_hints", nullcontext)():  # as swift.utils.parse_args does, since version 4
        parser = HfArgumentParser([source])
    return Parser(program, parser, ("ms-swift", "transformers", "trl"), (source,))


def _trl(module: str, sources: tuple[type, ...]) -> Parser:
    return Parser(("python", "-m", module), trl_arguments.parser(sources), ("trl", "transformers"), sources)


def _torchrun() -> argparse.ArgumentParser:
    from torch.distributed.run import get_args_parser

    return get_args_parser()  # type: ignore[no-any-return]


def _accelerate() -> argparse.ArgumentParser:
    from accelerate.commands.launch import launch_command_parser

    return launch_command_parser()  # type: ignore[no-any-return]


_ENGINES: dict[str, Callable[[], dict[str, Parser]]] = {
    "ms-swift": _swift,
    "torch": lambda: {"torchrun": Parser(("torchrun",), _torchrun(), ("torch",))},
    "deepspeed": lambda: {"deepspeed": Parser(("deepspeed",), _deepspeed(), ("deepspeed",))},
    "accelerate": lambda: {"launch": Parser(("accelerate", "launch"), _accelerate(), ("accelerate",))},
    "trl": _trainers,
    "vllm": _server,
}
"""Distribution → its commands, each with its parser."""


class _Caught(Exception):
    """Carries the parser out of a function that builds and uses it."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


def _deepspeed() -> argparse.ArgumentParser:
    from deepspeed.launcher import runner

    def caught(parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        raise _Caught(parser)

    genuine = argparse.ArgumentParser.parse_args
    argparse.ArgumentParser.parse_args = caught  # type: ignore[assignment]
    try:
        runner.parse_args([])
    except _Caught as caught_parser:
        return caught_parser.parser
    finally:
        argparse.ArgumentParser.parse_args = genuine  # type: ignore[method-assign]
    raise RuntimeError("deepspeed no longer builds its parser in deepspeed.launcher.runner.parse_args")


@dataclasses.dataclass(frozen=True)
class Recorded:
    """What a parser takes. `options`: dest → spellings, type, choices, arity, default, owner."""

    abbreviations: bool
    """Whether a unique prefix of a spelling stands for it."""
    positionals: list[str]
    options: dict[str, dict[str, Any]]


def recorded(parser: Parser) -> Recorded:
    """Read a parser's actions; help texts and `--help` itself are left out."""
    hints = {name: hint for source in parser.sources for name, hint in typing.get_type_hints(source).items()}
    options: dict[str, dict[str, Any]] = {}
    for action in _taken(parser.parser):
        if not action.option_strings:
            continue
        if action.dest in options:  # the `--no_x` of a boolean
            options[action.dest]["negative"] = list(action.option_strings)
            continue
        options[action.dest] = _option(action, hints.get(action.dest), _owner(parser, action))
    positionals = [action.dest for action in _taken(parser.parser) if not action.option_strings]
    return Recorded(parser.parser.allow_abbrev, positionals, options)


def _taken(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    return (a for a in parser._actions if type(a).__name__.strip("_") not in _FLAGS)


def _option(action: argparse.Action, hint: Any, owner: str | None) -> dict[str, Any]:
    kind = _kind(action, hint)
    entry: dict[str, Any] = {"flags": list(action.option_strings), "type": kind, "default": _plain(action.default)}
    choices = action.choices if action.choices is not None else _members(_inner(action.type))
    if choices is not None:
        entry["choices"] = [_plain(choice) for choice in choices]
    if action.nargs is not None:
        entry["nargs"] = action.nargs
    if isinstance(action, argparse._AppendAction):
        entry["repeatable"] = True
    if owner:
        entry["owner"] = owner
    return entry


def _kind(action: argparse.Action, hint: Any) -> str:
    """The type of one value: from the annotation, and from the parser where a parser takes less than it says."""
    parsed = _kind_of_function(action)
    if hint is None or parsed != "str":
        return parsed
    return "json" if _mentions_map(hint) else parsed


def _kind_of_function(action: argparse.Action) -> str:
    function = _inner(action.type)
    if action.nargs == 0:
        return "flag"
    if action.choices is not None or _members(function) is not None:
        return "choice"
    if function is None or function is str:
        return "str"
    if function in (int, float):
        return str(function.__name__)
    if function is bool:
        return "truthy"  # argparse calls bool("False"), which is true
    if function is Path:
        return "path"
    if function is dict or typing.get_origin(function) is dict or dataclasses.is_dataclass(function):
        return "unsupported"  # no text on a command line becomes such a value
    return _named(function, action)


def _inner(function: Any) -> Any:
    """The conversion function below those that only let an option be without a value."""
    name = getattr(function, "__qualname__", "")
    held = next((variable for wrapper, variable in _WRAPPERS.items() if name.endswith(wrapper)), None)
    return _inner(inspect.getclosurevars(function).nonlocals[held]) if held else function


def _named(function: Callable[[str], Any], action: argparse.Action) -> str:
    name = getattr(function, "__qualname__", repr(function))
    for known, kind in _FUNCTIONS.items():
        if name.endswith(known):
            return kind
    raise TypeError(f"{action.option_strings[0]} is converted by {name}, a type that runners.signatures_parsers lacks")


def _members(function: Any) -> list[Any] | None:
    is_enum = isinstance(function, type) and issubclass(function, enum.Enum)
    return [member.value for member in function] if is_enum else None


def _mentions_map(hint: Any) -> bool:
    if typing.get_origin(hint) in (Union, types.UnionType):
        return any(_mentions_map(member) for member in typing.get_args(hint))
    return hint is dict or typing.get_origin(hint) is dict


def _owner(parser: Parser, action: argparse.Action) -> str | None:
    """The class that declares an option, as `package.Class`."""
    for cls in (cls for source in parser.sources for cls in source.__mro__):
        if action.dest in inspect.get_annotations(cls):
            return f"{cls.__module__.split('.')[0]}.{cls.__name__}"
    return None


def _plain(value: Any) -> Any:
    """A default or choice as JSON; a value that names this machine is an error."""
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(_plain, value))
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value):
        return None  # an engine's own object, which no text on a command line is
    if isinstance(value, Path):
        return _plain(str(value))
    if value is not None and not isinstance(value, (str, int, float, bool)):
        raise TypeError(f"a default of type {type(value).__name__} cannot be recorded")
    if isinstance(value, str) and any(place in value for place in (sys.prefix, str(Path.home()), str(Path.cwd()))):
        raise ValueError(f"the default {value!r} is a path of this machine")
    return value
