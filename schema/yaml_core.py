"""What a plain scalar means in the core profile of YAML 1.2: `no`, `on`, `12:30` and dates are strings."""

from __future__ import annotations

import re

from schema.tree import Scalar

# The largest integer that every JSON reader keeps exact (RFC 7493, section 2.2): identities are canonical JSON.
EXACT = 2**53 - 1
LONGEST_NUMBER = 400  # characters; also keeps int() away from CPython's limit on digits
CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL_OR_HEX = re.compile(r"0(?:o[0-7]+|x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")


def resolve(raw: str) -> Scalar:
    """The value of a plain scalar. Raises ValueError for a number that is not finite or not exact in JSON.

    >>> resolve("1e-4"), resolve("no"), resolve("0x10"), resolve("~")
    (0.0001, 'no', 16, None)
    """
    if raw in CONSTANTS:
        return CONSTANTS[raw]
    return _number(raw) if raw[0] in "0123456789+-." else raw


def _number(raw: str) -> Scalar:
    if _INT.match(raw):
        return _exact(raw, 10)
    if _FLOAT.match(raw):
        return _finite(raw)
    if _OCTAL_OR_HEX.match(raw):
        return _exact(raw, 8 if raw[1] == "o" else 16)
    if _NOT_FINITE.match(raw):
        raise ValueError(f"`{raw}` is not a finite number")
    return raw


def _finite(raw: str) -> float:
    value = float(raw)
    if abs(value) == float("inf"):
        raise ValueError(f"`{_short(raw)}` is too large for a number")
    return value


def _exact(digits: str, base: int) -> int:
    if len(digits) > LONGEST_NUMBER or abs(int(digits, base)) > EXACT:
        raise ValueError(f"`{_short(digits)}` is too large for a whole number: the largest is {EXACT}")
    return int(digits, base)


def _short(raw: str) -> str:
    return raw if len(raw) <= 32 else raw[:31] + "…"
