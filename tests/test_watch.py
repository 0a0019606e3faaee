"""What a trainer holds against what was planned: every option of the tables, normal forms, and what is told when."""

from __future__ import annotations

import copy
import json
import math
from enum import Enum
from pathlib import Path
from types import SimpleNamespace

import pytest

from runners.watch import held, report, swift
from runners.watch.compare import Difference, deepspeed, differences, normal, planned

PROGRAM = ("swift", "sft")
SCALARS = {
    "learning_rate": 1e-4, "lr_scheduler_type": "cosine", "weight_decay": 0.1, "adam_beta1": 0.9, "adam_beta2": 0.95,
    "adam_epsilon": 1e-8, "max_grad_norm": 1.0, "optim": "adamw_torch", "num_train_epochs": 2.0, "max_steps": 5,
    "per_device_eval_batch_size": 1, "gradient_accumulation_steps": 8, "seed": 42, "data_seed": 43, "bf16": True,
    "fp16": False, "save_strategy": "steps", "save_steps": 500, "eval_strategy": "no", "eval_steps": 7,
    "metric_for_best_model": "eval_loss", "greater_is_better": False, "load_best_model_at_end": False,
    "label_smoothing_factor": 0.0, "dataloader_drop_last": False, "average_tokens_across_devices": True,
    "full_determinism": False, "torch_compile": False, "use_liger_kernel": False, "ignore_data_skip": False,
    "save_only_model": False, "eval_delay": 0.0, "eval_on_start": False, "auto_find_batch_size": False,
    "use_cpu": False,
}  # fmt: skip
ADAPTER = {
    "lora_rank": 16, "lora_alpha": 32.0, "lora_dropout": 0.05, "lora_bias": "none", "use_rslora": False,
    "use_dora": False, "init_weights": "true", "target_modules": ["q_proj", "v_proj"], "modules_to_save": ["embed"],
}  # fmt: skip
OTHERS = {
    "warmup_ratio": 0.05, "per_device_train_batch_size": 2, "max_length": 2048, "torch_dtype": "bfloat16",
    "attn_impl": "sdpa", "tuner_type": "lora",
}  # fmt: skip
DEEPSPEED = {
    "zero_optimization": {"stage": 2, "overlap_comm": True},
    "bf16": {"enabled": "auto"},
    "train_batch_size": "auto",
    "steps_per_print": 2000,
}
IDENTITY = {
    "launch": [{"program": list(PROGRAM), "options": {**SCALARS, **ADAPTER, **OTHERS, "model": {"input": "model"}}}],
    "env": {"NPROC_PER_NODE": "4", "NNODES": "2"},
    "files": {"deepspeed": DEEPSPEED},
}


class Parameter:
    """A tensor, as far as anybody asks it."""

    def __init__(self, size: int, trains: bool) -> None:
        self.requires_grad = trains
        self.size = size

    def numel(self) -> int:
        return self.size


