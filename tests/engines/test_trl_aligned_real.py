"""SFT, GRPO and DPO on TRL 0.29 and 1.x with a tiny LLaVA: adapters, references, runs that go on, what is watched.

One process loads TRL; each training is a fork of it and takes a second or two.
"""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path

import pytest
from compiling import files, launched, plans, project
from PIL import Image
from test_golden import argv_of
from test_trl_real import python

from runners import curve, signatures
from schema.toolchain import DEFAULT

pytestmark = pytest.mark.engine

HERE = Path(__file__).parent
SHARED = "optimizer: {learning_rate: 1e-2, schedule: constant, warmup_ratio: 0}, gradient_checkpointing: false"
EVERY = "checkpoints: {every: 2 steps}, logging: {every: 1 steps, trackers: []}"
RECIPE = f"""\
version: 1
name: aligned
models: {{base: {{id: tiny/llava1.5-hf, dtype: float32}}}}
datasets:
  pairs:
    kind: jsonl
    path: data/pairs.jsonl
    columns: {{prompt: question, answer: better, rejected: worse, image: image}}
hardware: {{gpus: 0, threads: 1}}
stages:
  lessons: {{kind: prepare, dataset: pairs}}
  preferences: {{kind: prepare, dataset: pairs, task: prefer}}
  questions: {{kind: prepare, dataset: pairs, task: solve}}
  taught:
    {{kind: sft, engine: trl, model: base, data: lessons.train, tuner: {{kind: lora, rank: 4, dropout: 0}},
    batch: {{global: 4, micro: 4}}, epochs: 9, max_steps: 6, {SHARED}, {EVERY}}}
  stacked:
    {{kind: dpo, engine: trl, model: taught, data: preferences.train, tuner: {{kind: lora, rank: 4, dropout: 0}},
    batch: {{global: 4, micro: 4}}, epochs: 9, max_steps: 4, {SHARED}, {EVERY}}}
  apart:
    {{kind: dpo, engine: trl, model: taught, adapter: new, data: preferences.train, tuner: {{kind: lora, rank: 2}},
    batch: {{global: 4, micro: 4}}, epochs: 9, max_steps: 2, {SHARED}, {EVERY}}}
  whole:
    {{kind: dpo, engine: trl, model: base, data: preferences.train, tuner: {{kind: full}}, sft_weight: 0.5,
    batch: {{global: 4, micro: 4}}, epochs: 9, max_steps: 4, {SHARED}, {EVERY}}}
  solved:
    {{kind: grpo, engine: trl, model: taught, data: questions.train, tuner: {{kind: lora, rank: 4, dropout: 0}},
    rewards: [{{kind: exact}}, {{kind: file, file: rewards/own.py, function: short, weight: 0.5}}],
    generations: 4, max_prompt_length: 64, max_completion_length: 8, temperature: 1.0,
    batch: {{global: 8, micro: 4}}, epochs: 9, max_steps: 4, {SHARED}, logging: {{every: 1 steps, trackers: []}},
    evaluation: {{data: questions.train, every: 2 steps, micro_batch: 8}},
    checkpoints: {{every: 2 steps, select: best, metric: eval_reward, higher_is_better: true}}}}
"""
REWARD = """\
def short(answer, solution):
    return 1.0 / (1 + len(answer))
"""
FASTER = """

import transformers

create = transformers.Trainer.create_optimizer


def faster(self, *given, **named):
    optimizer = create(self, *given, **named)
    for group in optimizer.param_groups:
        group["lr"] = 0.5
    return optimizer


transformers.Trainer.create_optimizer = faster
"""
RUNS = {
    "taught": ("taught", None),
    "stacked": ("stacked", None),
    "stacked-resumed": ("stacked", "stacked/checkpoints/checkpoint-2"),
    "apart": ("apart", None),
    "whole": ("whole", None),
    "whole-resumed": ("whole", "whole/checkpoints/checkpoint-2"),
    "solved": ("solved", None),
    "solved-resumed": ("solved", "solved/checkpoints/checkpoint-2"),
    "solved-unwatched": ("solved", None),
    "solved-faster": ("solved", None),
}
"""Run → the stage, and the checkpoint that it goes on from."""


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """A project with the model and the prepared data, which are the same for every TRL."""
    root = tmp_path_factory.mktemp("material") / "project"
    (root / "data").mkdir(parents=True)
    rows = []
    for number, name in enumerate(["red", "blue"] * 8):
        Image.new("RGB", (28, 28), name).save(root / "data" / f"{number}.png")
        other = "blue" if name == "red" else "red"
        rows.append({"image": f"{number}.png", "question": "Colour?", "better": name, "worse": other})
    (root / "data/pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "rewards").mkdir()
    (root / "rewards/own.py").write_text(REWARD)
    (root / "rewards/faster.py").write_text(REWARD + FASTER)
    plan = compiled(root, DEFAULT)
    python(
        root, "-m", "runners.tiny_model", "--family", "llava1_5_hf", "--to", plan.stage("taught").input("model").path
    )
    for name in ("lessons", "preferences", "questions"):
        config = f"pipelines/aligned/{name}.prepare.json"
        python(root, "-m", "runners.prepare", "--config", config, "--to", plan.stage(name).out)
    return root


def compiled(root, toolchain):
    """The plan of the recipe in a toolchain, its files written into a project."""
    recipes = project(root, aligned=f"{RECIPE}toolchain: {toolchain}\n")
    for path, content in files(recipes / "aligned.yaml").items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")
    (plan,) = plans(recipes / "aligned.yaml").values()
    return plan


@pytest.fixture(scope="module", params=[DEFAULT, "trl1"])
def ran(request, material, tmp_path_factory):
    """A folder with what each run wrote, and run → exit code and what it printed; in each toolchain that holds TRL."""
    root = tmp_path_factory.mktemp("aligned") / "project"
    shutil.copytree(material, root)
    plan = compiled(root, request.param)
    jobs = []
    for run, (stage, checkpoint) in RUNS.items():
        jobs.append(job(plan, stage, run, checkpoint))
        if run == "taught":
            out = plan.stage("taught").out
            collect = ["checkpoint", "--from", "taught/checkpoints", "--to", out]
            jobs.append({"module": "runners.collect", "argv": collect, "env": {"RECIPE_OUT": out}})
    jobs[-2]["env"]["RECIPE_PLAN"] = ""
    jobs[-1]["argv"] = [word.replace("rewards/own.py", "rewards/faster.py") for word in jobs[-1]["argv"]]
    (root / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    python(root, HERE / "real_alignment.py", "jobs.json", "told.json", program=signatures.interpreter(request.param))
    told = json.loads((root / "told.json").read_text(encoding="utf-8"))
    del told[1]  # of the collecting
    return root, dict(zip(RUNS, told, strict=True))


def job(plan, stage, run, checkpoint):
    """The trainer of a stage as its script starts it, without accelerate; it writes to a folder of the run's name."""
    command = next(c for c in plan.stage(stage).launch.commands if c.trains)
    _, (_, _, module, *argv) = launched(argv_of(command))
    argv = [word.replace("$RECIPE_OUT", run) for word in argv]
    if checkpoint:
        argv += ["--resume_from_checkpoint", checkpoint]
    whole = re.compile(r"\$\{RECIPE_RESUME:-(.*)\}")
    argv = [whole.sub(lambda found: checkpoint or found[1], word) for word in argv]
    return {
        "module": module,
        "argv": argv,
        "env": {"RECIPE_OUT": run, "RECIPE_PLAN": f"pipelines/aligned/{stage}.json"},
    }


def history(root, run):
    """What the trainer measured at each step, without times."""
    last = sorted((root / run / "checkpoints").glob("checkpoint-*"))[-1]
    return curve.points(json.loads((last / "trainer_state.json").read_text())["log_history"])


def weights(root, run):
    """Name → bytes of the weights of the last checkpoint, at any depth."""
    last = sorted((root / run / "checkpoints").glob("checkpoint-*"))[-1]
    return {path.relative_to(last).as_posix(): path.read_bytes() for path in last.rglob("*.safetensors")}


def test_every_training_comes_to_its_end(ran):
    _, told = ran
    assert {run: done["code"] for run, done in told.items()} == dict.fromkeys(RUNS, 0) | {"solved-faster": 1}, (
        "\n".join(done["printed"][-2000:] for run, done in told.items() if done["code"] and run != "solved-faster")
    )


def test_an_adapter_that_goes_on_is_compared_with_itself_as_it_was(ran):
    """The loss of DPO starts at ln 2, where the policy is the reference, and the reference is in no checkpoint."""
    root, _ = ran
    losses = [point["loss"] for point in history(root, "stacked")]
    assert abs(losses[0] - math.log(2)) < 1e-5
    assert losses[-1] < losses[0] - 0.01
    assert list(weights(root, "stacked")) == ["adapter_model.safetensors"]


def test_a_new_adapter_is_compared_with_the_one_that_was_handed_over(ran):
    root, _ = ran
    assert abs(history(root, "apart")[0]["loss"] - math.log(2)) > 1e-4
    assert list(weights(root, "apart")) == ["adapter_model.safetensors"]
    last = sorted((root / "apart/checkpoints").glob("checkpoint-*"))[-1]
    assert json.loads((last / "adapter_config.json").read_text())["r"] == 2


@pytest.mark.parametrize("run", ["stacked", "whole", "solved"])
def test_a_run_that_goes_on_ends_as_one_that_was_not_cut(ran, run):
    """With the same reference: a checkpoint's own weights would be another one."""
    root, _ = ran
    assert weights(root, f"{run}-resumed") == weights(root, run)
    assert history(root, f"{run}-resumed") == history(root, run)


def test_the_reward_is_the_weighted_sum_and_chooses_the_checkpoint(ran):
    """TRL logs the plain sum, and hands evaluations' rewards to nobody."""
    root, _ = ran
    points = history(root, "solved")
    assert len(points) == 4
    for point in points:
        assert point["reward"] == pytest.approx(point["rewards/exact/mean"] + 0.5 * point["rewards/short/mean"])
    state = json.loads((root / "solved/checkpoints/checkpoint-4/trainer_state.json").read_text())
    assert state["best_metric"] == pytest.approx(
        max(point["eval_reward"] for point in points if "eval_reward" in point)
    )
    assert state["best_model_checkpoint"]


def test_the_watch_changes_nothing(ran):
    root, _ = ran
    assert weights(root, "solved-unwatched") == weights(root, "solved")
    assert not (root / "solved-unwatched/trainer.json").exists()


def test_what_was_reviewed_is_what_runs(ran):
    """Each setting of the plan that the trainer holds was compared, before the first step and after the last."""
    root, _ = ran
    for run in ("taught", "stacked", "whole", "solved"):
        told = json.loads((root / run / "trainer.json").read_text())
        assert (told["before"], told["after"]) == ([], [])
        assert len(told["held"]) > 45
        assert told["held"]["optimizer.learning_rate"] == [0.01]
        assert {"dtype", "attn_implementation", "loss_type", "world_size"} <= told["held"].keys()
    assert told["held"]["num_generations"] == 4
    assert told["held"]["reward_weights"] == [1.0, 0.5]
    assert told["held"]["lora_r"] == 4
    assert json.loads((root / "whole/trainer.json").read_text())["held"]["freeze_vision"] is True


def test_a_changed_learning_rate_stops_it_before_the_first_step(ran):
    root, told = ran
    assert "optimizer.learning_rate: planned 0.01, held 0.5" in told["solved-faster"]["printed"]
    assert not list((root / "solved-faster/checkpoints").glob("checkpoint-*"))
