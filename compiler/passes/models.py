"""What each stage's model is for the engine: the pretrained model below it, its type, template and attention kernel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from compiler.attention import EAGER_ONLY, attention
from compiler.plan import Plan, ResolvedModel, StagePlan
from schema.diagnostics import Diagnostic
from schema.models import TINY, ModelSpec
from schema.recipe import Recipe
from schema.signature import ModelEntry, find_model, known_model_types, known_templates, model_problem, near, toolchain

TINY_TYPES = {
    "qwen2-vl": "qwen2_vl",
    "qwen2.5-vl": "qwen2_5_vl",
    "gemma3-vision": "gemma3_vision",
    "llama3.2-vision": "llama3_2_vision",
    "llava1.5-hf": "llava1_5_hf",
    "llava1.5-hf-v4": "llava1_5_hf",
    "qwen3": "qwen3",
}
"""Family of a tiny model → its model type, which is also the name of its template. `-v4`: as transformers 4 reads it."""

FETCHED = {"cogvlm": "AI-ModelScope/vicuna-7b-v1.5"}
"""Model type → the tokenizer that ms-swift's loader takes from ModelScope by itself, unless a folder of that path is there."""

IMAGE_NETWORKS = "timm/"
"""Ids under this owner are weights of students, also where a variant does not use them."""


def models(plan: Plan) -> Plan:
    """Every stage that runs a model, with what it resolves to."""
    recipe = plan.instance.recipe
    resolved: dict[str, ResolvedModel] = {}
    wrong: list[Diagnostic] = []
    uses = [use for stage in recipe.stages.values() for use in stage.uses]
    # Weights of a student are no model that an engine knows.
    weights = {use.name for use in uses} - {use.name for use in uses if use.role != "pretrained"}
    for name, spec in recipe.models.items():
        if name in weights or spec.id.startswith(IMAGE_NETWORKS):
            continue
        found = _resolve(plan, name, spec)
        if isinstance(found, ResolvedModel):
            resolved[name] = found
            wrong += (*_fetched(plan, found), *_no_kernel(plan, found))
        else:
            wrong += found
    stages = tuple(_with_model(stage, recipe, resolved) for stage in plan.stages)
    return replace(plan, stages=stages, diagnostics=(*plan.diagnostics, *wrong))


def _with_model(planned: StagePlan, recipe: Recipe, resolved: dict[str, ResolvedModel]) -> StagePlan:
    name = recipe.base_model(planned.name)
    model = resolved.get(name or "")
    if model is None:
        return planned
    packages = toolchain(recipe.toolchain_of(planned.name))
    kernel, why = attention(model.spec, model.type, recipe.hardware, packages)
    return replace(planned, model=replace(model, attention=kernel, why_attention=why))


def _resolve(plan: Plan, name: str, spec: ModelSpec) -> ResolvedModel | list[Diagnostic]:
    for field, known in (("type", known_model_types()), ("template", known_templates())):
        written = getattr(spec, field)
        if written is not None and written not in known:
            close = near(written, known)
            help = f"did you mean `{close[0]}`?" if close else f"write a {field} that ms-swift has"
            return [_error(plan, "R0315", f"ms-swift has no {field} `{written}`", help, name, field)]
    if spec.tiny:
        family = TINY_TYPES.get(spec.id.removeprefix(TINY))
        if family is None:
            help = "write one of " + ", ".join(f"`{TINY}{known}`" for known in TINY_TYPES)
            return [_error(plan, "R0315", f"there is no tiny model `{spec.id}`", help, name, "id")]
        return ResolvedModel(name, spec, spec.type or family, spec.template or spec.type or family)
    if spec.type is not None:
        return ResolvedModel(name, spec, spec.type, spec.template or spec.type)
    entries = find_model(spec.id)
    if not entries:
        problem = model_problem(spec.id)
        assert problem is not None
        return [_error(plan, "R0315", problem.message, problem.help, name, "id")]
    return list(_ambiguous(plan, name, entries)) or ResolvedModel(
        name, spec, entries[0].model_type, spec.template or entries[0].template or entries[0].model_type
    )


def _ambiguous(plan: Plan, name: str, entries: list[ModelEntry]) -> Iterator[Diagnostic]:
    types = sorted({entry.model_type for entry in entries})
    if len(types) > 1:
        help = "add `type:` with " + " or ".join(f"`{kind}`" for kind in types)
        yield _error(plan, "R0315", "the id fits several model types of ms-swift", help, name, "id")


def _fetched(plan: Plan, model: ResolvedModel) -> Iterator[Diagnostic]:
    """R0344: a part of the model that neither the lock nor `recipe fetch` knows."""
    if tokenizer := FETCHED.get(model.type):
        message = (
            f"the engine takes the tokenizer of a `{model.type}` from ModelScope when it runs, and no lock pins it"
        )
        help = f"put the files of `{tokenizer}` into a folder of that path in the project: the engine then downloads nothing"
        yield replace(_error(plan, "R0344", message, help, model.name, "id"), severity="warning")


def _no_kernel(plan: Plan, model: ResolvedModel) -> Iterator[Diagnostic]:
    """R0346: a kernel that the model's own code does not declare."""
    asked = model.spec.attention
    if model.type in EAGER_ONLY and asked not in ("auto", "eager"):
        message = f"the code of `{model.type}` declares no `{asked}`, and transformers refuses to load it with that"
        yield _error(plan, "R0346", message, "write `attention: eager`, or leave it out", model.name, "attention")


def _error(plan: Plan, code: str, message: str, help: str, model: str, field: str) -> Diagnostic:
    return Diagnostic(code, message, help, (plan.instance.at("models", model, field),))
