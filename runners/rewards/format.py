"""The answer has a form."""

from __future__ import annotations

import re


def reward(answer: str, solution: str, *, pattern: str) -> float:
    """1 where the whole answer, up to white space at its ends, matches the pattern, else 0. The solution does not count.

    >>> reward("<answer>red</answer>", "blue", pattern="<answer>.*</answer>")
    1.0
    """
    return float(re.fullmatch(pattern, answer.strip(), re.DOTALL) is not None)
