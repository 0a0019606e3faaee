"""A plan as files: the text of a pipeline's folder, a pure function of the plan."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from compiler.plan import Json, Plan, StagePlan
from compiler.render.dvc import pipeline_yaml
from compiler.render.script import beside, script
from schema.datasets.hub import OnHub, fetched
from schema.lock import Asset, Built, Local, lock_of
from schema.models import ModelSpec
from schema.pins import dataset_folder, model_folder, of_hub, of_model
from schema.signature import requirements
from schema.stages import Distill
from schema.training import TrainingStage

MANIFEST = "manifest.json"
FORMAT_VERSION = 1


def render(plan: Plan) -> dict[str, str]:
    """Name in the pipeline's folder → text. The manifest, which names the digests of the others, comes last."""
    files = {"dvc.yaml": pipeline_yaml(plan)}
    for stage in plan.stages:
        files[f"{stage.name}.sh"] = script(plan, stage)
        files[f"{stage.name}.json"] = pretty(stage.identity)
        files |= {f"{stage.name}.{name}.json": pretty(content) for name, content in stage.launch.files.items()}
        files |= {f"{stage.name}.{name}.sh": beside(plan, stage, name) for name in stage.launch.beside}
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
        "pinned": plan.pinned,
        "lock": plan.locked and lock_of(Path(plan.file)).as_posix(),
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
        "pins": {g.role: g.lock["sha256"] for g in stage.inputs if g.lock and "sha256" in g.lock},
        "checkpoints": "transformers" if stage.resumes else None,
        **_reports(stage),
        **_environment(stage),
    }


def _reports(stage: StagePlan) -> Json:
    """The service that is told of the stage. It stands here, and not in the script, for it has no part in the result."""
    http = stage.stage.logging.http if isinstance(stage.stage, TrainingStage | Distill) else None
    return {"reports": http.model_dump()} if http else {}


def _environment(stage: StagePlan) -> Json:
    """The toolchain that the stage runs in, by its name and the digest of what locks it; nothing for the default one."""
    sha256 = requirements(stage.toolchain)
    return {"toolchain": {"name": stage.toolchain, "sha256": sha256}} if sha256 else {}


def _downloads(plan: Plan) -> list[Json]:
    """What has to stand in the project before the stages run, and where it comes from."""
    recipe, lock = plan.instance.recipe, plan.lock
    models = [
        _download("model", spec, model_folder(spec, lock), of_model(spec, lock))
        for spec in recipe.models.values()
        if spec.path is None
    ]
    datasets = [
        _download("dataset", dataset, dataset_folder(dataset, lock), of_hub(dataset, lock))
        for dataset in recipe.datasets.values()
        if fetched(dataset)
    ]
    return [*models, *datasets]


def _download(kind: str, of: ModelSpec | OnHub, folder: str, pin: Asset | Built | Local | None) -> Json:
    """One download; the lock has the files of a pinned one, under this digest."""
    pinned = {"sha256": pin.sha256} if isinstance(pin, Asset) else {}
    return {"kind": kind, "id": of.id, "hub": of.hub, "revision": of.revision, "to": folder, **pinned}
