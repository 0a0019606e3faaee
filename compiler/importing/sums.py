"""Arithmetic of a shell with whole numbers: `$((16 / (MICRO * GPUS)))` becomes a number, and nothing is executed."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

LONGEST = 200
"""Characters of a sum."""
LARGEST = 2**63

_READ = re.compile(r"[\w\s+*/%()-]+\Z", re.ASCII)
_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)\}?", re.ASCII)
_NAME = re.compile(r"\b[A-Za-z_]\w*", re.ASCII)
_OCTAL = re.compile(r"\b0\d")


class Unknown(Exception):
    """A sum that cannot be known; its text says why."""


def value(text: str, variable: Callable[[str], str]) -> int:
    """What a sum comes to.

    Args:
        text: What stands between `$((` and `))`.
        variable: The text of a variable by its name; it raises Unknown where there is none.

    Raises:
        Unknown: where something is in it that is not read here.

    >>> value("16 / ($MICRO * GPUS)", {"MICRO": "2", "GPUS": "2"}.__getitem__)
    4
    """
    plain = _VARIABLE.sub(r"\1", text)
    if len(text) <= LONGEST and _READ.match(plain):
        filled = _NAME.sub(lambda match: f"({variable(match[0])})", plain).strip()
        try:
            if not _OCTAL.search(filled):
                return _of(ast.parse(filled, mode="eval").body)
        except (SyntaxError, ZeroDivisionError, RecursionError):
            pass
    raise Unknown("arithmetic that is not read here")


def _of(node: ast.expr) -> int:
    match node:
        case ast.Constant(int(number)) if not isinstance(number, bool):
            return number
        case ast.UnaryOp(ast.USub(), operand):
            return -_of(operand)
        case ast.UnaryOp(ast.UAdd(), operand):
            return _of(operand)
        case ast.BinOp(left, operator, right):
            return _joined(_of(left), operator, _of(right))
    raise Unknown("arithmetic that is not read here")


def _joined(left: int, operator: ast.operator, right: int) -> int:
    match operator:
        case ast.Add():
            found = left + right
        case ast.Sub():
            found = left - right
        case ast.Mult():
            found = left * right
        case ast.Div():  # towards zero, as in a shell
            found = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        case ast.Mod():
            found = abs(left) % abs(right) * (-1 if left < 0 else 1)
        case _:
            raise Unknown("arithmetic that is not read here")
    if abs(found) >= LARGEST:
        raise Unknown("the number is too large")
    return found
