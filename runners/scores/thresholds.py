"""From which probability on a class counts as found: chosen on rows that are not scored, one threshold for each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runners.data.rows import Place
from schema.diagnostics import Diagnostic, RecipeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

HALF = 0.5
DIGITS = 7  # probabilities have six, and half a step between two of them is kept
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Table:
    """Predictions with any number of classes."""

    file: str
    classes: tuple[str, ...]
    inputs: Sequence[str]
    """What was asked, in a form that can be compared."""
    actual: NDArray[Any]
    """Row × class: whether the row has the class."""
    scores: NDArray[Any]
    """Row × class: its probability."""


def leaks(choosing: Table, scored: Table) -> None:
    """Nothing that is scored may take part in choosing. Errors: RecipeError R0653 with the rows that do."""
    seen = set(choosing.inputs)
    both = [number for number, asked in enumerate(scored.inputs, 1) if asked in seen]
    if both:
        places = tuple(Place(scored.file, number).span() for number in both[:SHOWN])
        message = f"{len(both)} of {len(scored.inputs)} scored rows are among those that thresholds are chosen on"
        help = "choose on predictions of the validation split, and score those of the test split"
        raise RecipeError([Diagnostic("R0653", message, help, places)])


def best(table: Table) -> dict[str, float]:
    """Class → the threshold with the best F1; 0.5 where no row has the class, for then there is nothing to choose by."""
    columns = zip(table.classes, table.actual.T, table.scores.T, strict=True)
    return {name: _best(actual, scores) if actual.any() else HALF for name, actual, scores in columns}


def _best(actual: NDArray[Any], scores: NDArray[Any]) -> float:
    """Of the thresholds with the best F1 the one nearest to 0.5, between two probabilities that occur.

    Args:
        actual: (rows,) bool. scores: (rows,) probabilities.
    """
    import numpy

    values = numpy.unique(scores)
    between = (values[1:] + values[:-1]) / 2
    candidates = numpy.concatenate(([HALF], values[:1], between))
    found, right = (_reaching(of, candidates) for of in (scores, scores[actual]))
    quality = 2 * right / (found + actual.sum())
    equal = candidates[quality == quality.max()]
    return round(float(equal[numpy.abs(equal - HALF).argmin()]), DIGITS)


def _reaching(scores: NDArray[Any], limits: NDArray[Any]) -> NDArray[Any]:
    """(limits,): how many scores are at least as high as each limit. Sorted, for a table of both is too large."""
    import numpy

    return len(scores) - numpy.searchsorted(numpy.sort(scores), limits)
