"""Rules of stages that learn from rewards and preferences: what is refused, where, and that its neighbours are not."""

import pytest
from compiling import plans, project, quoted

from schema.load import load

GRPO = {"kind": "grpo", "model": "base", "data": "solved.train", "rewards": [{"kind": "exact"}]}
DPO = {"kind": "dpo", "model": "base", "data": "chosen.train"}
SFT = {"kind": "sft", "model": "base", "data": "written.train"}
FULL = {"kind": "full"}


def document(stages, gpus=1):
    rows = {"kind": "jsonl", "path": "data/rows.jsonl", "split": {"validation": 0.1}}
    prepared = {
        name: {"kind": "prepare", "dataset": "rows", "task": task}
        for name, task in (("solved", "solve"), ("chosen", "prefer"), ("written", "generate"))
    }
    return {
        "version": 1,
        "name": "small",
        "models": {"base": {"id": "Qwen/Qwen3-8B"}},
        "datasets": {"rows": rows | {"columns": {"prompt": "q", "answer": "a", "rejected": "r"}}},
        "hardware": {"gpus": gpus},
        "stages": prepared | stages,
    }


def found(folder, stages, gpus=1):
    """(code, line) of what rules find, without packages that are not locked."""
    path = project(folder, small=quoted(document(stages, gpus))) / "small.yaml"
    (instance,) = load(path, {}).instances
    return [finding.code for finding in instance.findings if finding.code != "R0314"]


def grpo(**more):
    return {"train": GRPO | more}


def reward(**fields):
    return grpo(rewards=[fields])


def after(second, tuner=None):
    """A stage after supervised fine-tuning with an adapter."""
    return {"taught": SFT | ({"tuner": tuner} if tuner else {}), "train": second | {"model": "taught"}}


EVALUATED = {"data": "solved.validation", "every": "epoch"}
REFUSED = [
    (grpo(batch={"global": 12}), 1, "R0317"),
    (grpo(batch={"global": 4}), 1, "R0317"),
    (grpo(generations=3, batch={"global": 16}), 1, "R0317"),
    (grpo(evaluation=EVALUATED), 1, "R0317"),
    (grpo(evaluation=EVALUATED | {"micro_batch": 4}), 1, "R0317"),
    (reward(kind="format", pattern="("), 1, "R0318"),
    (reward(kind="format", pattern="a{2,1}"), 1, "R0318"),
    (reward(kind="exact", extract="<answer>.*</answer>"), 1, "R0318"),
    (reward(kind="numeric", extract="(?:a)"), 1, "R0318"),
    (reward(kind="label-f1", extract="[a"), 1, "R0318"),
    (reward(kind="length", at_least=5, at_most=4), 1, "R0318"),
    (reward(kind="path", path="polite"), 1, "R0318"),
    (reward(kind="path", path="rewards/polite.py"), 1, "R0318"),
    (reward(kind="path", path="rewards..polite"), 1, "R0318"),
    (reward(kind="file", file="/rewards/polite.py"), 1, "R0312"),
    (reward(kind="file", file="../polite.py"), 1, "R0311"),
    (grpo(rollout={"engine": "vllm"}), 0, "R0319"),
    (grpo(rollout={"engine": "vllm", "mode": "server"}), 1, "R0319"),
    (grpo(rollout={"engine": "vllm", "tensor_parallel": 3}), 4, "R0319"),
    (grpo(evaluation=EVALUATED | {"micro_batch": 8}, checkpoints={"select": "best"}), 1, "R0320"),
    (grpo(evaluation=EVALUATED | {"micro_batch": 8}, early_stopping={"patience": 2}), 1, "R0320"),
    (after(DPO | {"tuner": FULL}), 1, "R0321"),
    (after(GRPO | {"tuner": FULL}), 1, "R0321"),
    ({"train": DPO | {"adapter": "new"}}, 1, "R0321"),
    (after(DPO | {"tuner": {"kind": "lora", "rank": 16}}), 1, "R0322"),
    (after(DPO, tuner={"kind": "lora", "rank": 16}), 1, "R0322"),
    (after(GRPO | {"tuner": {"kind": "lora", "target_modules": ["q_proj"]}}), 1, "R0322"),
    ({"train": DPO | {"tuner": {"kind": "lora", "init": "pissa"}}}, 1, "R0323"),
    (grpo(tuner={"kind": "lora", "init": "olora"}), 1, "R0323"),
    (after(DPO | {"adapter": "new", "tuner": {"kind": "lora", "init": "loftq"}}), 1, "R0323"),
    ({"train": DPO | {"loss_type": "hinge", "label_smoothing": 0.1}}, 1, "R0324"),
    ({"train": DPO | {"loss_type": "exo_pair"}}, 1, "R0324"),
    ({"train": GRPO | {"data": "chosen.train"}}, 1, "R0307"),
    ({"train": DPO | {"data": "solved.train"}}, 1, "R0307"),
    ({"train": DPO | {"data": "written.train"}}, 1, "R0307"),
    ({"train": SFT | {"data": "chosen.train"}}, 1, "R0307"),
]
ACCEPTED = [
    (grpo(), 1),
    (grpo(generations=2, batch={"global": 4, "micro": 1}), 1),
    (grpo(evaluation=EVALUATED | {"micro_batch": 8}), 1),
    (grpo(evaluation=EVALUATED | {"micro_batch": 2}, batch={"global": 16}), 4),
    (reward(kind="exact", extract="<answer>(.*?)</answer>"), 1),
    (reward(kind="length", at_least=4, at_most=4), 1),
    (reward(kind="path", path="rewards.polite.polite"), 1),
    (grpo(rollout={"engine": "vllm", "tensor_parallel": 2}), 4),
    (grpo(rollout={"engine": "vllm", "mode": "server", "host": "sampler"}), 1),
    (grpo(beta=0, tuner={"kind": "lora", "init": "pissa"}), 1),
    (after(DPO), 1),
    (after(GRPO), 1),
    (after(DPO | {"tuner": {"kind": "lora", "rank": 16}}, tuner={"kind": "lora", "rank": 16}), 1),
    (after(DPO | {"adapter": "new", "tuner": {"kind": "lora", "rank": 4}}), 1),
    (after(DPO | {"tuner": {"kind": "lora", "init": "pissa"}}, tuner={"kind": "lora", "init": "pissa"}), 1),
    ({"train": DPO | {"tuner": FULL}}, 1),
    ({"train": DPO | {"loss_type": "exo_pair", "label_smoothing": 0.01}}, 1),
]


