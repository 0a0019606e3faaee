"""The smoke variants of every recipe run to their end, with the real engines, in a project of their own.

They are called `smoke`, or end so. A recipe without a `smoke` variant has to be one that runs on a CPU as it is.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from forks import Forks

from compiler.passes import build
from compiler.plan import Plan
from runners import toolchains
from schema.load import load
from schema.signature import requirements
from schema.stages import Distill, Export, Quantize
from schema.toolchain import NEEDS_GPU, is_smoke

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
RECIPES = sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml"))
pytestmark = pytest.mark.smoke


def clone(folder: Path) -> Path:
    """A project as a fresh clone has it: what is committed and no outputs. The environment is this one."""
    folder.mkdir(parents=True)
    for name in ("recipes", "pipelines", ".dvc"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("cache", "tmp", "*.local", "dvc.lock")
        )
    for name in (".dvcignore", ".gitignore", "dvc.yaml", "Makefile"):
        shutil.copy(ROOT / name, folder / name)
    (ROOT / ".recipe" / "toolchains").mkdir(parents=True, exist_ok=True)
    (folder / ".recipe").mkdir()
    (folder / ".recipe" / "toolchains").symlink_to(ROOT / ".recipe" / "toolchains")  # 6 GB each: made once
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder


def do(folder: Path, *command: str | Path, activated: bool = False, **variables: str) -> str:
    """Run a command in a project, as from a shell in which no environment is activated."""
    environment = {"HOME": str(folder / "home"), "PATH": f"{BIN}:/usr/bin:/bin" if activated else "/usr/bin:/bin"}
    environment |= variables
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{run.stdout[-4000:]}\n{run.stderr[-4000:]}"
    return run.stdout + run.stderr


def runnable(recipe: str) -> list[tuple[str, str | None]]:
    """The instances of a recipe that run on a CPU."""
    loaded = load(ROOT / "recipes" / f"{recipe}.yaml", {})
    plans = {i.variant: build(loaded, i.variant) for i in loaded.instances if is_smoke(i.variant)}
    needs_gpu = {variant for variant, plan in plans.items() if {s.toolchain for s in plan.stages} & NEEDS_GPU.keys()}
    return [(recipe, variant) for variant in plans or (None,) if variant not in needs_gpu]


RUNS = [run for recipe in RECIPES for run in runnable(recipe)]


def name_of(run: tuple[str, str | None]) -> str:
    return "/".join(filter(None, run))


def plan_of(recipe: str, variant: str | None) -> Plan:
    return build(load(ROOT / "recipes" / f"{recipe}.yaml", {}), variant)


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder → sha256; records of runs tell times and are left out."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "run.json")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_there_are_recipes() -> None:
    assert {("quickstart", None), ("animals-lora", "smoke"), ("animals-lora", "trl-smoke")} <= set(RUNS)


LISTENER = """
import os, sys
def note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo") and not isinstance(arguments[-1], str):
        with open(os.environ["CONNECTIONS"], "a") as log:
            print(event, arguments[1:], sys.argv, file=log)
sys.addaudithook(note)
with open(os.environ["CONNECTIONS"] + ".started", "a") as log:
    print(*sys.orig_argv, file=log)
