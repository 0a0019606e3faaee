"""One finding about the options of an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    # The engine's own parser refuses these.
    "unknown",  # no such option
    "renamed",  # an option of an older version
    "value",  # not of the option's type
    "choice",  # not one of the values that the option takes
    "missing",  # an option or an argument lacks its value
    "extra",  # a value that belongs to no option, or to one that takes none
    "dash",  # a value that begins with `-` and is read as an option
    "ambiguous",  # a prefix of several options
    "impossible",  # no text on a command line becomes such a value
    # The parser takes these, and the run is not what was meant.
    "abbreviated",  # a prefix of an option
    "repeated",  # the last one wins in silence
    "null",  # becomes the text "None"
    "number",  # not finite
    "json",  # not well-formed
    "rule",  # options that do not go together; the engine finds out late
    # These may be meant.
    "vocabulary",  # a name that the engine's registries lack
    "trap",  # read otherwise than it looks
]

REFUSED_BY_ENGINE: frozenset[Kind] = frozenset(
    {"unknown", "renamed", "value", "choice", "missing", "extra", "dash", "ambiguous", "impossible"}
)
WARNINGS: frozenset[Kind] = frozenset({"vocabulary", "trap"})


@dataclass(frozen=True, slots=True)
class Problem:
    """`option` is the name as it was given; `message` stands alone, `help` says what to write instead."""

    kind: Kind
    option: str
    message: str
    help: str = ""

    @property
    def severity(self) -> Literal["error", "warning"]:
        """A warning may be what the person meant; anything else stops the compiler."""
        return "warning" if self.kind in WARNINGS else "error"
