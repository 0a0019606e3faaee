"""The answer lists the labels of the solution."""

from __future__ import annotations

from runners.rewards import text


def labels(listed: str, separator: str, ignore_case: bool) -> set[str]:
    """The labels of a list, each once; what is empty is none.

    >>> sorted(labels("cat, Dog,, cat", ",", True))
    ['cat', 'dog']
    """
    return {label for label in (text.plain(part, ignore_case) for part in listed.split(separator)) if label}


def reward(
    answer: str, solution: str, *, extract: str | None = None, separator: str = ",", ignore_case: bool = True
) -> float:
    """2 × common / (answered + wanted): from 0 to 1, and 1 where both list nothing.

    >>> reward("cat, dog", "cat, bird")
    0.5
    """
    counts = text.part(answer, extract)
    if counts is None:
        return 0.0
    answered, wanted = labels(counts, separator, ignore_case), labels(solution, separator, ignore_case)
    total = len(answered) + len(wanted)
    return 2 * len(answered & wanted) / total if total else 1.0
