"""Helpers: a project with what DVC and `recipe exec` would have left of a run, made by hand, and what the plan says of it."""

import hashlib
import json
from pathlib import Path

import yaml
from compiling import plans, project, recipe

from compiler.commands.check import STAMPED
from compiler.render import render
from compiler.rerun.steps import steps

RECIPE = """\
version: 1
name: small
models: {base: {id: tiny/qwen2-vl, dtype: float32}}
datasets:
  chat:
    kind: jsonl
    path: data/chat.jsonl
    split: {validation: 0.2}
hardware: {gpus: 0}
stages:
  data: {kind: prepare, dataset: chat}
  train:
    kind: sft
    model: base
    data: data.train
    optimizer: {learning_rate: 1e-4}
  answers: {kind: predict, model: train, data: data.validation}
"""
UP_TO_DATE = dict.fromkeys(("data", "train", "answers"), "reuse")


def finished(folder):
    """A project whose stages have all run."""
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "chat.jsonl").write_text("{}\n")
    project(folder, small=RECIPE)
    ran(folder)
    return folder


def md5(data):
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def store(root, data, ending=""):
    """Put bytes into DVC's cache; their md5."""
    name = md5(data) + ending
    path = root / ".dvc/cache/files/md5" / name[:2] / name[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o444)
    return name


def made(root, path):
    """A result of a stage, in place and in the cache; what dvc.lock says of it."""
    place = root / path
    if Path(path).suffix:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{path}\n")
        return {"path": path, "hash": "md5", "md5": store(root, place.read_bytes())}
    place.mkdir(parents=True, exist_ok=True)
    (place / "weights").write_text("1\n")
    listed = json.dumps([{"md5": store(root, b"1\n"), "relpath": "weights"}]).encode()
    return {"path": path, "hash": "md5", "md5": store(root, listed, ".dir"), "nfiles": 1}


def ran(root, label="small", keep=("data", "train", "answers")):
    """Compile, and leave what DVC and `recipe exec` would have left of a run."""
    assert recipe(root, "compile")[0] == 0
    plan = plans(root / "recipes" / "small.yaml")[label]
    entries = {}
    for step in steps(render(plan)["dvc.yaml"])[1:]:
        (root / plan.outputs).mkdir(parents=True, exist_ok=True)
        (root / plan.outputs / "compiled.txt").write_text(STAMPED)
        read = [
            {"path": p, "hash": "md5", "md5": md5((root / p).read_bytes())} for p in step.dependencies if Path(p).suffix
        ]
        read += [made(root, path) for path in step.dependencies if not Path(path).suffix]
        outs = [made(root, path) for path in step.outs]
        stage = plan.stage(step.name)
        record = {"format_version": 1, "stage": f"{label}/{step.name}", "key": stage.key, "identity": stage.identity}
        (root / stage.out / "run.json").write_text(json.dumps(record))
        if step.name in keep:
            entries[step.name] = {"cmd": step.command, "deps": read, "outs": outs}
    document = {"schema": "2.0", "stages": entries}
    (root / plan.pipeline / "dvc.lock").write_text(yaml.safe_dump(document))


def planned(root, *arguments, code=0):
    """Stage → its part of the document, of the first pipeline."""
    ended, out, err = recipe(root, "plan", *arguments, "--format", "json")
    assert (ended, err) == (code, "")
    document = json.loads(out)
    assert document["format_version"] == 1
    return {stage["stage"]: stage for stage in document["pipelines"][0]["stages"]}


def actions(stages):
    return {name: stage["action"] for name, stage in stages.items()}


def reasons(stage):
    return [(reason["kind"], reason["what"]) for reason in stage["reasons"]]
