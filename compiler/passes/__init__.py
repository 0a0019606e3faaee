"""From a recipe to a plan: the passes, in the order they run. Each adds its part to every stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from compiler.passes.batch import batch
from compiler.passes.check import check
from compiler.passes.identity import identity
from compiler.passes.keys import keys
from compiler.passes.launch import launch
from compiler.passes.models import models
from compiler.passes.order import order
from compiler.passes.pins import pins
from compiler.passes.toolchains import toolchains
from compiler.plan import Plan
from schema.diagnostics import RecipeError
from schema.load import Loaded

Pass = Callable[[Plan], Plan]

PASSES: tuple[Pass, ...] = (
    order,  # stages after what they use, with their inputs
    pins,  # whether the lock covers them
    models,  # what each model is for the engine
    batch,  # accumulation from the global batch
    launch,  # commands, environment and files, by the backend
    toolchains,  # the packages that each stage runs in, which its engine and model are part of
    check,  # every option against the engine's signature
    identity,  # what decides the result
    keys,  # stage keys and the recipe hash
)


CHECKING = PASSES[: PASSES.index(check) + 1]
"""The passes that can find something wrong."""


def build(loaded: Loaded, variant: str | None = None, passes: Sequence[Pass] = PASSES) -> Plan:
    """The plan of one instance of a recipe.

    Raises:
        RecipeError: there is no such variant, or a pass found errors.
    """
    instance = loaded.instance(variant)
    plan = Plan(instance, loaded.file, loaded.files, diagnostics=instance.findings, locked=loaded.lock)
    for step in passes:
        plan = step(plan)
        if step is check and any(diagnostic.severity == "error" for diagnostic in plan.diagnostics):
            raise RecipeError(plan.diagnostics)
    return plan
