"""The real `swift sft` under `recipe exec`: what it holds is compared with the plan before its first step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runners.watch import held

RECIPE = """\
version: 1
name: demo
models: {base: {id: tiny/qwen2-vl, dtype: float32}}
datasets: {shapes: {kind: shapes, classes: [cat, dog], per_class: 4, prompt: What is it?, split: {validation: 0.2}}}
hardware: {gpus: 0, threads: 1}
stages:
  data: {kind: prepare, dataset: shapes}
  train:
    kind: sft
    model: base
    data: data.train
    tuner: {kind: lora, rank: 4, alpha: 8, dropout: 0.1}
    optimizer: {learning_rate: 1e-3}
    batch: {global: 2, micro: 2}
    max_steps: 2
    engine: {args: {external_plugins: [plugins/own.py], callbacks: [own]}}
"""
OWN = """\
from pathlib import Path

import transformers
from swift.callbacks import TrainerCallback, callbacks_map


class Own(TrainerCallback):
    def on_step_end(self, args, state, control, **given):
        with Path("steps").open("a") as steps:
            steps.write(f"{state.global_step} ")


callbacks_map["own"] = Own
"""
FASTER = """

create = transformers.Trainer.create_optimizer


def faster(self, *given, **named):
    optimizer = create(self, *given, **named)
    for group in optimizer.param_groups:
        group["lr"] = 0.5
    return optimizer


transformers.Trainer.create_optimizer = faster
"""
SECONDS = 240.0


@pytest.mark.engine
def test_a_trainer_is_held_to_its_plan(tmp_path: Path) -> None:
    root = compiled(tmp_path)
    (root / "plugins/own.py").write_text(OWN + FASTER)
    refused = execute(root, "train")
    assert refused.returncode == 1
    assert "error[R0514]" in refused.stderr
    assert "optimizer.learning_rate: planned 0.001, held 0.5" in refused.stderr
    assert not (root / "steps").exists()
    assert not list(root.glob("outputs/demo/train/*"))
    assert not list(root.glob(".recipe/checkpoints/*/checkpoints/checkpoint-*"))

    (root / "plugins/own.py").write_text(OWN)
    done = execute(root, "train")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert (root / "steps").read_text() == "1 2 "
    record = json.loads((root / "outputs/demo/train/run.json").read_text())
    everything_was_compared(record)
    swift, collect = record["argv"]
    assert swift[:2] == ["swift", "sft"]
    assert swift[swift.index("--callbacks") :] == ["--callbacks", "own", "recipe"]
    assert swift[swift.index("--external_plugins") + 1 :][:2] == ["plugins/own.py", "pipelines/watch.py"]
    assert collect[:4] == ["python", "-m", "runners.collect", "checkpoint"]
    assert str(tmp_path) not in json.dumps(record)


def everything_was_compared(record: dict) -> None:
    """Each option of the tables that the launch has, save one that ms-swift puts names of the model in place of."""
    trainer = record["trainer"]
    planned = record["identity"]["launch"][0]["options"]
    tables = {*held.ARGUMENTS, *held.LORA, "warmup_ratio", "per_device_train_batch_size", "max_length", "torch_dtype"}
    assert tables & planned.keys() - trainer["held"].keys() == {"target_modules"}
    groups = {f"optimizer.{name}" for name in (*held.GROUP, "beta1", "beta2")}
    assert groups | {"world_size", "gradient_checkpointing"} <= trainer["held"].keys()
    assert len(trainer["held"]) > 45
    assert trainer["held"]["learning_rate"] == 0.001
    assert trainer["held"]["optimizer.learning_rate"] == [0.001]
    assert trainer["held"]["lora_rank"] == 4
    assert trainer["after"] == []
    assert trainer["parameters"]["all"] > trainer["parameters"]["trainable"] > 0
    assert "target_modules" in trainer["not_compared"]
    assert not set(trainer["not_compared"]) & trainer["held"].keys()


def compiled(folder: Path) -> Path:
    """A project with the compiled recipe, its model and its data in place."""
    root = folder / "project"
    for name in ("recipes", "plugins", ".git"):
        (root / name).mkdir(parents=True)
    (root / "recipes/demo.yaml").write_text(RECIPE)
    python(root, "-m", "compiler", "compile", "recipes/demo.yaml")
    manifest = json.loads((root / "pipelines/demo/manifest.json").read_text())
    model = manifest["stages"]["train"]["inputs"]["model"]
    python(root, "-m", "runners.tiny_model", "--family", "qwen2_vl", "--to", model)
    python(root, "-m", "runners.exec", "pipelines/demo/data")
    return root


def execute(root: Path, stage: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "runners.exec", f"pipelines/demo/{stage}")
    return subprocess.run(
        command, cwd=root, env=os.environ | {"RECIPE_QUIET": "1"}, capture_output=True, text=True, timeout=SECONDS
    )


def python(folder: Path, *arguments: str) -> None:
    done = subprocess.run((sys.executable, *arguments), cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
