"""Keys: digests of canonical JSON (RFC 8785) that name a stage's result and the whole recipe's.

own         = sha256(JCS(<stage>.json))
stage key   = sha256(JCS({tag, own, inputs: {role: upstream key or pinned content}}))
recipe hash = sha256(JCS({tag, stages: {name: stage key}}))
intent      = sha256(JCS(the recipe with its defaults, without nulls and what is only said to readers or services))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from compiler.plan import Input, Json, Plan, StagePlan
from schema.components import digest

STAGE_TAG = "recipe-compiler/stage/1"
RECIPE_TAG = "recipe-compiler/recipe/1"
INTENT_TAG = "recipe-compiler/intent/1"


def keys(plan: Plan) -> Plan:
    """Every stage with its key, upstream first, and the recipe hash."""
    done: dict[str, StagePlan] = {}
    for stage in plan.stages:
        own = digest(stage.identity)
        key = digest({"tag": STAGE_TAG, "own": own, "inputs": inputs(stage, done)})
        done[stage.name] = replace(stage, own=own, key=key)
    recipe_hash = digest({"tag": RECIPE_TAG, "stages": {name: stage.key for name, stage in done.items()}})
    return replace(plan, stages=tuple(done.values()), recipe_hash=recipe_hash, intent=_intent(plan))


def inputs(stage: StagePlan, done: Mapping[str, StagePlan]) -> dict[str, Json]:
    """Role → what the key counts for an input: a part of what another stage makes, or what pins it."""
    return {given.role: _content(given, done) for given in stage.inputs}


def _content(given: Input, done: Mapping[str, StagePlan]) -> Json:
    if given.stage is None:
        return given.lock or {"unpinned": given.pinned}
    key = done[given.stage].key
    return {"stage": key, "part": given.path.removeprefix(f"{done[given.stage].out}/")}


def _intent(plan: Plan) -> str:
    said_to_readers = {"description", "variants", "axes", "extends"}
    recipe = plan.instance.recipe.model_dump(mode="json", by_alias=True, exclude=said_to_readers, exclude_none=True)
    for stage in recipe["stages"].values():
        del stage["description"]
        stage.get("logging", {}).pop("http", None)
    return digest({"tag": INTENT_TAG, "recipe": recipe})
