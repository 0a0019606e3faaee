"""The commands and the environment in a run record: those that the programs of a launch really get, and nothing private."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest
from compiling import plans, project
from exec_project import Project, make, write_pipeline

from compiler.render import render
from runners import compiled, records
from runners.launched import RECORDED, launched, relative

ODD = ["", "a b", "it's", "line\nbreak", "$HOME `id`", "ü", "--x=-1", "*"]
SCRIPT = """\
set -euo pipefail
: "${RECIPE_OUT:?}"
export OMP_NUM_THREADS=3
export MAX_PIXELS=100
[ -n "${RECIPE_TRAINED:-}" ] || engine fit ODD \\
  --output_dir "$RECIPE_OUT/checkpoints" --model "${RECIPE_RESUME:-models/base}" \\
  ${RECIPE_RESUME:+--resume "$RECIPE_RESUME"}
other-engine "$RECIPE_OUT/result"
"""
ENGINE = """\
#!{python} -S
import json, os, sys
with open("seen", "a") as seen:
    seen.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + "\\n")
if sys.argv[0].endswith("other-engine"):
    os.makedirs(sys.argv[1] + "/model")
    open(sys.argv[1] + "/model/x", "w").close()
    open(sys.argv[1] + "/metrics.json", "w").close()
"""
IDENTITY = {
    "launch": [{"program": ["engine", "fit"], "options": {}}, {"program": ["other-engine"], "options": {}}],
    "env": {"MAX_PIXELS": "100", "ROOT": "x"},
}


@pytest.fixture
def engines(tmp_path: Path) -> Project:
    """A project whose stage calls two programs that note their arguments."""
    import shlex

    made = make(tmp_path)
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("engine", "other-engine"):
        (folder / name).write_text(ENGINE.format(python=sys.executable))
        (folder / name).chmod(0o755 | stat.S_IXUSR)
    made.environment["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
    write_pipeline(made, SCRIPT.replace("ODD", shlex.join(ODD)), IDENTITY, checkpoints=None)
    return made


def test_argv_is_what_the_programs_get(engines: Project) -> None:
    done = engines.run()
    assert done.returncode == 0, done.stderr
    seen = [json.loads(line) for line in (engines.root / "seen").read_text().splitlines()]
    assert engines.record["argv"] == seen
    assert seen[0][2 : 2 + len(ODD)] == ODD
    assert [command[0] for command in seen] == ["engine", "other-engine"], "asked for, they were not run a second time"
    assert engines.record["exit"] == 0


def test_resumed_and_trained(engines: Project) -> None:
    stage = compiled.load(engines.root / "pipelines/demo/train")
    given = {"RECIPE_OUT": "out", "PATH": os.environ["PATH"]}
    resumed = launched(stage, given | {"RECIPE_RESUME": "out/checkpoint-5"})["argv"]
    assert resumed[0][-4:] == ["--model", "out/checkpoint-5", "--resume", "out/checkpoint-5"]
    trained = launched(stage, given | {"RECIPE_RESUME": "x", "RECIPE_TRAINED": "1"})["argv"]
    assert trained == [["other-engine", "out/result"]]


def test_nothing_else_is_started(engines: Project) -> None:
    write_pipeline(engines, "set -e\nengine a\ntouch started\nengine b\n", IDENTITY)
    stage = compiled.load(engines.root / "pipelines/demo/train")
    assert launched(stage, {"PATH": os.environ["PATH"]})["argv"] == [["engine", "a"]]
    assert not (engines.root / "started").exists()


def test_environment_is_an_explicit_list(engines: Project) -> None:
    secrets = {"HF_TOKEN": "hf_secret", "AWS_SECRET_ACCESS_KEY": "very-secret", "MY_SECRET": "secret"}
    engines.environment |= secrets | {"NCCL_P2P_DISABLE": "1", "CUDA_VISIBLE_DEVICES": "3", "NCCL_DEBUG_FILE": "/x/y"}
    engines.environment |= {"NCCL_ALGO": "/an/absolute/path", "ROOT": "secret"}
    (engines.root / "machine.yaml").write_text(
        'env: {PYTORCH_CUDA_ALLOC_CONF: "max_split_size_mb:64", TOKEN: secret}\n'
    )
    write_pipeline(
        engines, (engines.root / "pipelines/demo/train.sh").read_text(), IDENTITY | {"env": {"MAX_PIXELS": ""}}
    )
    assert engines.run().returncode == 0
    assert engines.record["environment"] == {
        "CUDA_VISIBLE_DEVICES": "3",
        "MAX_PIXELS": "100",
        "NCCL_P2P_DISABLE": "1",
        "OMP_NUM_THREADS": "3",
        "PYTHONHASHSEED": "0",
        "PYTORCH_CUDA_ALLOC_CONF": "max_split_size_mb:64",
    }
    assert "secret" not in json.dumps(engines.record)


def test_nothing_of_this_machine_is_recorded(engines: Project) -> None:
    outside = f"{engines.root.parent}/elsewhere/plugin.py"
    script = (engines.root / "pipelines/demo/train.sh").read_text()
    write_pipeline(
        engines,
        script.replace("fit ", f"fit {engines.root}/inside.py {outside} /no_think "),
        IDENTITY,
        checkpoints=None,
    )
    assert engines.run().returncode == 0
    assert engines.record["argv"][0][2:5] == ["inside.py", "<outside the project>/plugin.py", "/no_think"]
    text = json.dumps(engines.record)
    assert str(engines.root.parent) not in text
    assert os.uname().nodename not in text.replace(engines.record["machine"]["cpu"], "")


def test_a_word_of_a_path(tmp_path: Path) -> None:
    assert relative(f"--x={tmp_path}/a", tmp_path) == "--x=a"


def test_compiled_scripts_tell_their_whole_launch(tmp_path: Path) -> None:
    """Every command of a compiled recipe, with all of its options, and the variables that it exports."""
    recipe = """\
