"""The second engine: TRL takes what is compiled, reads the rows as ms-swift does, and learns the same.

Measured with the tiny Qwen2-VL, the same rows, seed and hyper-parameters, on one thread: token ids, labels and grids are
equal. Pixels are equal where a picture is not resized; else they differ by one step of its 256 (Pillow in ms-swift's
helper, torchvision in transformers). Where a step sees all rows the losses of each differ by 1e-5 at most: the same
start, schedule, loss over all tokens of a step, and optimizer. Where a step sees a quarter of the rows single steps
differ, because ms-swift shuffles the rows when it reads them, before both engines shuffle them in each epoch with the
same seed: without that first shuffle each step sees the same rows, and the losses differ by 1e-5 at most again. The logged
learning rate is that of the step in TRL and of the next one in ms-swift.
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
from forks import Forks
from test_golden import argv_of

from compiler.render.root import ROOT_FILES
from runners.signatures import clean_environment

pytestmark = pytest.mark.engine

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
DATA = """\
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
"""
TRAINING = """\
  {training}-{engine}:
    kind: sft
    engine: {engine}
    model: base
    data: data.train
    tuner: {tuner}
    optimizer: {{learning_rate: 1e-3, weight_decay: 0.01}}
    batch: {{global: {batch}, micro: 2}}
    epochs: 8
    max_steps: {steps}
    gradient_checkpointing: false
    evaluation: {{data: data.validation, every: {half} steps, micro_batch: 2}}
    checkpoints: {{every: {half} steps}}
    logging: {{every: 1 steps, trackers: []}}
"""
ENGINES = ("ms-swift", "trl")
TRAININGS = {"all": ("{kind: full}", 16, 4), "some": ("{kind: lora, rank: 4, dropout: 0}", 4, 8)}
"""Training → what is trained, how many of the 16 rows a step sees, and steps."""
ONCE_SHUFFLED = "some-ms-swift-once-shuffled"
"""The run of `some` on ms-swift that leaves the rows as they are when it reads them."""
SECONDS = 400.0


def recipe(size=64):
    stages = [
        TRAINING.format(training=training, engine=engine, tuner=tuner, batch=batch, steps=steps, half=steps // 2)
        for training, (tuner, batch, steps) in TRAININGS.items()
        for engine in ENGINES
    ]
    return DATA.format(size=size) + "".join(stages)


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
    """A project with the compiled recipe, its model and its data; the folder of the data."""
    written = files(project(root, both=text) / "both.yaml")
    written |= {f"pipelines/{name}": content for name, content in ROOT_FILES.items()}
    for path, content in written.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")
    (plan,) = plans(root / "recipes" / "both.yaml").values()
    place = root / plan.stages[-1].input("model").path
    place.parent.mkdir(parents=True)
    place.symlink_to(model)
    out = plan.stage("data").out
    python(root, "-m", "runners.prepare", "--config", "pipelines/both/data.prepare.json", "--to", out)
    return root / out


@pytest.mark.parametrize("size", [56, 64])
def test_both_engines_make_the_same_batch_of_the_same_rows(tmp_path, model, size):
    data = prepared(tmp_path, model, recipe(size))
    python(tmp_path, HERE / "real_batches.py", model, data / "train.jsonl", data, tmp_path / "answer.json")
    told = json.loads((tmp_path / "answer.json").read_text(encoding="utf-8"))
    assert told["trl"] == told["ms-swift"]
    learnt = [[label for label in row if label != -100] for row in told["trl"]["labels"]]
    assert len(learnt) == 16
    assert all(0 < len(row) < 10 for row in learnt)
    one_step = 1 / 255 / 0.26  # of a picture's 256, normalised
    assert told["pixels"] < (1e-5 if size == 56 else 1.05 * one_step)


@pytest.fixture(scope="module")
def curves(tmp_path_factory, model):
    """Run → what was logged at each step: each training on each engine, and the one that shuffles once."""
    root = tmp_path_factory.mktemp("curves")
    prepared(root, model, recipe())
    script = root / "pipelines/both/some-ms-swift.sh"
    once = script.read_text(encoding="utf-8").replace("--dataset_shuffle true", "--dataset_shuffle false")
    script.with_stem(ONCE_SHUFFLED).write_text(once, encoding="utf-8")
    environment = clean_environment(str(root)) | {"TMPDIR": tempfile.gettempdir()}  # sockets want short names
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with Forks(root / "forks", environment) as forks:
        (root / "start").mkdir()
        (root / "start/sitecustomize.py").write_text(forks.client, encoding="utf-8")
        environment["PYTHONPATH"] += f"{os.pathsep}{root / 'start'}"
        runs = [*(f"{training}-{engine}" for training in TRAININGS for engine in ENGINES), ONCE_SHUFFLED]
        for run in runs:
            command = ("bash", f"pipelines/both/{run}.sh")
            own = environment | {"RECIPE_OUT": run}
            done = subprocess.run(command, cwd=root, env=own, capture_output=True, text=True, timeout=SECONDS)
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return {run: measured(root / run / "result") for run in runs}


def measured(folder):
    """What each step measured, with the evaluation after it if there was one."""
    found = {}
    for name in ("curve.csv", "evaluation.csv"):
        with (folder / name).open(encoding="utf-8") as rows:
            for row in csv.DictReader(rows):
                found.setdefault(row["step"], {}).update({name: float(value) for name, value in row.items() if value})
    return list(found.values())


def apart(ours, theirs, name):
    """How far two runs are from each other in each step where both measured."""
    return [abs(one[name] - other[name]) for one, other in zip(ours, theirs, strict=True) if name in one]


def assert_one(ours, theirs, steps):
    assert (len(ours), len(theirs)) == (steps, steps)
    assert max(apart(ours, theirs, "loss")) < 5e-5
    assert len(apart(ours, theirs, "eval_loss")) == 2
    assert max(apart(ours, theirs, "eval_loss")) < 5e-5


def test_the_curves_are_one_where_each_step_sees_all_rows(curves):
    ours, theirs = (curves[f"all-{engine}"] for engine in ENGINES)
    assert_one(ours, theirs, 4)
    assert all(steps[0]["loss"] - steps[-1]["loss"] > 0.5 for steps in (ours, theirs))


def test_the_order_of_rows_is_what_remains(curves):
    """With a quarter of the rows a step, single losses differ and their mean over both epochs hardly does."""
    ours, theirs = (curves[f"some-{engine}"] for engine in ENGINES)
    assert 1e-3 < max(apart(ours, theirs, "loss")) < 0.5
    first, second = (sum(step["loss"] for step in steps) / len(steps) for steps in (ours, theirs))
    assert abs(first - second) < 0.05
    assert max(apart(ours, theirs, "eval_loss")) < 0.05


def test_the_first_shuffle_of_ms_swift_is_all_of_that_order(curves):
    assert_one(curves[ONCE_SHUFFLED], curves["some-trl"], 8)


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
