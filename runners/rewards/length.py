"""The answer is neither too short nor too long."""

from __future__ import annotations


def reward(
    answer: str, solution: str, *, at_most: int, at_least: int = 0, slack: int = 0, unit: str = "characters"
) -> float:
    """1 from `at_least` to `at_most`; beyond, it falls by 1 / slack with each unit, to 0. The solution does not count.

    >>> reward("abcdef", "", at_most=4, slack=4)
    0.5
    """
    size = len(answer.split() if unit == "words" else answer)
    beyond = max(at_least - size, size - at_most, 0)
    if not beyond:
        return 1.0
    return max(0.0, 1.0 - beyond / slack) if slack else 0.0
