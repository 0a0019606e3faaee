"""What can still be said of a recipe when a part of it is wrong, so that all that is wrong comes at once.

A rule looks at what a stage is made of and at what it depends on, never at what depends on it. So a recipe without the stages
in doubt, and without all that needs them, is judged like any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from pydantic_core import ErrorDetails

from schema.recipe import Recipe
from schema.shape import Location, judged, real_path
from schema.tree import MapNode

SECTIONS = ("models", "datasets", "stages")
ROUNDS = 3
"""Without a wrong value, something that needs it may be wrong in turn."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """A recipe of the right shape: the one that was written, without what has not that shape.

    `doubtful` are the models, data sets and stages that lack something of what was written; None says that more is in doubt
    than these. `lost` are those of them that are gone.
    """

    recipe: Recipe
    doubtful: frozenset[str] | None
    lost: frozenset[str]


def salvage(tree: MapNode) -> Salvaged | None:
    """What a tree of the wrong shape still tells; None where that is nothing."""
    data, found = judged(tree)
    touched: set[Location] = set()
    lost: set[str] = set()
    for _ in range(ROUNDS):
        if isinstance(found, Recipe):
            names = frozenset(str(path[-1]) for path in touched)
            single = all(len(path) == 2 and path[0] in SECTIONS for path in touched)
            return Salvaged(found, names if single else None, frozenset(lost))
        for error in found:
            path = _removed(data, real_path(tree, error["loc"]), error)
            if len(path) < 2:
                return None
            touched.add(path[:2])
            if len(path) == 2 and path[0] in SECTIONS:
                lost.add(str(path[1]))
        _, found = judged(tree, data)
    return None


def without(recipe: Recipe, names: Iterable[str]) -> Recipe:
    """A recipe without these models, data sets and stages, and without the stages that need one of them."""
    gone = set(names)
    while more := {n for n, s in recipe.stages.items() if n not in gone and gone & {use.name for use in s.uses}}:
        gone |= more
    sections = {s: {n: entry for n, entry in getattr(recipe, s).items() if n not in gone} for s in SECTIONS}
    return recipe.model_copy(update=sections)


def _removed(data: Any, path: Location, error: ErrorDetails) -> Location:
    """Take out the smallest map or field that holds an error and can be left out, and say which; empty where none can."""
    path = path[:-1] if error["type"] == "missing" or path[-1:] == ("[key]",) else path
    path = tuple(takewhile(lambda part: isinstance(part, str), path))
    for part in path[:-1]:
        data = data.get(part) if isinstance(data, dict) else None
    if not path or not isinstance(data, dict) or path[-1] not in data:
        return ()
    del data[path[-1]]
    return path
