"""A real training, killed with -9 after a checkpoint and run again, ends with the weights of an unbroken training.

A full fine-tune is one hard case: given only `--resume_from_checkpoint`, either engine starts over from the base weights.
The last checkpoint is the other: resumed there, an engine makes one more step. A full fine-tune is killed there, too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from compiling import ROOT

from runners import signatures
from schema.toolchain import DEFAULT

RECIPE = """\
version: 1
name: demo
toolchain: {toolchain}
models: {{base: {{id: tiny/qwen2-vl, dtype: float32}}}}
datasets:
  shapes: {{kind: shapes, classes: [cat, dog], per_class: 10, prompt: What is it?, split: {{validation: 0.2}}}}
hardware: {{gpus: 0, threads: 2}}
stages:
  data: {{kind: prepare, dataset: shapes}}
  train:
    kind: sft
    engine: {engine}
    model: base
    data: data.train
    tuner: {tuner}
    optimizer: {{learning_rate: 1e-3}}
    batch: {{global: 2, micro: 2}}
    max_steps: 12
    gradient_checkpointing: false
    checkpoints: {{every: 2 steps, keep: 3}}
    logging: {{every: 1 steps}}
"""
TUNERS = {"lora": "{kind: lora, rank: 4, alpha: 8, dropout: 0.1}", "full": "{kind: full}"}
CASES = {
    "lora": {"engine": "ms-swift", "toolchain": DEFAULT, "tuner": TUNERS["lora"]},
    "full": {"engine": "ms-swift", "toolchain": DEFAULT, "tuner": TUNERS["full"]},
    "trl-full": {"engine": "trl", "toolchain": DEFAULT, "tuner": TUNERS["full"]},
    "trl1-lora": {"engine": "trl", "toolchain": "trl1", "tuner": TUNERS["lora"]},
}
SECONDS = 240.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model."""
    place = tmp_path_factory.mktemp("model") / "base"
    python(place.parent, "-m", "runners.tiny_model", "--family", "qwen2_vl", "--to", str(place))
    return place


@pytest.mark.engine
@pytest.mark.parametrize("kind", CASES)
def test_resume_after_a_kill(tmp_path: Path, model: Path, kind: str) -> None:
    root = compiled(tmp_path, model, **CASES[kind])
    python(root, "-m", "runners.exec", "pipelines/demo/data")
    resumed = root / "outputs/demo/train"
    killed_after(root, "checkpoint-*")
    if kind.endswith("full"):
        killed_after(root, "checkpoint-12")
    assert not (resumed / "model").exists()
    python(root, "-m", "runners.exec", "pipelines/demo/train")
    steps = json.loads((resumed / "run.json").read_text())["resumed_from"]
    assert len(steps) == 1 + kind.endswith("full")
    assert steps == sorted(steps)
    assert steps[0] >= 2
    broken = contents(resumed)
    assert any(name.endswith(".safetensors") for name in broken)
    python(root, "-m", "runners.exec", "pipelines/demo/train", "--force")
    assert json.loads((resumed / "run.json").read_text())["resumed_from"] == []
    unbroken = contents(resumed)
    assert [name for name in unbroken if unbroken[name] != broken.get(name)] == []
    assert set(broken) == set(unbroken)


def compiled(folder: Path, model: Path, **case: str) -> Path:
    """A project with the compiled recipe, its model and the environment of its toolchain in place."""
    root = folder / "project"
    (root / "recipes").mkdir(parents=True)
    (root / "recipes/demo.yaml").write_text(RECIPE.format(**case))
    python(root, "-m", "compiler", "compile", "recipes/demo.yaml")
    manifest = json.loads((root / "pipelines/demo/manifest.json").read_text())
    place = root / manifest["stages"]["train"]["inputs"]["model"]
    place.parent.mkdir(parents=True)
    place.symlink_to(model)
    signatures.interpreter(case["toolchain"])
    (root / ".recipe/toolchains").symlink_to(ROOT / ".recipe/toolchains")
    return root


def killed_after(root: Path, checkpoint: str) -> None:
    """Start the training, and kill exec with -9 as soon as there is such a checkpoint."""
    with (root / "output").open("w") as output:
        process = subprocess.Popen(
            (sys.executable, "-m", "runners.exec", "pipelines/demo/train"), cwd=root, stdout=output, stderr=output
        )
    deadline = time.monotonic() + SECONDS
    while not list(root.glob(f".recipe/checkpoints/*/checkpoints/{checkpoint}/trainer_state.json")):
        assert process.poll() is None, (root / "output").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.wait()


def contents(out: Path) -> dict[str, bytes]:
    files = (path for path in out.rglob("*") if path.is_file() and path.name != "run.json")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def python(folder: Path, *arguments: str) -> None:
    done = subprocess.run((sys.executable, *arguments), cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
