"""A step from one version of the language to the next: what its transforms give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from schema.diagnostics import Diagnostic, RecipeError, Span
from schema.migrate.changes import Edit
from schema.migrate.draft import Draft
from schema.migrate.wishes import Wish, granted


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that the new version cannot say, of one instance: its hash moves, and this is why."""

    file: str
    variant: str | None
    stage: str
    reason: str
    place: Span


Result = Edit | Wish | Loss
Transform = Callable[[Draft], Iterator[Result]]
"""One change of the language: edits of files, values that instances need, and what is lost."""


class Step(Protocol):
    """A module with a step. Its docstring lists what changed."""

    @property
    def FROM(self) -> int: ...

    @property
    def TO(self) -> int: ...

    @property
    def TRANSFORMS(self) -> Sequence[Transform]: ...


def results(step: Step, draft: Draft) -> list[Result]:
    """What all transforms give. Errors: RecipeError, everything that stops them."""
    found: list[Result] = []
    errors: dict[Diagnostic, None] = {}
    for transform in step.TRANSFORMS:
        try:
            found += transform(draft)
        except RecipeError as error:
            errors |= dict.fromkeys(error.diagnostics)
    if errors:
        raise RecipeError(errors)
    return found


def edits_of(found: Sequence[Result]) -> list[Edit]:
    """All edits, those that grant wishes first: a new map begins with what is new. Errors: RecipeError R0722."""
    wishes = granted(result for result in found if isinstance(result, Wish))
    return [*wishes, *(result for result in found if isinstance(result, Edit))]
