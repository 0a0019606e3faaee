"""Checks of a finished command line, read as argparse reads it.

What argparse takes and nobody should write is a problem too: abbreviations, repetitions.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from schema.signature.options import has_plugins, names_unknown, repeated, unknown
from schema.signature.problem import Problem
from schema.signature.recorded import Option, Signature
from schema.signature.values import Unfit, from_text

_NEGATIVE_NUMBER = re.compile(r"-\d+|-\d*\.\d+")
"""What argparse takes for a value although it begins with a dash."""


@dataclass(frozen=True, slots=True)
class _Flag:
    """A token that is an option: `name` as written, `value` behind `=`."""

    name: str
    value: str | None = None
    option: Option | None = None
    negative: bool = False
    candidates: tuple[str, ...] = ()
    """What the name may be short for."""


def check_argv(signature: Signature, argv: Sequence[str]) -> list[Problem]:
    """What is wrong with the arguments behind the program. Rules across options are `check_rules`.

    >>> from schema.signature.recorded import load
    >>> argv = ["--seed", "4.5", "--learning_r", "1e-4", "--system", "-v"]
    >>> [problem.kind for problem in check_argv(load("ms-swift", "sft"), argv)]
    ['value', 'abbreviated', 'dash']
    """
    return list(_Reader(signature, argv).problems())


def read_argv(signature: Signature, argv: Sequence[str]) -> dict[str, Any]:
    """The options that a command line gives, with their values as the engine sees them.

    >>> from schema.signature.recorded import load
    >>> read_argv(load("ms-swift", "sft"), ["--no-freeze-vit", "--seed", "7", "--target-modules", "q_proj", "v_proj"])
    {'freeze_vit': False, 'seed': 7, 'target_modules': ['q_proj', 'v_proj']}

    Raises:
        ValueError: where `check_argv` finds an error, with its message.
    """
    reader = _Reader(signature, argv)
    for problem in reader.problems():
        if problem.severity == "error":
            raise ValueError(problem.message)
    return reader.read


class _Reader:
    """Walks over the tokens once, as argparse does."""

    def __init__(self, signature: Signature, argv: Sequence[str]) -> None:
        self.signature = signature
        self.argv = list(argv)
        self.seen: dict[str, str] = {}
        self.read: dict[str, Any] = {}
        flags = (self._flag(token) for token in self.argv)
        self.plugins = has_plugins(signature, [flag.name for flag in flags if flag])

    def problems(self) -> Iterator[Problem]:
        """Findings in the order of the tokens."""
        place = 0
        while place < len(self.argv):
            flag = self._flag(self.argv[place])
            if flag is None and self.signature.positionals:
                yield from self._behind_script(place + 1)
                return
            if flag is None:
                yield _stray(self.argv[place])
                place += 1
                continue
            values, place = self._values(flag, place + 1)
            found = list(self._judge(flag, values, place))
            place += any(problem.kind == "dash" for problem in found)  # that value is judged already
            yield from found
        if self.signature.positionals:
            yield Problem("missing", self.signature.positionals[0], "the script to launch is missing", "name it")

    def _behind_script(self, place: int) -> Iterator[Problem]:
        """argparse looks for prefixes of its own options even among the arguments of the script."""
        for token in self.argv[place:]:
            flag = self._flag(token)
            if flag and not flag.option and flag.candidates:
                message = f"`{flag.name}` is for the script, and {self.signature.program[0]} takes it for its own"
                yield Problem("ambiguous", flag.name, message, "give the script an option of another name")

    def _flag(self, token: str) -> _Flag | None:
        """The option that a token is, or None for a value."""
        if not token.startswith("-") or token == "-":
            return None
        if token in self.signature.spellings:
            return self._known(token, None)
        name, sign, value = token.partition("=")
        behind = value if sign else None
        if name in self.signature.spellings:
            return self._known(name, behind)
        candidates = self._candidates(name)
        if len(candidates) == 1:
            return _Flag(name, behind, *self.signature.spellings[candidates[0]], candidates)
        if candidates:
            return _Flag(name, behind, candidates=candidates)
        if _NEGATIVE_NUMBER.fullmatch(token) or " " in token:
            return None
        return _Flag(name, behind)

    def _known(self, name: str, value: str | None) -> _Flag:
        option, negative = self.signature.spellings[name]
        return _Flag(name, value, option, negative)

    def _candidates(self, name: str) -> tuple[str, ...]:
        if not self.signature.abbreviations or not name.startswith("--") or name == "--":
            return ()
        found = tuple(flag for flag in (*self.signature.spellings, "--help") if flag.startswith(name))
        return () if found == ("--help",) else found

    def _values(self, flag: _Flag, place: int) -> tuple[list[str], int]:
        """The values that a flag takes, and the next place."""
        if flag.value is not None:
            return [flag.value], place
        limit = _limit(flag) if flag.option or not self.signature.positionals else 0
        end = place
        while end < len(self.argv) and end - place < limit and self._flag(self.argv[end]) is None:
            end += 1
        return self.argv[place:end], end

    def _judge(self, flag: _Flag, values: list[str], place: int) -> Iterator[Problem]:
        if flag.option is None:
            yield self._not_an_option(flag)
            return
        if flag.candidates:
            message = f"`{flag.name}` is short for `{flag.candidates[0]}`, which another version may change"
            yield Problem("abbreviated", flag.name, message, f"write `{flag.candidates[0]}`")
        if flag.option.name in self.seen and not flag.option.repeatable:
            yield repeated(flag.option, flag.name, self.seen[flag.option.name])
        self.seen.setdefault(flag.option.name, flag.name)
        if flag.negative or flag.option.nargs == 0:
            self.read[flag.option.name] = not flag.negative
            yield from _takes_none(flag)
        elif not values and flag.option.nargs != "?":
            yield self._value_missing(flag, place)
        else:
            yield from self._judge_values(flag.option, values)

    def _not_an_option(self, flag: _Flag) -> Problem:
        if flag.name == "--":
            return Problem("extra", flag.name, "`--` belongs to no option", "leave it out")
        if flag.candidates:
            known = [self.signature.spellings[name][0].flag for name in flag.candidates if name != "--help"]
            help = "write " + " or ".join(f"`{name}`" for name in list(dict.fromkeys(known))[:6])
            return Problem("ambiguous", flag.name, f"`{flag.name}` is no option, and short for several", help)
        return unknown(self.signature, flag.name)

    def _value_missing(self, flag: _Flag, place: int) -> Problem:
        following = self.argv[place] if place < len(self.argv) else ""
        read_as = self._flag(following)
        if read_as and not read_as.option and not read_as.candidates:
            message = f"the value `{following}` of `{flag.name}` begins with `-` and is read as an option"
            return Problem("dash", flag.name, message, f"write `{flag.name}={following}`")
        return Problem("missing", flag.name, f"`{flag.name}` lacks its value", "write it, or leave the option out")

    def _judge_values(self, option: Option, values: list[str]) -> Iterator[Problem]:
        read = []
        for text in values:
            try:
                read.append(from_text(option, text))
            except Unfit as unfit:
                yield Problem(unfit.kind, option.name, unfit.reason, unfit.help)
        if not values:  # a boolean that stands alone
            read = [True]
        if read:
            value = read if option.many else read[0]
            self.read[option.name] = [*self.read.get(option.name, []), value] if option.repeatable else value
            yield from names_unknown(self.signature, option, value, self.plugins)


def _limit(flag: _Flag) -> float:
    """How many values follow at most; those behind an unknown flag belong to it and are not judged."""
    if flag.option is None or (flag.option.many and not flag.negative):
        return math.inf
    return 0 if flag.negative or flag.option.nargs == 0 else 1


def _takes_none(flag: _Flag) -> Iterator[Problem]:
    if flag.value is not None:
        yield Problem("extra", flag.name, f"`{flag.name}` takes no value", f"write `{flag.name}` alone")


def _stray(token: str) -> Problem:
    return Problem("extra", token, f"`{token}` belongs to no option", "write the option before it")
