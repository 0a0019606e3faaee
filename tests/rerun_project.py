"""Helpers: a project in git and DVC whose stages run through the real `recipe exec`, with engines that take no time.

bash takes functions from its environment, and `exec` passes that of machine.yaml on: `swift` and `python` in the compiled
scripts are the functions below. They write what each stage has to hand over, as digests of their options and of the bytes
that they read, so that other options and other bytes give other results, with exceptions that make equal ones: weight decay,
`on_bad`, and lines of data that begin with `#`.
"""

import contextlib
import copy
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import yaml
from compiling import recipe
from diff_project import commit
from run_project import BIN, repository

from runners.machine import link_data
from schema.machine import load_machine

SWIFT = """() {
  local said="" name="" word
  echo "$0" >>"$RAN"
  for word in "$@"; do
    case "$word" in --*) name=$word; continue ;; esac
    case "$name" in --weight_decay | --output_dir | --result_path | --deepspeed | --logging_* | --report_to) continue ;; esac
    if [ -e "$word" ]; then word=$(find "$word" -type f | sort | xargs cat | md5sum); fi
    said="$said $name $word"
  done
  mkdir -p "$RECIPE_OUT/checkpoints"
  printf '%s' "$said" | md5sum >"$RECIPE_OUT/digest"
  echo '{"format": 1, "held": {}, "before": [], "after": []}' >"$RECIPE_OUT/trainer.json"
}"""
PYTHON = """() {
  local to="" config="" name="" word said="" path rows share
  for word in "$@"; do
    case "$word" in --*) name=$word; continue ;; esac
    case "$name" in
      --to) to=$word ;;
      --config) config=$word ;;
      --predictions | --classes) said="$said $(md5sum <"$word")" ;;
      --metrics) said="$said $word" ;;
    esac
  done
  mkdir -p "$to"
  case "$2 $3" in
    "runners.prepare "*)
      echo "$0" >>"$RAN"
      path=$(sed -n 's/.*"path": "\\(.*\\)".*/\\1/p' "$config")
      rows=$(find -L "$path" -type f | sort | xargs cat | sed '/^#/d' | md5sum)
      share=$(sed -n '/"validation"/p' "$config")
      { echo "$rows"; sed '/"on_bad"/d' "$config"; } | md5sum >"$to/train.jsonl"
      case "$share" in *0.0*) ;; *) echo "$rows $share" >"$to/validation.jsonl" ;; esac
      echo '["cat", "dog"]' >"$to/classes.json"
      echo '{}' >"$to/report.json" ;;
    "runners.collect checkpoint")
      mkdir "$to/model"
      cp "$RECIPE_OUT/digest" "$to/model/weights"
      echo '{"train_loss": 0.5}' >"$to/metrics.json"
      printf 'step,loss\\n1,2.5\\n' >"$to/curve.csv" ;;
    "runners.collect model") mkdir "$to/model"; cp "$RECIPE_OUT/digest" "$to/model/weights" ;;
    "runners.collect predictions") cp "$RECIPE_OUT/digest" "$to/predictions.jsonl" ;;
    "runners.evaluate "*)
      echo "$0" >>"$RAN"
      printf '{"accuracy": "%s"}' "$(echo "$said" | md5sum)" >"$to/metrics.json"
      echo '{}' >"$to/report.json"
      printf 'actual,predicted\\ncat,cat\\n' >"$to/confusion.csv" ;;
  esac
}"""
RECIPE = {
    "version": 1,
    "name": "pets",
    "description": "What the tests run.",
    "seed": 7,
    "models": {"base": {"id": "tiny/qwen2-vl", "dtype": "float32"}},
    "datasets": {
        "pets": {"kind": "image-folder", "path": "data/pets", "prompt": "Which?", "split": {"validation": 0.25}},
        "rows": {"kind": "jsonl", "path": "data/rows.jsonl", "on_bad": "skip"},
    },
    "hardware": {"gpus": 0, "threads": 2},
    "stages": {
        "data": {"kind": "prepare", "dataset": "pets"},
        "more": {"kind": "prepare", "dataset": "rows"},
        "train": {
            "kind": "sft",
            "model": "base",
            "data": [{"data": "data.train"}, {"data": "more.train"}],
            "tuner": {"kind": "lora", "rank": 8},
            "optimizer": {"learning_rate": 0.0001, "weight_decay": 0.1},
            "batch": {"global": 4},
            "epochs": 1.0,
        },
        "merged": {"kind": "merge", "adapter": "train"},
        "answers": {"kind": "predict", "model": "merged", "data": "data.validation", "max_new_tokens": 8},
        "scores": {"kind": "evaluate", "predictions": "answers", "metrics": ["accuracy"]},
    },
}
MODEL = ".recipe/models/tiny--qwen2-vl"


