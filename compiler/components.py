"""What a recipe hash is made of, down to the parts that a person can compare: what `recipe hash --explain` tells.

Everything follows from the plan, so two plans that differ in a key differ in a component that says where.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from compiler.passes.keys import inputs
from compiler.plan import Input, Json, Plan, StagePlan
from schema.components import APART, components, digest

STAGE_INTENT_TAG = "recipe-compiler/stage-intent/1"


@dataclass(frozen=True, slots=True)
class Explained:
    """A stage's key and everything in it; digests are 64 hex digits, and `lock` is null while nothing is pinned."""

    key: str
    own: str
    components: Mapping[str, str | None]
    """intent, launch, code, toolchain, lock, inputs."""
    launch: Mapping[str, str]
    """`commands`, `env` and each generated file, `files.NAME` → digest."""
    code: Mapping[str, str]
    """Module of our own runners → sha256 of its source."""
    toolchain: Mapping[str, str]
    """Package → version."""
    inputs: Mapping[str, Json]
    """Role → what the key counts for it."""


def explain(plan: Plan) -> dict[str, Explained]:
    """Stage → what its key is made of, in the order they run."""
    done = {stage.name: stage for stage in plan.stages}
    return {name: _explained(plan, stage, done) for name, stage in done.items()}


def of_recipe(plan: Plan) -> dict[str, str | None]:
    """The components of a whole recipe: its intent, and those of all stages together."""
    stages = {stage.name: components(stage.identity) for stage in plan.stages}
    pins = {name: found["lock"] for name, found in stages.items() if found["lock"]}
    parts = {part: digest({name: found[part] for name, found in stages.items()}) for part in (*APART, "launch")}
    return {
        "intent": plan.intent,
        "launch": parts["launch"],
        "code": parts["code"],
        "toolchain": parts["toolchain"],
        "lock": digest(pins) if pins else None,
        "inputs": digest(
            {stage.name: {given.role: _from(plan, given) for given in stage.inputs} for stage in plan.stages}
        ),
    }


def _from(plan: Plan, given: Input) -> Json:
    """Where an input comes from, by the name of its stage: what that stage does is in its own components."""
    if given.stage is None:
        return given.lock or {"unpinned": given.pinned}
    return {"product": given.path.removeprefix(f"{plan.outputs}/")}


def _explained(plan: Plan, stage: StagePlan, done: Mapping[str, StagePlan]) -> Explained:
    identity = stage.identity
    counted = inputs(stage, done)
    files = {f"files.{name}": digest(content) for name, content in identity["files"].items()}
    return Explained(
        stage.key,
        stage.own,
        {"intent": _intent(plan, stage), **components(identity), "inputs": digest(counted)},
        {"commands": digest(identity["launch"]), "env": digest(identity["env"]), **files},
        identity["code"],
        identity["toolchain"],
        counted,
    )


def _intent(plan: Plan, planned: StagePlan) -> str:
    """What the recipe says of a stage, and of the models and data sets that it names itself."""
    recipe = plan.instance.recipe
    named = {use.name for use in planned.stage.uses}
    said = {
        "stage": planned.stage.model_dump(mode="json", by_alias=True, exclude={"description"}, exclude_none=True),
        "seed": recipe.seed,
        "hardware": recipe.hardware.model_dump(mode="json") if planned.model else None,
        "models": {n: m.model_dump(mode="json", exclude_none=True) for n, m in recipe.models.items() if n in named},
        "datasets": {n: d.model_dump(mode="json", exclude_none=True) for n, d in recipe.datasets.items() if n in named},
    }
    return digest({"tag": STAGE_INTENT_TAG, **said})
