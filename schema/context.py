"""What a rule looks at: a recipe of the right shape, and where its fields were written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from schema.diagnostics import Diagnostic, Span
from schema.recipe import Recipe
from schema.stage import Use
from schema.training import TrainingStage

At = Callable[..., Span]


@dataclass(frozen=True, slots=True)
class Context:
    """One instance of a recipe. `at` gives the place of a value, `key_at` of a key, by their path.

    `lost` are names of entries that were written and could not be read.
    """

    recipe: Recipe
    at: At
    key_at: At
    lost: frozenset[str] = frozenset()

    def training(self) -> Iterator[tuple[str, TrainingStage]]:
        """The training stages, by name."""
        return ((name, stage) for name, stage in self.recipe.stages.items() if isinstance(stage, TrainingStage))

    def uses(self) -> Iterator[tuple[str, Use]]:
        """Every reference, with the stage it stands in."""
        return ((name, use) for name, stage in self.recipe.stages.items() for use in stage.uses)


Rule = Callable[[Context], Iterator[Diagnostic]]
"""Finds what breaks one rule; its docstring names the codes."""