class Dtype:
    """A number format, as torch prints it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return f"torch.{self.name}"


class Strategy(Enum):
    STEPS = "steps"


def trainer() -> SimpleNamespace:
    """A trainer of ms-swift that holds what is planned, in the forms that its libraries use."""
    filled = copy.deepcopy(DEEPSPEED) | {"train_batch_size": 128, "steps_per_print": math.inf}
    args = SimpleNamespace(
        **SCALARS,
        train_batch_size=2,
        world_size=8,
        warmup_steps=0.05,
        optimizer=None,
        process_index=0,
        hf_deepspeed_config=SimpleNamespace(config=filled),
    )
    args.save_strategy = Strategy.STEPS
    adapter = SimpleNamespace(
        r=16, lora_alpha=32, lora_dropout=0.05, bias="none", use_rslora=False, use_dora=False, init_lora_weights=True,
        target_modules={"v_proj", "q_proj"}, modules_to_save=["embed", "score"],
    )  # fmt: skip
    group = {"initial_lr": 1e-4, "lr": 0.0, "weight_decay": 0.1, "eps": 1e-8, "betas": (0.9, 0.95)}
    model = SimpleNamespace(
        config=SimpleNamespace(dtype=Dtype("bfloat16"), _attn_implementation="sdpa"),
        peft_config={"default": adapter},
        parameters=lambda: [Parameter(10, True), Parameter(90, False)],
    )
    return SimpleNamespace(
        args=args,
        model=model,
        template=SimpleNamespace(max_length=2048),
        optimizer=SimpleNamespace(param_groups=[dict(group), dict(group, weight_decay=0.0)]),
    )


def compared(held_by: SimpleNamespace, document: dict = IDENTITY) -> list[Difference]:
    """Where a trainer differs from an identity document."""
    plan = planned(document, [PROGRAM])
    return differences(plan, swift.settings(held_by, held_by.args, plan))


def test_a_trainer_that_holds_what_is_planned() -> None:
    assert compared(trainer()) == []


def test_the_tables_are_those_that_are_tested() -> None:
    assert sorted(SCALARS) == sorted(held.ARGUMENTS)
    assert sorted(ADAPTER) == sorted(held.LORA)
    plan = planned(IDENTITY, [PROGRAM])
    known = swift.settings(trainer(), trainer().args, plan).keys()
    assert plan.keys() - known == {"tuner_type"}, "every other option of this plan is compared"
    assert "deepspeed.zero_optimization.stage" in plan
    assert "deepspeed.train_batch_size" not in plan
    assert "deepspeed.steps_per_print" not in plan


def another(value: object) -> object:
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else "another"


@pytest.mark.parametrize("option", held.ARGUMENTS)
def test_each_argument_is_compared(option: str) -> None:
    tampered = trainer()
    setattr(tampered.args, option, another(SCALARS[option]))
    (found,) = compared(tampered)
    assert (found.option, found.planned) == (option, SCALARS[option])
    assert option in str(found)


@pytest.mark.parametrize(("option", "attribute"), held.LORA.items())
def test_each_setting_of_an_adapter_is_compared(option: str, attribute: str) -> None:
    tampered = trainer()
    setattr(tampered.model.peft_config["default"], attribute, ["o_proj"] if "modules" in option else "another")
    assert [found.option for found in compared(tampered)] == [option]


@pytest.mark.parametrize(
    ("option", "place", "value"),
    [
        ("warmup_ratio", ("args", "warmup_steps"), 0.5),
        ("warmup_ratio", ("args", "warmup_steps"), 5),
        ("per_device_train_batch_size", ("args", "train_batch_size"), 4),
        ("world_size", ("args", "world_size"), 4),
        ("max_length", ("template", "max_length"), 1024),
        ("torch_dtype", ("model", "config", "dtype"), Dtype("float16")),
        ("attn_impl", ("model", "config", "_attn_implementation"), "eager"),
        ("optimizer.learning_rate", ("optimizer", "param_groups", 1, "initial_lr"), 0.5),
        ("optimizer.weight_decay", ("optimizer", "param_groups", 0, "weight_decay"), 0.2),
        ("optimizer.epsilon", ("optimizer", "param_groups", 0, "eps"), 1e-6),
        ("optimizer.beta1", ("optimizer", "param_groups", 0, "betas"), (0.8, 0.95)),
        ("optimizer.beta2", ("optimizer", "param_groups", 1, "betas"), (0.9, 0.999)),
        (
            "deepspeed.zero_optimization.stage",
            ("args", "hf_deepspeed_config", "config", "zero_optimization", "stage"),
            1,
        ),
    ],
)
def test_what_stands_elsewhere_is_compared(option: str, place: tuple, value: object) -> None:
    tampered = trainer()
    *way, last = place
    found = tampered
    for step in way:
        found = found[step] if isinstance(found, dict | list) else getattr(found, step)
    if isinstance(found, dict):
        found[last] = value
    else:
        setattr(found, last, value)
    assert [difference.option for difference in compared(tampered)] == [option]


def test_warmup_in_steps_is_compared() -> None:
    document = copy.deepcopy(IDENTITY)
    options = document["launch"][0]["options"]
    del options["warmup_ratio"]
    options["warmup_steps"] = 10
    tampered = trainer()
    tampered.args.warmup_steps = 10.0
    assert compared(tampered, document) == []
    tampered.args.warmup_steps = 11
    assert [found.option for found in compared(tampered, document)] == ["warmup_steps"]


def test_groups_with_learning_rates_of_their_own() -> None:
    document = copy.deepcopy(IDENTITY)
    document["launch"][0]["options"]["vit_lr"] = 1e-5
    tampered = trainer()
    tampered.optimizer.param_groups[1]["initial_lr"] = 1e-5
    assert compared(tampered, document) == []
    assert [found.option for found in compared(tampered)] == ["optimizer.learning_rate"]


def test_an_optimizer_that_groups_parameters_its_own_way() -> None:
    odd = trainer()
    odd.args.optimizer = "lorap"
    odd.optimizer.param_groups[1]["initial_lr"] = 16e-4
    assert compared(odd) == []


def test_names_of_the_model_stand_for_all_of_them() -> None:
    document = copy.deepcopy(IDENTITY)
    document["launch"][0]["options"]["target_modules"] = ["all-linear"]
    assert compared(trainer(), document) == []


def test_parts_that_are_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    document = copy.deepcopy(IDENTITY)
    frozen = {"tuner_type": "full", "freeze_vit": True, "freeze_aligner": False, "freeze_llm": False}
    document["launch"][0]["options"] |= frozen
    aligner, vision, language = Parameter(1, True), Parameter(1, False), Parameter(1, True)
    parts = {"visual": [vision, aligner], "visual.merger": [aligner], "language": [language], "gone": []}
    monkeypatch.setattr(swift, "_parameters", lambda model, names: (p for name in names for p in parts[name]))
    whole = trainer()
    architecture = SimpleNamespace(
        vision_tower=["visual"], aligner=["visual.merger"], language_model=["language", "gone"]
    )
    whole.model.model_meta = SimpleNamespace(is_multimodal=True, model_arch=architecture)
    assert compared(whole, document) == []
    vision.requires_grad = True
    assert [found.option for found in compared(whole, document)] == ["freeze_vit"]
    aligner.requires_grad = False
    assert [found.option for found in compared(whole, document)] == ["freeze_aligner", "freeze_vit"]
    document["launch"][0]["options"]["trainable_parameters"] = ["x"]
    assert compared(whole, document) == [], "single parameters are frozen by other options"


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        ("1e-4", 0.0001, True),
        ("true", True, True),
        (None, "none", True),
        (0.1, 0.1 + 1e-12, False),
        ("Cosine", "cosine", False),
        (["a", "b"], {"b", "a"}, True),
        (["a"], "a", True),
        (["a", "a"], ["a"], False),
        ("steps", Strategy.STEPS, True),
    ],
)
def test_values_that_mean_the_same(ours: object, theirs: object, same: bool) -> None:
    assert (differences({"x": ours}, {"x": theirs}) == []) is same


def test_what_is_held_can_be_written_as_json() -> None:
    odd = {"a": math.inf, "b": Strategy.STEPS, "c": {"x", "y"}, "d": SimpleNamespace(), "e": {"f": (1, None)}}
    text = json.dumps(normal(odd), allow_nan=False)
    assert json.loads(text)["b"] == "steps"


def test_leaves_of_a_deepspeed_configuration() -> None:
    assert deepspeed(DEEPSPEED) == {
        "deepspeed.zero_optimization.stage": 2,
        "deepspeed.zero_optimization.overlap_comm": True,
    }
    assert deepspeed(None) == {}


# ---- what is told


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a training writes; its plan is named."""
    (tmp_path / "train.json").write_text(json.dumps(IDENTITY))
    monkeypatch.setenv("RECIPE_PLAN", str(tmp_path / "train.json"))
    monkeypatch.setenv("RECIPE_OUT", str(tmp_path))
    return tmp_path