def test_the_batch_that_is_proposed_is_one(tmp_path):
    """It is divided by accumulation as well as by groups: 33 would be the next error on eight GPUs."""
    path = project(tmp_path, small=quoted(document(grpo(generations=3, batch={"global": 32}), 8))) / "small.yaml"
    (instance,) = load(path, {}).instances
    (finding,) = [finding for finding in instance.findings if finding.code == "R0317"]
    assert finding.help == "write `global: 24`, or another `generations`"
    assert found(tmp_path / "mended", grpo(generations=3, batch={"global": 24}), 8) == []


@pytest.mark.parametrize(("stages", "gpus", "code"), REFUSED)
def test_refused(tmp_path, stages, gpus, code):
    assert found(tmp_path, stages, gpus) == [code]


@pytest.mark.parametrize(("stages", "gpus"), ACCEPTED)
def test_accepted(tmp_path, stages, gpus):
    assert found(tmp_path, stages, gpus) == []


@pytest.mark.parametrize(
    ("stage", "field", "value"),
    [
        (GRPO, "generations", 1),
        (GRPO, "temperature", 0),
        (GRPO, "top_k", 1),
        (GRPO, "beta", -0.1),
        (GRPO, "rewards", []),
        (DPO, "beta", 0),
        (DPO, "label_smoothing", 0.5),
        (DPO, "label_smoothing", 0.6),
    ],
)
def test_a_value_with_which_nothing_would_be_learned_is_refused(tmp_path, stage, field, value):
    """Tried with a tiny model: with `beta: 0` or `label_smoothing: 0.5` DPO's loss stays ln 2 and no weight moves."""
    path = project(tmp_path, small=quoted(document({"train": stage | {field: value}}))) / "small.yaml"
    with pytest.raises(Exception, match=field):
        load(path, {})


def test_an_adapter_that_goes_on_stands_on_the_first_model(tmp_path):
    chain = {
        "taught": SFT,
        "polite": DPO | {"model": "taught"},
        "sharp": GRPO | {"model": "polite"},
        "merged": {"kind": "merge", "adapter": "sharp"},
    }
    (plan,) = plans(project(tmp_path, small=quoted(document(chain))) / "small.yaml").values()
    for name in ("polite", "sharp", "merged"):
        assert plan.stage(name).input("base").path == ".recipe/models/Qwen--Qwen3-8B"
    options = plan.stage("sharp").launch.commands[1].options
    assert options["adapters"] == options["ref_adapters"]
    assert options["adapters"].path == "outputs/small/polite/model"


@pytest.mark.parametrize(("iterations", "resumes"), [(1, True), (2, False)])
def test_a_run_does_not_go_on_without_the_answers_it_was_to_use_again(tmp_path, iterations, resumes):
    """Tried with a tiny model: with one update from each answer a resumed run ends with the same bytes, with more it does not."""
    path = project(tmp_path, small=quoted(document(grpo(iterations=iterations)))) / "small.yaml"
    (plan,) = plans(path).values()
    assert plan.stage("train").resumes is resumes
