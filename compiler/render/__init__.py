"""A plan as files: the text of a pipeline's folder, a pure function of the plan."""

from __future__ import annotations

import hashlib
import json

from compiler.plan import Json, Plan, StagePlan
from compiler.render.dvc import pipeline_yaml
from compiler.render.script import script
from schema.datasets.hub import HubDataset

MANIFEST = "manifest.json"
FORMAT_VERSION = 1


def render(plan: Plan) -> dict[str, str]:
    """Name in the pipeline's folder → text. The manifest, which names the digests of the others, comes last."""
    files = {"dvc.yaml": pipeline_yaml(plan)}
    for stage in plan.stages:
        files[f"{stage.name}.sh"] = script(plan, stage)
        files[f"{stage.name}.json"] = pretty(stage.identity)
        files |= {f"{stage.name}.{name}.json": pretty(content) for name, content in stage.launch.files.items()}
    files[MANIFEST] = pretty(_manifest(plan, files))
    return files


def pretty(document: Json) -> str:
    """JSON for eyes and diffs; the same document is always the same text."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _manifest(plan: Plan, files: dict[str, str]) -> Json:
    recipe = plan.instance.recipe
    return {
        "format_version": FORMAT_VERSION,
        "recipe": {"name": recipe.name, "variant": plan.instance.variant, "file": plan.file},
        "recipe_hash": plan.recipe_hash,
        "intent": plan.intent,
        "pinned": False,
        "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()},
        "downloads": _downloads(plan),
        "stages": {stage.name: _stage(stage) for stage in plan.stages},
    }


def _stage(stage: StagePlan) -> Json:
    return {
        "kind": stage.kind,
        "key": stage.key,
        "out": stage.out,
        "outs": [output.name for output in stage.outputs],
        "inputs": {given.role: given.path for given in stage.inputs if given.path},
        "checkpoints": "transformers" if stage.resumes else None,
    }


def _downloads(plan: Plan) -> list[Json]:
    """What has to stand in the project before the stages run, and where it comes from."""
    recipe = plan.instance.recipe
    models = [
        {"kind": "model", "id": spec.id, "hub": spec.hub, "revision": spec.revision, "to": spec.folder}
        for spec in recipe.models.values()
        if spec.path is None
    ]
    datasets = [
        {"kind": "dataset", "id": d.id, "hub": d.hub, "revision": d.revision, "to": d.folder}
        for d in recipe.datasets.values()
        if isinstance(d, HubDataset)
    ]
    return [*models, *datasets]
