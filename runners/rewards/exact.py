"""The answer is the solution."""

from __future__ import annotations

from runners.rewards import text


def reward(answer: str, solution: str, *, extract: str | None = None, ignore_case: bool = True) -> float:
    """1 where what counts of the answer is the solution, up to white space, else 0.

    >>> reward("It is <answer>Red</answer>", "red", extract="<answer>(.*?)</answer>")
    1.0
    """
    counts = text.part(answer, extract)
    return float(counts is not None and text.plain(counts, ignore_case) == text.plain(solution, ignore_case))
