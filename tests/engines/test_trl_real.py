"""The second engine: TRL takes what is compiled, reads the rows as ms-swift does, and learns the same.

Measured with the tiny Qwen2-VL, the same rows, seed and hyper-parameters, on one thread: token ids, labels and grids are
equal. Pixels are equal where a picture is not resized; else they differ by one step of its 256 (Pillow in ms-swift's
helper, torchvision in transformers). Where a step sees all rows the losses of eight steps differ by 1e-5 at most, for an
adapter and for all weights: the same start, schedule, loss over all tokens of a step, and optimizer. Where a step sees a
quarter of the rows single steps differ, most likely because ms-swift shuffles the rows and then draws from them, and
TRL draws only. The logged learning rate is that of the step in TRL and of the next one in ms-swift.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from compiling import files, launched, plans, project
from test_golden import argv_of

from compiler.render.root import ROOT_FILES
from runners.signatures import clean_environment

pytestmark = pytest.mark.engine

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ENGINES = ("ms-swift", "trl")
RECIPE = """\
version: 1
name: both
models: {{base: {{id: tiny/qwen2-vl, dtype: float32}}}}
datasets:
  shapes:
    kind: shapes
    classes: [red, green, blue, gold]
    per_class: 5
    size: {size}
    prompt: Which color is it?
    system: You are a helpful assistant.
    split: {{validation: 0.2}}
hardware: {{gpus: 0, threads: 1}}
stages:
  data: {{kind: prepare, dataset: shapes}}
  train:
    kind: sft
    engine: {engine}
    model: base
    data: data.train
    tuner: {tuner}
    optimizer: {{learning_rate: 1e-3, weight_decay: 0.01}}
    batch: {{global: {batch}, micro: 2}}
    epochs: 8
    max_steps: 8
    gradient_checkpointing: false
    evaluation: {{data: data.validation, every: 4 steps, micro_batch: 2}}
    checkpoints: {{every: 4 steps}}
    logging: {{every: 1 steps, trackers: []}}
"""
LORA = "{kind: lora, rank: 4, dropout: 0}"
SECONDS = 400.0


def recipe(engine="trl", tuner=LORA, batch=16, size=64):
    return RECIPE.format(engine=engine, tuner=tuner, batch=batch, size=size)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny random model."""
    place = tmp_path_factory.mktemp("model") / "base"
    python(place.parent, "-m", "runners.tiny_model", "--family", "qwen2_vl", "--to", str(place))
    return place


def python(folder, *arguments, program=sys.executable):
    environment = clean_environment(str(folder)) | {"OMP_NUM_THREADS": "1"}
    command = (program, *map(str, arguments))
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def prepared(root, model, text):
    """A project with the compiled recipe, its model and its data."""
    written = files(project(root, both=text) / "both.yaml")
    written |= {f"pipelines/{name}": content for name, content in ROOT_FILES.items()}
    for path, content in written.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")
    (plan,) = plans(root / "recipes" / "both.yaml").values()
    place = root / plan.stage("train").input("model").path
    place.parent.mkdir(parents=True)
    place.symlink_to(model)
    out = plan.stage("data").out
    python(root, "-m", "runners.prepare", "--config", "pipelines/both/data.prepare.json", "--to", out)
    return root / out


@pytest.mark.parametrize("size", [56, 64])
def test_both_engines_make_the_same_batch_of_the_same_rows(tmp_path, model, size):
    data = prepared(tmp_path, model, recipe(size=size))
    python(tmp_path, HERE / "real_batches.py", model, data / "train.jsonl", data, tmp_path / "answer.json")
    told = json.loads((tmp_path / "answer.json").read_text(encoding="utf-8"))
    assert told["trl"] == told["ms-swift"]
    learnt = [[label for label in row if label != -100] for row in told["trl"]["labels"]]
    assert len(learnt) == 16
    assert all(0 < len(row) < 10 for row in learnt)
    one_step = 1 / 255 / 0.26  # of a picture's 256, normalised
    assert told["pixels"] < (1e-5 if size == 56 else 1.05 * one_step)


def curves(root, model, **options):
    """Engine → what it logged at each step, of trainings that run side by side."""
    running = {}
    for engine in ENGINES:
        prepared(root / engine, model, recipe(engine, **options))
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {"RECIPE_OUT": "out", "PATH": path, "TMPDIR": tempfile.gettempdir()}  # sockets want short names
        environment = clean_environment(str(root / engine)) | own
        with (root / f"{engine}.log").open("wb") as log:
            command = ("bash", "pipelines/both/train.sh")
            running[engine] = subprocess.Popen(command, cwd=root / engine, env=environment, stdout=log, stderr=log)
    for engine, training in running.items():
        assert training.wait(SECONDS) == 0, (root / f"{engine}.log").read_text()[-3000:]
    return {engine: curve(root / engine / "out/result/curve.csv") for engine in ENGINES}


