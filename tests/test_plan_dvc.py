"""`recipe plan` held against what a real `dvc repro` runs, over walks of edits: recipes, data, results and DVC's own files.

Before each step's `recipe compile` and `dvc repro`, the plan says what they will do. `run` and `moved` must have run, `reuse`
must not, `conditional` may go either way, and `blocked` must have failed.
"""

import json
import random
from collections import Counter
from dataclasses import dataclass, field

import pytest
from compiling import recipe
from rerun_edits import EDITS
from rerun_project import RECIPE, Project, make

SEED = 20
STEPS = 9
"""Edits of a walk, before the last, which takes the recipe back to where it began."""
WALKS = [
    ["learning_rate", "revert"],
    ["weight_decay", "data_goes_or_comes", "data_goes_or_comes"],
    ["pin", "rows_change", "unpin", "rows_with_equal_result"],
    ["name", "revert"],
]
"""Walks that must not be left to chance; the others are drawn."""


@dataclass
class Found:
    """What all walks together showed."""

    wrong: list[str] = field(default_factory=list)
    steps: int = 0
    actions: Counter = field(default_factory=Counter)
    conditional: Counter = field(default_factory=Counter)
    reasons: Counter = field(default_factory=Counter)


def drawn(rng):
    """Every edit at least once, some two at once, in walks of a few steps."""
    names = sorted(EDITS)
    rng.shuffle(names)
    steps = [[name, rng.choice(sorted(EDITS))] if rng.random() < 0.25 else [name] for name in names]
    return [[*steps[start : start + STEPS], ["revert"]] for start in range(0, len(steps), STEPS)]


def plan(project: Project):
    code, out, err = recipe(project.root, "plan", f"recipes/{project.file}.yaml", "--format", "json")
    document = json.loads(out)
    (pipeline,) = document["pipelines"]
    blocked = any(stage["action"] == "blocked" for stage in pipeline["stages"])
    assert (code, err) == (int(blocked), ""), document["diagnostics"]
    return {stage["stage"]: stage for stage in pipeline["stages"]}


def disagreement(stage, ran, well):
    """What is wrong about a decision; nothing when it came as it said."""
    action, name = stage["action"], stage["stage"]
    if action in ("run", "moved") and name not in ran:
        return "did not run"
    if action in ("reuse", "blocked") and name in ran:
        return "ran"
    return "was no failure" if action == "blocked" and well else ""


def step(project, edits, rng, found, walk):
    for name in edits:
        EDITS[name](project, rng)
    project.write()
    stages = plan(project)
    project.compile()
    ran, well = project.repro()
    found.steps += 1
    for name, stage in stages.items():
        reasons = ", ".join(f"{reason['kind']} {reason['what']}" for reason in stage["reasons"])
        if wrong := disagreement(stage, ran, well):
            found.wrong.append(f"{walk}: {name} was {stage['action']} ({reasons}) and {wrong}")
        found.actions[stage["action"]] += 1
        found.reasons.update({reason["kind"] for reason in stage["reasons"]})
        if stage["action"] == "conditional":
            found.conditional[name in ran] += 1
    if not well and not any(stage["action"] in ("blocked", "conditional") for stage in stages.values()):
        found.wrong.append(f"{walk}: dvc repro failed, and nothing was blocked")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """All walks, each in a copy of one project that has run."""
    folder = tmp_path_factory.mktemp("plan")
    start = make(folder / "start")
    ran, well = start.repro()
    assert (ran, well) == (set(RECIPE["stages"]), True)
    result, rng = Found(), random.Random(SEED)
    walks = [[[name] for name in walk] for walk in WALKS] + drawn(rng)
    for number, walk in enumerate(walks):
        project = start.copy(folder / str(number))
        for position, edits in enumerate(walk):
            before = " → ".join(" and ".join(names) for names in walk[: position + 1])
            step(project, edits, rng, result, f"walk {number}: {before}")
    return result


def test_dvc_runs_what_the_plan_says(found):
    assert not found.wrong, "\n".join(found.wrong)


def test_walks_are_many_and_meet_every_action(found):
    assert found.steps >= 50
    assert set(found.actions) == {"run", "moved", "conditional", "reuse", "blocked"}


def test_conditional_stages_go_either_way_and_are_the_fewer(found):
    assert found.conditional[True] >= 5 and found.conditional[False] >= 5
    total = sum(found.actions.values())
    assert found.actions["conditional"] < total / 2


def test_walks_meet_most_reasons(found):
    expected = {
        "option",
        "environment",
        "file",
        "data",
        "upstream",
        "never-ran",
        "unrecorded",
        "restored",
        "moved",
        "pin",
    }
    expected |= {
        "output-missing",
        "output-changed",
        "output-uncached",
        "data-missing",
        "pinned-bytes",
        "upstream-blocked",
    }
    assert not expected - set(found.reasons), found.reasons
