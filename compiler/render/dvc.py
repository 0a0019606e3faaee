"""The `dvc.yaml` of a pipeline: flat stages that run `recipe exec`, with their real inputs and outputs.

A stage depends on its identity document, not on its script: what cannot change the result reruns nothing. Everything
depends on the stage `compiled`, which fails when the recipe was edited and not compiled again. See docs of DVC 3.67.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from compiler.plan import Json, Plan, StagePlan

STAMP = "compiled.txt"
EXEC = "pipelines/exec.sh"
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def pipeline_yaml(plan: Plan) -> str:
    """The text of a pipeline's `dvc.yaml`."""
    up = "/".join([".."] * (plan.pipeline.count("/") + 1))
    stages = {"compiled": _compiled(plan, up)} | {stage.name: _stage(plan, stage, up) for stage in plan.stages}
    document: dict[str, Json] = {"stages": stages}
    plots = [
        {f"{up}/{stage.out}/{output.name}": {**output.plot, "title": f"{output.plot['title']} of {stage.name}"}}
        for stage in plan.stages
        for output in stage.outputs
        if output.plot
    ]
    if plots:
        document["plots"] = plots
    artifacts = {
        stage.name: {"path": f"{up}/{stage.out}/{output.name}", "type": "model"}
        for stage in plan.stages
        for output in stage.outputs
        if output.role == "model"
    }
    if artifacts:
        document["artifacts"] = artifacts
    return f"# Written by `recipe compile`; edit the recipe, not this file.\n{to_yaml(document)}"


def to_yaml(document: Json) -> str:
    """YAML in the order of the document, one line a value; in ASCII, where both of PyYAML's writers agree on every byte."""
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1_000_000))


def _literal(paths: Iterable[str]) -> list[str]:
    """Paths as DVC reads them, which takes `${` for the begin of a template; each once."""
    return [path.replace("${", "\\${") for path in dict.fromkeys(paths)]


def _compiled(plan: Plan, up: str) -> Json:
    """The stage that every other waits for: the compiled files still say what the recipe says."""
    return {
        "cmd": f"sh {EXEC} check {plan.pipeline}",
        "wdir": up,
        "deps": _literal([EXEC, *plan.files]),
        "outs": [f"{plan.outputs}/{STAMP}"],
    }


def _stage(plan: Plan, stage: StagePlan, up: str) -> Json:
    files = [f"{plan.pipeline}/{stage.name}.json"]
    files += [f"{plan.pipeline}/{stage.name}.{name}.json" for name in stage.launch.files]
    given = [path for i in stage.inputs for path in i.dependencies]
    document: dict[str, Json] = {
        "cmd": f"sh {EXEC} exec {plan.pipeline}/{stage.name}",
        "wdir": up,
        "deps": _literal([f"{plan.outputs}/{STAMP}", *files, *given, *_pictures(plan, stage)]),
    }
    # A plot under `plots:` of its stage would be drawn a second time, of its last column.
    for section, roles in (("outs", ("data", "model", "plot")), ("metrics", ("metrics",))):
        if paths := [f"{stage.out}/{output.name}" for output in stage.outputs if output.role in roles]:
            document[section] = paths
    return document


def _pictures(plan: Plan, stage: StagePlan) -> list[str]:
    """Folders of drawn pictures, beside the rows that name them."""
    drawn = {s.name for s in plan.stages if any(output.name == "images" for output in s.outputs)}
    return [f"{plan.outputs}/{i.stage}/images" for i in stage.inputs if i.stage in drawn and i.role != "classes"]
