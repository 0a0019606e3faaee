"""The ignore list is true: trainings that differ in every ignored option at once leave the same adapter, byte for byte.

So do one that is watched and one that is not.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.numpy
from compiling import plans, project

from compiler.ignored import IGNORED_ENVIRONMENT, IGNORED_OPTIONS
from compiler.render import render
from compiler.render.root import PLUGIN, WATCH

RECIPE = """\
version: 1
name: demo
models: {base: {id: tiny/qwen2-vl, dtype: float32}}
datasets: {shapes: {kind: shapes, classes: [cat, dog], per_class: 6, prompt: What is it?, split: {validation: 0.2}}}
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
    max_steps: 12  # over the end of two epochs, where workers start anew
    gradient_checkpointing: false
    checkpoints: {every: 4 steps, keep: 3}
    evaluation: {data: data.validation}  # ms-swift links the best checkpoint, and fails where it knows of none
    logging: {trackers: [tensorboard]}
"""
OTHER = {
    "add_version": "true",
    "create_checkpoint_symlink": "true",
    "save_total_limit": "1",
    "logging_steps": "1",
    "logging_strategy": "epoch",
    "logging_dir": "another/logs",
    "report_to": "none",
    "run_name": "another",
    "project": "another",
    "swanlab_project": "another",
    "swanlab_exp_name": "another",
    "dataset_num_proc": "2",
    "dataloader_num_workers": "2",
    "dataloader_prefetch_factor": "3",
    "dataloader_pin_memory": "false",
    "ddp_timeout": "60",
}
"""Ignored option of `swift sft` → another value than it has in the compiled launch."""
ELSEWHERE = {
    "output_dir": "the two trainings write to folders of their own",
    "result_path": "of `swift infer`",
    "to": "of our own runners: tests/test_ignored.py",
    "from": "of our own runners: tests/test_ignored.py",
    "raw": "of our own runners: tests/test_ignored.py",
    "evaluation": "of our own runners: tests/test_ignored.py",
    "resume_from_checkpoint": "tests/engines/test_resume_real.py",
    "check_model": "asks the hub, which tests do not",
    "exist_ok": "of `swift export`",
    "served_model_name": "of `swift deploy`",
    "served-model-name": "of `vllm serve`",
    "vllm_server_host": "of `swift rlhf` with a server of vLLM, which needs a GPU",
    "vllm_server_port": "of `swift rlhf` with a server of vLLM, which needs a GPU",
}
"""Ignored option → where it is shown, or why it is not."""
OTHER_ENVIRONMENT = {"HF_HUB_OFFLINE": "0", "MODELSCOPE_CACHE": "elsewhere", "TOKENIZERS_PARALLELISM": "true"}
OUT = {"plain": "out", "other": "a/deeper/place"}
"""Training → the folder it writes to."""
SECONDS = 240.0


def test_every_ignored_option_is_accounted_for() -> None:
    assert sorted({**OTHER, **ELSEWHERE}) == sorted(IGNORED_OPTIONS)
    assert OTHER.keys() & ELSEWHERE.keys() == set()
    assert IGNORED_ENVIRONMENT.keys() - OTHER_ENVIRONMENT.keys() == {"CUDA_VISIBLE_DEVICES", "ROOT_IMAGE_DIR"}


@pytest.mark.engine
def test_ignored_options_leave_the_trained_bytes_alone(tmp_path: Path) -> None:
    script = prepared(tmp_path)
    (tmp_path / "other.sh").write_text(changed(script))
    trainings = {name: started(tmp_path, name) for name in OUT}  # at once: an engine starts slowly
    for name, training in trainings.items():
        assert training.wait(SECONDS) == 0, (tmp_path / f"{name}.log").read_text()[-3000:]
    plain, other = (adapter(tmp_path / OUT[name]) for name in trainings)
    assert sorted(plain) == ["adapter_config.json", "adapter_model.safetensors"]
    assert trained(plain["adapter_model.safetensors"])
    assert [name for name in plain if plain[name] != other[name]] == []
    watched = {name: (tmp_path / OUT[name] / "trainer.json").exists() for name in OUT}
    assert watched == {"plain": True, "other": False}


def prepared(root: Path) -> str:
    """A project with model and data in place; the script of its training."""
    (plan,) = plans(project(root, demo=RECIPE) / "demo.yaml").values()
    files = render(plan)
    (root / "data.prepare.json").write_text(files["data.prepare.json"])
    python(root, "-m", "runners.tiny_model", "--family", "qwen2_vl", "--to", plan.stage("train").input("model").path)
    python(root, "-m", "runners.prepare", "--config", "data.prepare.json", "--to", plan.stage("data").out)
    (root / plan.pipeline).mkdir(parents=True)
    (root / plan.pipeline / "train.json").write_text(files["train.json"])
    (root / PLUGIN).write_text(WATCH)
    script = files["train.sh"].partition("\npython -m runners.collect")[0]  # which looks for no versioned folders
    (root / "plain.sh").write_text(script)
    return script


def changed(script: str) -> str:
    """The script with the other values, in place of those it has or in addition, and without what watches it."""
    script, count = re.subn(r" \\\n  --external_plugins .*\n  --callbacks .*\n", "\n", script)
    assert count == 1
    for name, value in OTHER_ENVIRONMENT.items():
        script, count = re.subn(rf"^export {name}=.*$", f"export {name}={value}", script, flags=re.MULTILINE)
        assert count == 1
    for name in OTHER:
        script = re.sub(rf"^  --{name} .*\n", "", script, flags=re.MULTILINE)
    options = "".join(f"  --{name} {value} \\\n" for name, value in OTHER.items())
    script, count = re.subn(r"^  --output_dir ", options + "  --output_dir ", script, flags=re.MULTILINE)
    assert count == 1
    return script


def started(root: Path, name: str) -> subprocess.Popen[bytes]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"RECIPE_OUT": OUT[name], "PATH": path}
    with (root / f"{name}.log").open("wb") as log:
        return subprocess.Popen(("bash", f"{name}.sh"), cwd=root, env=environment, stdout=log, stderr=log)


def adapter(out: Path) -> dict[str, bytes]:
    """The files of the last checkpoint's adapter."""
    (checkpoint,) = (path for path in out.rglob("checkpoint-12") if not path.is_symlink())
    return {path.name: path.read_bytes() for path in sorted(checkpoint.glob("adapter_*"))}


def trained(weights: bytes) -> bool:
    """Whether the second factors of the adapter, which are zero at first, are so no longer."""
    return all(tensor.any() for name, tensor in safetensors.numpy.load(weights).items() if "lora_B" in name)


def python(folder: Path, *arguments: str) -> None:
    done = subprocess.run((sys.executable, *arguments), cwd=folder, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
