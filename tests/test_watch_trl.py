"""TRL's trainers under watch: what they hold stands under TRL's names, and no identity counts the watch."""

from types import SimpleNamespace

import pytest
from compiling import plans, project
from test_watch import DEEPSPEED, OTHERS, SCALARS, Dtype, another, trainer

from compiler.render import render
from compiler.render.script import PLAN
from runners import trl_training
from runners.watch import report, trl
from runners.watch.compare import differences, planned
from schema.code import digests
from schema.signature import load

ADAPTER = {
    "lora_r": 16, "lora_alpha": 32, "lora_dropout": 0.05, "use_rslora": False, "use_dora": False,
    "lora_target_modules": ["q_proj", "v_proj"], "lora_modules_to_save": ["embed"], "load_in_4bit": False,
    "load_in_8bit": False, "use_peft": True,
}  # fmt: skip
LOADED = {"dtype": "bfloat16", "attn_implementation": "sdpa", "per_device_train_batch_size": 2, "warmup_steps": 0.05}
GRPO = {
    "num_generations": 8, "beta": 0.04, "temperature": 0.9, "top_p": 1.0, "top_k": 0, "epsilon": 0.2, "loss_type": "grpo",
    "scale_rewards": "group", "num_iterations": 1, "reward_weights": [1.0, 0.1], "max_completion_length": 64,
    "steps_per_generation": 2, "gradient_checkpointing": True, "use_vllm": False,
}  # fmt: skip
PROGRAM = ["python", "-m", "runners.trl_grpo"]


def identity(**more):
    """The document of a stage on eight processes."""
    options = {**SCALARS, **LOADED, **ADAPTER, **GRPO, **more, "model_name_or_path": {"input": "model"}}
    files = {"deepspeed": DEEPSPEED, "accelerate": {"num_processes": 8}}
    return {"launch": [{"program": PROGRAM, "options": options}], "env": {}, "files": files}


def holding(**changed):
    """A trainer of TRL that holds what is planned, save for some arguments."""
    found = trainer()
    for name, value in {**GRPO, **changed}.items():
        setattr(found.args, name, value)
    return found


def compared(held_by, document):
    plan = planned(document, trl.PROGRAMS)
    return differences(plan, trl.settings(held_by, held_by.args, plan))


def test_a_trainer_of_trl_that_holds_what_is_planned():
    assert compared(holding(), identity()) == []
    plan = planned(identity(), trl.PROGRAMS)
    held = trl.settings(holding(), holding().args, plan)
    assert set(plan) - set(held) == {"use_peft"}, "every other option of this plan is compared"
    assert plan["world_size"] == 8


@pytest.mark.parametrize("option", [name for name in GRPO if name != "reward_weights"])
def test_each_option_of_trls_own_trainers_is_compared(option):
    (found,) = compared(holding(**{option: another(GRPO[option])}), identity())
    assert (found.option, found.planned) == (option, GRPO[option])


@pytest.mark.parametrize("option", sorted({*ADAPTER, *LOADED} - {"use_peft"}))
def test_each_name_of_trl_is_compared(option):
    value = (ADAPTER | LOADED)[option]
    other = ["lm_head"] if isinstance(value, list) else "float16" if option == "dtype" else another(value)
    assert [found.option for found in compared(holding(), identity(**{option: other}))] == [option]


def test_the_trainers_own_say_comes_before_its_arguments():
    tampered = holding()
    tampered.temperature = 2.0
    (found,) = compared(tampered, identity())
    assert (found.option, found.planned, found.held) == ("temperature", 0.9, 2.0)


def test_what_stands_in_place_of_all_linear_is_not_compared():
    assert compared(holding(), identity(lora_target_modules=["all-linear"])) == []


@pytest.mark.parametrize("opened", [None, "vision", "aligner", "language"])
def test_the_parts_that_stay_are_compared(opened):
    """Of a full fine-tune, by the parameters that train."""
    names = {"vision": "model.visual.blocks.0.w", "aligner": "model.visual.merger.w", "language": "model.layers.0.w"}
    frozen = {"vision": True, "aligner": True, "language": False}
    if opened:
        frozen[opened] = not frozen[opened]
    full = holding()
    full.model = SimpleNamespace(
        config=SimpleNamespace(dtype=Dtype("bfloat16"), _attn_implementation="sdpa"),
        named_parameters=lambda: [
            (names[part], SimpleNamespace(requires_grad=not stays)) for part, stays in frozen.items()
        ],
    )
    plan = {"use_peft": False, "freeze_vision": True, "freeze_aligner": True, "freeze_language": False}
    found = [difference.option for difference in compared(full, identity(**plan))]
    assert found == ([f"freeze_{opened}"] if opened else [])


def test_the_names_are_trls():
    known = {name for command in ("sft", "dpo", "grpo") for name in load("trl", command).options}
    assert set(trl.OWN) | set(trl.NAMES.values()) | set(trl.BITS) <= known
    assert set(OTHERS) - known >= {"torch_dtype", "attn_impl"}, "so names that differ are told apart"


RECIPE = """\
version: 1
name: small
models: {base: {id: tiny/qwen2-vl, dtype: float32}}
datasets: {digits: {kind: digits, split: {validation: 0.2}}}
hardware: {gpus: 0}
stages:
  data: {kind: prepare, dataset: digits}
  train: {kind: sft, engine: trl, model: base, data: data.train}
"""


def test_a_script_names_the_plan_and_no_identity_counts_the_watch(tmp_path):
    (plan,) = plans(project(tmp_path, small=RECIPE) / "small.yaml").values()
    files = render(plan)
    assert "export RECIPE_PLAN=pipelines/small/train.json\n" in files["train.sh"]
    assert "RECIPE_PLAN" not in files["data.sh"]
    assert PLAN == report.PLAN == trl_training.PLAN
    (train, _) = plan.stage("train").launch.commands
    assert train.program in trl.PROGRAMS
    counted = digests(("runners.trl_sft", "runners.trl_grpo", "runners.trl_dpo"))
    assert "runners.trl_training" in counted
    assert [name for name in counted if "watch" in name] == []