def told(place: Path, name: str = "trainer.json") -> dict:
    return json.loads((place / name).read_text())


def test_before_and_after(place: Path) -> None:
    watch = report.Watch([PROGRAM], 0)
    watch.begin({"learning_rate": 1e-4, "unknown": 1}, (10, 100))
    assert told(place)["before"] == []
    assert told(place)["after"] is None
    assert told(place)["held"] == {"learning_rate": 1e-4}
    assert "seed" in told(place)["not_compared"]
    assert told(place)["parameters"] == {"trainable": 10, "all": 100}
    watch.end({"learning_rate": 2e-4})
    assert told(place)["after"] == [{"option": "learning_rate", "planned": 1e-4, "held": 2e-4}]
    assert told(place)["held"] == {"learning_rate": 1e-4}


def test_a_difference_ends_the_process(place: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        report.Watch([PROGRAM], 0).begin({"learning_rate": 0.5, "seed": 1}, (10, 100))
    assert "before its first step" in str(ended.value)
    assert "  learning_rate: planned 0.0001, held 0.5\n  seed: planned 42, held 1" in str(ended.value)
    assert [found["option"] for found in told(place)["before"]] == ["learning_rate", "seed"]


def test_a_model_that_would_not_change(place: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        report.Watch([PROGRAM], 0).begin({}, (0, 100))
    assert "trainable parameters: planned some, held 0" in str(ended.value)


def test_another_process_is_told_of_when_it_differs(place: Path) -> None:
    report.Watch([PROGRAM], 3).begin({"seed": 42}, (10, 100))
    assert not list(place.glob("trainer*"))
    with pytest.raises(SystemExit):
        report.Watch([PROGRAM], 3).begin({"seed": 43}, (10, 100))
    assert told(place, "trainer.3.json")["before"][0]["held"] == 43


@pytest.mark.parametrize("content", [None, "{}", "[1]", '{"launch": [], "env": {}, "files": {}}', "no json"])
def test_without_a_plan_nothing_is_trained(place: Path, content: str | None) -> None:
    (place / "train.json").unlink() if content is None else (place / "train.json").write_text(content)
    with pytest.raises(SystemExit) as ended:
        report.Watch([PROGRAM], 0)
    assert "nothing was trained" in str(ended.value)
