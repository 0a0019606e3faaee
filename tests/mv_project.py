"""A project of git and DVC with a really compiled recipe, whose engine is a function of the shell that takes no time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import yaml
from diff_project import commit
from run_project import Project, repository

RECIPE = """\
# yaml-language-server: $schema=../schema/recipe-v1.schema.json
version: 1
name: animals   # what it is called
description: "animals, and how they are told apart"
models: {base: {id: tiny/qwen2-vl, dtype: float32}}
datasets: {animals: {kind: jsonl, path: data/animals.jsonl, split: {validation: 0.5}}}
hardware: {gpus: 0}
stages:
  data: {kind: prepare, dataset: animals, task: classify}
  train:
    {kind: classify, model: base, data: data.train, classes: 2, tuner: {kind: full}, batch: {global: 2, micro: 2}, epochs: 1}
  answers: {kind: predict, model: train, data: data.validation}
  scores: {kind: evaluate, predictions: answers}
variants:
  short: {stages: {train: {max_steps: 1}, answers: null, scores: null}}
"""
EXTENDING = "version: 1\nname: plants\nextends: [./animals.yaml]  # the base\n"
ENGINE = """() {{
  echo "$1" >> {control}/ran
  case $1 in
    sft)
      echo '{{"format": 1, "held": {{}}, "before": [], "after": []}}' > "$RECIPE_OUT/trainer.json"
      mkdir -p "$RECIPE_OUT/checkpoints/checkpoint-1"
      cd "$RECIPE_OUT/checkpoints/checkpoint-1"
      echo '{{}}' > config.json
      printf '\\2\\0\\0\\0\\0\\0\\0\\0{{}}' > model.safetensors
      echo '{{"global_step": 1, "log_history": [{{"step": 1, "loss": 0.5}}]}}' > trainer_state.json
      cd - > {control}/null ;;
    infer)
      before=; for last; do [ "$before" != --val_dataset ] || data=$last; before=$last; done
      sed 's/}}$/, "response": 1}}/' "$data" > "$RECIPE_OUT/kept/raw.jsonl" ;;
  esac
}}"""
ROOT_STAGES = """\
stages:
  # of the repository as a whole: outputs/animals and what else there is
  shown:
    cmd: cp outputs/animals/scores/metrics.json shown.json
    deps: [outputs/animals/scores/metrics.json]
    outs: [shown.json]
"""
ROWS = [{"messages": [{"role": "user", "content": f"{n}?"}], "label": (n % 2 and "cat") or "dog"} for n in range(12)]


def make(folder: Path, *others: str) -> Project:
    """The project, compiled and committed; nothing has run. `others` are texts of more recipes, by their names."""
    project = Project(folder / "project", folder / "control")
    project.control.mkdir(parents=True)
    repository(project.root)
    with (project.root / ".gitignore").open("a") as file:
        file.write("/data/\n/machine.yaml\n")
    engine = ENGINE.format(control=project.control)
    files = {
        "recipes/animals.yaml": RECIPE,
        "data/animals.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS),
        "machine.yaml": yaml.safe_dump({"allow_other_versions": True, "env": {"BASH_FUNC_swift%%": engine}}),
        ".recipe/models/tiny--qwen2-vl/config.json": "{}\n",
        "dvc.yaml": ROOT_STAGES,
        **{f"recipes/{yaml.safe_load(text)['name']}.yaml": text for text in others},
    }
    for name, text in files.items():
        (project.root / name).parent.mkdir(parents=True, exist_ok=True)
        (project.root / name).write_text(text)
    done = project.recipe("compile")
    assert done.returncode == 0, done.stderr
    commit(project.root)
    return project


def run_all(project: Project) -> None:
    """Run everything and commit what DVC recorded; without a run cache to take results from."""
    done = project.dvc("repro", "-q", "dvc.yaml", "pipelines/animals/dvc.yaml", "pipelines/animals/short/dvc.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(project.root / ".dvc/cache/runs")
    commit(project.root, "results")
