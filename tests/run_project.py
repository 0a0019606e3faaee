"""A project in a repository of git and DVC whose pipeline has quick programs for stages: data → train → scores."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from exec_project import IDENTITY, TRAINER

from compiler.render.root import EXEC, EXEC_NAME

BIN = Path(sys.executable).parent
SECONDS = 120.0
RECIPE = """\
version: 1
name: demo
models: {base: {id: tiny/qwen2-vl, dtype: float32}}
datasets: {digits: {kind: digits, prompt: Digit?, split: {validation: 0.2}}}
hardware: {gpus: 0}
stages:
  data: {kind: prepare, dataset: digits, task: classify}
  train:
    {kind: classify, model: base, data: data.train, classes: 10, tuner: {kind: full}, batch: {global: 4, micro: 4}, epochs: 1}
  answers: {kind: predict, model: train, data: data.validation}
  scores: {kind: evaluate, predictions: answers}
"""
DATA = """\
set -euo pipefail
echo data >> {control}/ran
[ ! -e {control}/fail ] || {{ echo "reading data/animals.txt"; echo "ValueError: a sad end" >&2; exit 3; }}
mkdir -p "$RECIPE_OUT/result"
cp data/animals.txt "$RECIPE_OUT/result/train.jsonl"
"""
TRAIN = """\
set -euo pipefail
echo "train gpus=${{CUDA_VISIBLE_DEVICES:-}} resume=${{RECIPE_RESUME:+yes}}" >> {control}/ran
mkdir -p "$RECIPE_OUT/result/model" "$RECIPE_OUT/checkpoints"
cp {control}/logging.jsonl "$RECIPE_OUT/checkpoints/"
python -S {trainer} --output_dir "$RECIPE_OUT/checkpoints" --control {control} --data data/animals.txt \\
  ${{RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"}}
cp "$RECIPE_OUT/checkpoints/checkpoint-6/adapter_model.safetensors" "$RECIPE_OUT/result/model/"
echo '{{"train_loss": 0.5}}' > "$RECIPE_OUT/result/metrics.json"
printf 'step,loss\\n1,2.5\\n2,1.5\\n6,0.5\\n' > "$RECIPE_OUT/result/curve.csv"
"""
SCORES = """\
set -euo pipefail
echo scores >> {control}/ran
mkdir -p "$RECIPE_OUT/result"
cp {control}/scores/* "$RECIPE_OUT/result/"
"""
LOGGED = {"loss": 2.5, "acc": 0.1, "global_step/max_steps": "1/6", "remaining_time": "1m 5s"}
AVERAGED = {f"f1_{average}": 0.75 for average in ("macro", "micro", "weighted")}
FILES = {
    "metrics.json": json.dumps({"accuracy": 0.75, **AVERAGED, "rows": 4, "unparsed": 0}),
    "report.json": json.dumps({"classes": {name: {"f1": 0.75, "rows": 2} for name in ("cat", "dog")}}),
    "confusion.csv": "actual,predicted\ncat,cat\ncat,dog\ndog,dog\ndog,dog\n",
}
STAGES = {
    "data": ("prepare", DATA, ["train.jsonl"], {"data": "data/animals.txt"}),
    "train": ("classify", TRAIN, ["model", "metrics.json", "curve.csv"], {"data": "outputs/demo/data/train.jsonl"}),
    "scores": (
        "evaluate",
        SCORES,
        ["metrics.json", "report.json", "confusion.csv"],
        {"model": "outputs/demo/train/model"},
    ),
}


@dataclass
class Project:
    """`root` is the project; in `control` its stages note that they run."""

    root: Path
    control: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def ran(self) -> list[str]:
        """A line for each time that a stage's script began."""
        path = self.control / "ran"
        return path.read_text().splitlines() if path.exists() else []

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command whose output nobody reads, in a session of its own."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.root, env=self._environment(), stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            command, cwd=self.root, env=self._environment(), capture_output=True, text=True, timeout=SECONDS
        )

    def recipe(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.call(str(BIN / "recipe"), *arguments)

    def dvc(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.call(sys.executable, "-m", "dvc", *arguments)

    def _environment(self) -> dict[str, str]:
        grace = {"RECIPE_GRACE": "0.5", "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(self.root.parent / "dvc")}
        return {**os.environ, **grace, **self.environment}


def repository(root: Path) -> None:
    """Make a folder one of git and DVC."""
    root.mkdir(parents=True, exist_ok=True)
    (root / ".gitignore").write_text(".recipe/\n/outputs/\n")
    subprocess.run(("git", "init", "-q", str(root)), check=True)
    subprocess.run((sys.executable, "-m", "dvc", "init", "-q"), cwd=root, check=True)
    (root / ".dvc/config").write_text("[core]\n    analytics = false\n    check_update = false\n")


def make(folder: Path) -> Project:
    """The project; its stage `compiled` is always content."""
    project = Project(folder / "project", folder / "control")
    (project.control / "scores").mkdir(parents=True)
    for name, text in FILES.items():
        (project.control / "scores" / name).write_text(text)
    (project.control / "logging.jsonl").write_text(f"{json.dumps(LOGGED)}\n")
    repository(project.root)
    for name, text in {
        "data/animals.txt": "cat dog horse\n",
        "recipes/demo.yaml": RECIPE,
        f"pipelines/{EXEC_NAME}": EXEC,
    }.items():
        (project.root / name).parent.mkdir(parents=True, exist_ok=True)
        (project.root / name).write_text(text)
    write_pipeline(project)
    return project


def write_pipeline(project: Project) -> None:
    """Write pipelines/demo as the compiler does."""
    pipeline = project.root / "pipelines/demo"
    pipeline.mkdir(exist_ok=True)
    files: dict[str, str] = {"dvc.yaml": yaml.safe_dump(_dvc_yaml(), sort_keys=False)}
    stages: dict[str, object] = {}
    for name, (kind, script, outs, inputs) in STAGES.items():
        files[f"{name}.sh"] = script.format(control=project.control, trainer=TRAINER)
        files[f"{name}.json"] = json.dumps(IDENTITY | {"kind": kind, "inputs": list(inputs)})
        key = hashlib.sha256(f"{project.root}/{name}".encode()).hexdigest()
        resumes = "transformers" if name == "train" else None
        about = {"kind": kind, "key": key, "out": f"outputs/demo/{name}", "outs": outs}
        stages[name] = {**about, "inputs": inputs, "checkpoints": resumes}
    for name, text in files.items():
        (pipeline / name).write_text(text)
    manifest = {
        "format_version": 1,
        "recipe": {"name": "demo", "variant": None, "file": "recipes/demo.yaml"},
        "recipe_hash": "0" * 64,
        "pinned": False,
        "files": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()},
        "downloads": [],
        "stages": dict(sorted(stages.items())),
    }
    (pipeline / "manifest.json").write_text(json.dumps(manifest))


def _dvc_yaml() -> dict[str, object]:
    compiled = {
        "cmd": "mkdir -p outputs/demo && echo same > outputs/demo/compiled.txt",
        "wdir": "../..",
        "deps": ["recipes/demo.yaml"],
        "outs": ["outputs/demo/compiled.txt"],
    }
    curve = {"../../outputs/demo/train/curve.csv": {"x": "step", "y": "loss"}}
    return {"stages": {"compiled": compiled, **{name: _stage(name) for name in STAGES}}, "plots": [curve]}


def _stage(name: str) -> dict[str, object]:
    _, _, outs, inputs = STAGES[name]
    return {
        "cmd": f"sh pipelines/exec.sh exec pipelines/demo/{name}",
        "wdir": "../..",
        "deps": ["outputs/demo/compiled.txt", f"pipelines/demo/{name}.json", *inputs.values()],
        "outs": [f"outputs/demo/{name}/{out}" for out in outs],
    }
