"""What of an input is not in the recipe, or is there in other words: data for the report and for the recipe's last comment."""

from __future__ import annotations

import re
from dataclasses import dataclass

from compiler.importing.script import Text
from schema.diagnostics import Diagnostic, Span

SHOWN = 100
"""Characters of the input that are shown with a finding."""

_SECRET = r"(?:token|key|apikey|secret|password|passwd|credentials?)"
_NAMES_SECRET = re.compile(rf"(?:.*[_-])?{_SECRET}(?:[_-].*)?\Z", re.IGNORECASE | re.DOTALL)
_SAYS_SECRET = re.compile(
    rf"(?<![\w-])(-{{0,2}}(?:[a-z0-9]+[_-])*{_SECRET}(?:[_-][a-z0-9]+)*(?:=|:[ \t]*|[ \t]+))"
    r"""("[^"\n]*"|'[^'\n]*'|[^\s'"]+)""",
    re.IGNORECASE,
)


def is_secret(name: str) -> bool:
    """Whether an option or a variable of that name holds a secret, such as `HF_TOKEN`; `max_new_tokens` does not."""
    return _NAMES_SECRET.match(name) is not None


def without_secrets(text: str) -> str:
    """The same text, of the same length, with stars where values of secret options and variables stand."""
    return _SAYS_SECRET.sub(lambda match: match[1] + "*" * len(match[2]), text)


@dataclass(frozen=True, slots=True)
class Left:
    """A piece of the input, and what became of it.

    R0731 the text was not understood, R0732 an option, R0733 a command, R0734 an environment variable has no place,
    R0735 it is said in other words, or the recipe decides what the input left open.
    """

    code: str
    place: Span
    raw: str
    reason: str
    option: str = ""
    """The option that it is about, by the name that the engine has for it."""

    @property
    def said(self) -> bool:
        """Whether the recipe says it all the same."""
        return self.code == "R0735"

    @property
    def whole(self) -> str:
        """The piece of the input on one line."""
        text = without_secrets(self.raw.replace("\\\n", " "))
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())

    @property
    def shown(self) -> str:
        """The beginning of it."""
        text = self.whole
        return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"

    def diagnostic(self) -> Diagnostic:
        """The finding as it is reported."""
        severity = "note" if self.said else "warning"
        message = f"`{self.shown}`: {self.reason}" if self.shown else self.reason
        return Diagnostic(self.code, message, "", (self.place,), severity)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Given:
    """An option that the input gives, by the engine's name for it: `name` is empty where the engine has no such option."""

    name: str
    written: str
    values: tuple[str, ...]
    place: Span
    raw: str
    odd: str = ""
    """Why its value cannot be known."""
    negative: bool = False
    """It is a spelling that means false, such as `--no_freeze_vit`."""
    renamed: str = ""
    """What to say of another name that it has now."""

    @property
    def value(self) -> str:
        """The only value, or the last; empty where there is none."""
        return self.values[-1] if self.values else ""

    def left(self, reason: str, code: str = "R0732") -> Left:
        """The same as something that is not in the recipe."""
        return Left(code, self.place, self.raw, reason, self.name or self.written)


def given_from(text: Text, name: str, value: str | None = None) -> Given:
    """An environment variable, or another text, as an option."""
    return Given(name, name, (text.text if value is None else value,), text.place, text.raw, text.odd)