def curve(file):
    with file.open(encoding="utf-8") as rows:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(rows)]


def apart(found, name):
    """How far the engines are from each other in each step where both measured."""
    pairs = [(ours[name], theirs[name]) for ours, theirs in zip(*found.values(), strict=True) if name in ours]
    return [abs(ours - theirs) for ours, theirs in pairs]


@pytest.mark.parametrize("tuner", [LORA, "{kind: full}"], ids=["lora", "full"])
def test_the_curves_are_one_where_each_step_sees_all_rows(tmp_path, model, tuner):
    found = curves(tmp_path, model, tuner=tuner)
    assert [len(steps) for steps in found.values()] == [8, 8]
    assert all(steps[0]["loss"] - steps[-1]["loss"] > 0.5 for steps in found.values())
    assert max(apart(found, "loss")) < 5e-5
    assert len(apart(found, "eval_loss")) == 2
    assert max(apart(found, "eval_loss")) < 5e-5


def test_the_order_of_rows_is_what_remains(tmp_path, model):
    """With a quarter of the rows a step, single losses differ and their mean over both epochs hardly does."""
    found = curves(tmp_path, model, batch=4)
    assert 1e-3 < max(apart(found, "loss")) < 0.5
    first, second = (sum(step["loss"] for step in steps) / len(steps) for steps in found.values())
    assert abs(first - second) < 0.05
    assert max(apart(found, "eval_loss")) < 0.05


@pytest.fixture(scope="module")
def conforming(tmp_path_factory):
    """(what was compiled, accelerate's arguments or an error), for all TRL commands of recipes and golden cases."""
    root = tmp_path_factory.mktemp("conforming")
    sources = [*(ROOT / "recipes").glob("*.yaml"), *(ROOT / "tests/golden").glob("trl*/recipe.yaml")]
    asked = []
    for source in sources:
        name = source.stem if source.stem != "recipe" else source.parent.name
        recipes = project(root, **{name: source.read_text("utf-8")})
        for plan in plans(recipes / f"{name}.yaml").values():
            for stage in plan.stages:
                asked += [(plan, stage, command) for command in stage.launch.commands if of_trl(command)]
        for path, text in files(recipes / f"{name}.yaml").items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
    questions = []
    for _, _, command in asked:
        ours, theirs = launched(argv_of(command))
        questions.append([ours[2:], theirs[3:]])
    wrong = [[ours, [*theirs, "--lora_rank", "4"]] for ours, theirs in questions[:1]]
    (root / "questions.json").write_text(json.dumps([*questions, *wrong]), encoding="utf-8")
    python(root, HERE / "real_trl.py", root / "questions.json", root / "answers.json")
    *answers, refused = json.loads((root / "answers.json").read_text(encoding="utf-8"))
    assert "lora_rank" in refused["error"]  # so that silence means something
    return [(*which[:2], answer) for which, answer in zip(asked, answers, strict=True)]


def of_trl(command):
    """Whether accelerate starts one of TRL's programs with it."""
    return command.launcher is not None and command.signature is not None and command.signature[0] == "trl"


def test_accelerate_and_trl_take_every_compiled_command(conforming):
    labels = {plan.label for plan, _, _ in conforming}
    assert {"animals-lora/trl", "animals-lora/trl-smoke", "trl", "trl-nodes", "trl-nodes/sharded"} <= labels
    sizes = {f"qwen2-vl-grpo/{size}-{run}-trl" for size in ("2b", "7b", "72b") for run in ("test", "full")}
    assert sizes | {"dpo/trl", "trl-rlhf"} <= labels
    assert [(plan.label, answer["error"]) for plan, _, answer in conforming if "error" in answer] == []


def test_accelerate_does_what_its_configuration_says(conforming):
    """Its loader drops what it does not know inside of `deepspeed_config`, so the arguments that come out are looked at."""
    for plan, stage, answer in conforming:
        hardware, deepspeed = plan.instance.recipe.hardware, stage.stage.deepspeed
        assert answer["num_processes"] == hardware.world
        assert answer["num_machines"] == hardware.nodes
        assert answer["use_deepspeed"] is (deepspeed is not None)
        assert answer["multi_gpu"] is (deepspeed is None and hardware.world > 1)
        assert answer["use_cpu"] is (hardware.gpus == 0)
        assert answer["module"] is True
        if deepspeed:
            assert answer["deepspeed_config_file"] == f"{plan.pipeline}/{stage.name}.deepspeed.json"
            assert answer["zero3_init_flag"] is deepspeed.startswith("zero3")
            assert answer["deepspeed_multinode_launcher"] == "standard"
        if hardware.nodes > 1:
            assert (answer["machine_rank"], answer["main_process_port"]) == (1, 29500)
