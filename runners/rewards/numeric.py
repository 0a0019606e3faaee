"""The answer's number is near the solution's."""

from __future__ import annotations

import math
import re

from runners.rewards import text

NUMBER = re.compile(
    r"(?:(?<![\d)])[-+−])?"  # a minus between numbers is a range or a difference
    r"(?:(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)(?:\.\d*)?|\.\d+)"
    r"(?:[eE][-+]?\d+)?(?:\s?%)?"
)
SLACK = 1e-9
"""A share of the numbers that counts as equal, because 0.1 + 0.2 is not 0.3 in binary."""


def number(written: str) -> float | None:
    """The last number of a text: with commas between thousands, an exponent or a per cent sign; None without any.

    >>> number("from 3 to about 1,234.5"), number("12.5%")
    (1234.5, 0.125)
    """
    found = NUMBER.findall(written)
    if not found:
        return None
    last = found[-1].replace(",", "").replace("−", "-")
    value = float(last.rstrip("% ")) / (100 if last.endswith("%") else 1)
    return value if math.isfinite(value) else None


def problem(solution: str) -> str | None:
    """What makes a solution useless here."""
    return "it holds no number" if number(solution) is None else None


def reward(
    answer: str,
    solution: str,
    *,
    extract: str | None = None,
    tolerance: float = 0.0,
    relative_tolerance: float = 0.0,
) -> float:
    """1 where both last numbers differ by the wider tolerance at most, else 0.

    >>> reward("about 3.1", "3.14159", tolerance=0.05)
    1.0
    """
    counts = text.part(answer, extract)
    given, wanted = number(counts) if counts is not None else None, number(solution)
    if given is None or wanted is None:
        return 0.0
    wide = max(tolerance, relative_tolerance * abs(wanted))
    return float(abs(given - wanted) <= wide + SLACK * max(abs(given), abs(wanted)))