@dataclass
class Project:
    """`root` is the project; its recipe is `recipe`, written as `style` says."""

    root: Path
    control: Path
    recipe: dict = field(default_factory=lambda: copy.deepcopy(RECIPE))
    head: str = ""
    file: str = "pets"

    @property
    def label(self) -> str:
        return self.recipe["name"]

    @property
    def out(self) -> Path:
        return self.root / "outputs" / self.label

    @property
    def lock(self) -> Path:
        return self.root / "pipelines" / self.label / "dvc.lock"

    def write(self, **style) -> None:
        """Write the recipe; `style` is for the YAML writer."""
        text = self.head + yaml.safe_dump(self.recipe, **{"sort_keys": False, **style})
        path = self.root / "recipes" / f"{self.file}.yaml"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)

    def copy(self, folder: Path) -> "Project":
        """The same project at another place."""
        shutil.copytree(self.root, folder / "project", symlinks=True)
        copied = Project(folder / "project", folder / "control", copy.deepcopy(self.recipe), self.head, self.file)
        copied.control.mkdir()
        copied.write_machine()
        return copied

    def write_machine(self, **more) -> None:
        functions = {"BASH_FUNC_swift%%": SWIFT, "BASH_FUNC_python%%": PYTHON, "RAN": str(self.control / "ran")}
        text = yaml.safe_dump({"env": functions, "allow_other_versions": True, **more})
        (self.root / "machine.yaml").write_text(text)

    def compile(self) -> None:
        code, _, err = recipe(self.root, "compile", f"recipes/{self.file}.yaml")
        assert code == 0, err

    def repro(self) -> tuple[set[str], bool]:
        """What a real `dvc repro` runs, and whether all went well. Mapped data is linked before, as by `recipe run`."""
        from dvc.exceptions import ReproductionError
        from dvc.repo import Repo

        ran = self.control / "ran"
        ran.unlink(missing_ok=True)
        environment = {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "RECIPE_QUIET": "1",
            "DVC_SITE_CACHE_DIR": str(self.control / "dvc"),
            "SHELL": "/bin/sh",
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(self.root.parent.parent / "bytecode"),  # programs start in half of the time
        }
        well = True
        link_data(self.root, load_machine(self.root))
        with contextlib.chdir(self.root), mock.patch.dict(os.environ, environment), Repo() as repo:
            try:
                repo.reproduce(targets=[f"pipelines/{self.label}/dvc.yaml"], on_error="keep-going")
            except ReproductionError:
                well = False
        lines = ran.read_text().splitlines() if ran.exists() else []
        assert len(lines) == len(set(lines)), "a stage ran twice"
        return {Path(line).stem for line in lines}, well


def make(folder: Path) -> Project:
    """The project, compiled, and run once."""
    project = Project(folder / "project", folder / "control")
    project.control.mkdir(parents=True)
    repository(project.root)
    (project.root / ".gitignore").write_text(".recipe/\n/outputs/\n/data/\nmachine.yaml\n")
    (project.root / "recipes").mkdir()
    for name in ("cat", "dog"):
        (project.root / "data/pets" / name).mkdir(parents=True)
        for number in range(2):
            (project.root / f"data/pets/{name}/{number}.png").write_text(f"{name} {number}\n")
    (project.root / "data/rows.jsonl").write_text('{"messages": 1}\n')
    (project.root / MODEL).mkdir(parents=True)
    (project.root / MODEL / "config.json").write_text("{}\n")
    project.write()
    project.write_machine()
    project.compile()
    commit(project.root)
    return project