version: 1
name: demo
models: {base: {id: tiny/qwen2-vl, dtype: float32, max_pixels: 1000}}
datasets: {shapes: {kind: shapes, classes: [cat, dog], split: {validation: 0.2}}}
hardware: {gpus: 0, threads: 2}
stages:
  data: {kind: prepare, dataset: shapes}
  train: {kind: sft, model: base, data: data.train}
  merged: {kind: merge, adapter: train}
  answers: {kind: predict, model: merged, data: data.validation}
  scores: {kind: evaluate, predictions: answers}
"""
    (plan,) = plans(project(tmp_path, demo=recipe) / "demo.yaml").values()
    folder = tmp_path / plan.pipeline
    folder.mkdir(parents=True)
    for name, text in render(plan).items():
        (folder / name).write_text(text)
    for planned in plan.stages:
        stage = compiled.load(folder / planned.name)
        told = launched(stage, {"RECIPE_OUT": "out", "PATH": os.environ["PATH"]})
        commands = planned.launch.written
        assert [argv[: len(c.program)] for argv, c in zip(told["argv"], commands, strict=True)] == [
            list(c.program) for c in commands
        ]
        for argv, command in zip(told["argv"], commands, strict=True):
            flags = {word.removeprefix("--").partition("=")[0] for word in argv if word.startswith("--")}
            assert set(command.options) - flags <= {"resume_from_checkpoint"}
            assert set(command.watch) <= flags
        if planned.name == "train":
            assert {"OMP_NUM_THREADS": "2", "MAX_PIXELS": "1000"}.items() <= told["environment"].items()
            assert "RECIPE_PLAN" not in told["environment"]


def test_the_list_names_nothing_private() -> None:
    words = ("TOKEN", "KEY", "PASS", "SECRET", "HOME", "PATH", "HOST", "ADDR")
    assert [name for name in RECORDED if any(word in name for word in words)] == ["TOKENIZERS_PARALLELISM"]


def test_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(
        records, "_ask", lambda *command: "NVIDIA H100 80GB HBM3, 81559, 570.86\nNVIDIA H100 80GB HBM3, [N/A], 570.86"
    )
    assert records._gpus() == {
        "gpus": ["NVIDIA H100 80GB HBM3"] * 2,
        "gpu_memory_mib": [81559, None],
        "gpu_driver": "570.86",
    }