"""
"""Imported by every Python of a run when it starts: notes who asks for a connection, and for whose address."""


def watched(folder: Path, also: str = "") -> dict[str, str]:
    """Variables for runs whose hubs are at a port where nobody listens, and that note each connection they try.

    Every Python of theirs starts with `also`.
    """
    (folder / "listener").mkdir()
    (folder / "listener" / "sitecustomize.py").write_text(LISTENER + also)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}"
    hubs = dict.fromkeys(("MODELSCOPE_ENDPOINT", "HF_ENDPOINT", "MODELSCOPE_DOMAIN"), dead)
    return hubs | {"PYTHONPATH": str(folder / "listener"), "CONNECTIONS": str(folder / "connections")}


LONGEST_FIRST = sorted(RUNS, key=lambda run: -len(plan_of(*run).stages))


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """Processes that have loaded the engines: most of a smoke run would be that."""
    folder = tmp_path_factory.mktemp("forks")
    with Forks(folder / "sockets", {"HOME": str(folder), "PATH": f"{BIN}:/usr/bin:/bin"} | watched(folder)) as forks:
        yield forks
    assert not (folder / "connections").exists()


@pytest.fixture(scope="module", params=LONGEST_FIRST, ids=name_of)
def ran(
    request: pytest.FixtureRequest, forks: Forks, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Plan, Path, str]]:
    """A recipe that `dvc repro` has brought to its end, and what that printed."""
    plan = plan_of(*request.param)
    for name in {stage.toolchain for stage in plan.stages}:
        if sha256 := requirements(name):
            toolchains.make(ROOT, name, sha256, lambda: None)
    folder = clone(tmp_path_factory.mktemp(request.param[0]) / "project")
    printed = do(folder, BIN / "dvc", "repro", f"{plan.pipeline}/dvc.yaml", **watched(folder.parent, forks.client))
    yield plan, folder, printed
    shutil.rmtree(folder)


def test_everything_is_handed_over_and_recorded(ran: tuple[Plan, Path, str]) -> None:
    plan, folder, _ = ran
    for stage in plan.stages:
        for output in stage.outputs:
            assert (folder / stage.out / output.name).exists()
        assert json.loads((folder / stage.out / "run.json").read_bytes())["key"] == stage.key


def test_no_connection_is_even_tried(ran: tuple[Plan, Path, str]) -> None:
    """Not by DVC, not by our runners, not by an engine."""
    plan, folder, _ = ran
    started = (folder.parent / "connections.started").read_text()
    assert "dvc" in started and " exec " in started
    assert (
        "sft.py" in started
        or "trl_sft" in started
        or not any(stage.kind in ("sft", "classify") for stage in plan.stages)
    )
    tried = folder.parent / "connections"
    lines = tried.read_text().splitlines() if tried.exists() else []
    # A server on this machine is asked by the runner that started it, and by nobody else.
    asked = [line for line in lines if "/runners/ask.py" in line]
    assert [line for line in lines if line not in asked] == []
    assert all(line.startswith(("socket.getaddrinfo (", "socket.connect (('127.0.0.1', ")) for line in asked)
    assert bool(asked) == any(stage.kind == "deploy" for stage in plan.stages)


def test_no_output_is_bound_to_this_machine(ran: tuple[Plan, Path, str]) -> None:
    plan, folder, _ = ran
    for path in (folder / plan.outputs).rglob("*"):
        if path.is_file() and path.name != "run.json":
            assert str(folder).encode() not in path.read_bytes(), path


def test_a_second_time_there_is_nothing_to_do(ran: tuple[Plan, Path, str]) -> None:
    plan, folder, _ = ran
    assert "Running stage" not in do(folder, BIN / "dvc", "repro", f"{plan.pipeline}/dvc.yaml")
    file = f"recipes/{plan.instance.recipe.name}.yaml"
    variant = ["--variant", plan.instance.variant] if plan.instance.variant else []
    before = digests(folder / plan.outputs)
    do(folder, BIN / "recipe", "run", file, *variant)
    assert digests(folder / plan.outputs) == before


RISE = 0.15
"""How much the mean reward has to rise from the first to the last tenth of a training: by 0.29 to 0.33 with three seeds."""


def test_rewards_rise(ran: tuple[Plan, Path, str]) -> None:
    """Where a stage learns from rewards, it learns."""
    plan, folder, _ = ran
    for stage in plan.stages:
        if stage.kind == "grpo":
            metrics = json.loads((folder / stage.out / "metrics.json").read_bytes())
            assert metrics["reward_last_tenth"] >= metrics["reward_first_tenth"] + RISE
            with (folder / stage.out / "curve.csv").open() as file:
                rewards = [float(row["reward"]) for row in csv.DictReader(file)]
            assert len(rewards) == metrics["steps"]


def test_preferences_are_learned(ran: tuple[Plan, Path, str]) -> None:
    """The loss of DPO starts at ln 2, where policy and reference are the same, and falls."""
    plan, folder, _ = ran
    for stage in plan.stages:
        if stage.kind == "dpo":
            with (folder / stage.out / "curve.csv").open() as file:
                losses = [float(row["loss"]) for row in csv.DictReader(file) if row["loss"]]
            assert abs(losses[0] - math.log(2)) < 1e-3
            assert losses[-1] < 0.6


def test_tags_and_embeddings_are_learned(ran: tuple[Plan, Path, str]) -> None:
    """Classes that occur together are told apart, and a trained model finds the texts that one without training does not."""
    plan, folder, _ = ran
    metrics = {
        s.name: json.loads((folder / s.out / "metrics.json").read_bytes())
        for s in plan.stages
        if s.stage.gives == "scores"
    }
    for found in metrics.values():
        assert found.get("map", 1.0) >= 0.7
    if "found-before" in metrics:
        assert metrics["found"]["recall_at_1"] >= 0.8 > metrics["found-before"]["recall_at_1"] + 0.2


RISEN = {("okvqa", variant): 0.1 for variant in ("smoke", "gemma-smoke", "llama-smoke")}
"""Recipe and variant → by how much the VQA accuracy rises at least."""


def test_a_score_after_training_is_above_the_one_before(ran: tuple[Plan, Path, str]) -> None:
    plan, folder, _ = ran
    rise = RISEN.get((plan.instance.recipe.name, plan.instance.variant or ""))
    if rise is not None:
        before, after = (
            json.loads((folder / plan.outputs / f"scores-{when}" / "metrics.json").read_bytes())["vqa_accuracy"]
            for when in ("before", "after")
        )
        assert after >= before + rise


LEARNED = {
    "classification": ("accuracy", 0.3),
    "detection": ("map50", 0.3),
    "segmentation": ("miou", 0.2),
    "sequence": ("accuracy", 0.2),
}
"""Task of a student → a score, and by how much it rises over that of the untrained student."""


def test_students_learn(ran: tuple[Plan, Path, str]) -> None:
    """With a teacher and without; beside it stands what the teacher itself scores."""
    plan, folder, _ = ran
    for stage in plan.stages:
        if isinstance(stage.stage, Distill) and stage.stage.learns in LEARNED:
            name, rise = LEARNED[stage.stage.learns]
            metrics = json.loads((folder / stage.out / "metrics.json").read_bytes())
            assert metrics[f"eval_{name}"] >= metrics[f"before_{name}"] + rise
            if stage.stage.distillation != "none" and "logit" in stage.stage.student.facts.kinds:
                assert 0 <= metrics[f"teacher_{name}"] <= 1


KEPT = 0.15
"""How much of a score may be lost with 8-bit integers."""


def test_smaller_students_find_what_they_found(ran: tuple[Plan, Path, str]) -> None:
    """A student with integers, rounded after training or trained on for it, is smaller and keeps the score of its task."""
    plan, folder, _ = ran
    for stage in plan.stages:
        student = student_of(plan, stage.stage) if isinstance(stage.stage, Quantize) else None
        if student is not None:
            name, _ = LEARNED[student.learns]
            metrics = json.loads((folder / stage.out / "metrics.json").read_bytes())
            assert metrics["bytes_after"] < metrics["bytes_before"] / 2
            assert metrics[f"{name}_after"] >= metrics[f"{name}_before"] - KEPT


def student_of(plan: Plan, stage: Quantize) -> Distill | None:
    """The student that a stage makes smaller, itself or its export."""
    recipe = plan.instance.recipe
    source = recipe.stages.get(stage.model)
    return recipe.student(source.model if isinstance(source, Export) else stage.model)


def test_the_quickstart_learns_and_two_clones_agree(ran: tuple[Plan, Path, str], tmp_path: Path) -> None:
    """`make quickstart`, where each engine loads its libraries itself: the weights, answers and scores of the forks."""
    plan, folder, _ = ran
    if plan.instance.recipe.name != "quickstart":
        return
    second = clone(tmp_path / "second")
    (second / ".venv").symlink_to(BIN.parent)
    shown = do(second, "make", "--assume-old=.venv/engines", "quickstart")
    outputs = second / plan.outputs
    assert digests(outputs) == digests(folder / plan.outputs)
    metrics = json.loads((outputs / "scores/metrics.json").read_bytes())
    assert metrics["accuracy"] >= 0.80
    assert "accuracy" in shown and ".html" in shown
    with (outputs / "train/curve.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file) if row["loss"]]
    assert losses[-1] < losses[0] / 2
    shutil.rmtree(outputs / "scores")
    do(second, BIN / "dvc", "repro")
    assert digests(outputs) == digests(folder / plan.outputs)
