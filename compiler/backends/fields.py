"""What the backends share: how options come from the fields of a stage, and where the pictures of its rows stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compiler.plan import InputPath, Plan, StagePlan, Value
from schema.base import steps_of
from schema.stages import Prepare, Synthesize
from schema.training import TrainingStage

Fields = Mapping[str, tuple[str | int, ...]]
"""Option → the path of a field in its stage."""

TRANSFORMERS: Fields = {
    "optim": ("optimizer", "name"),
    "lr_scheduler_type": ("optimizer", "schedule"),
    "weight_decay": ("optimizer", "weight_decay"),
    "adam_beta1": ("optimizer", "betas", 0),
    "adam_beta2": ("optimizer", "betas", 1),
    "adam_epsilon": ("optimizer", "epsilon"),
    "max_grad_norm": ("optimizer", "max_grad_norm"),
    "num_train_epochs": ("epochs",),
    "max_steps": ("max_steps",),
    "per_device_train_batch_size": ("batch", "micro"),
    "per_device_eval_batch_size": ("evaluation", "micro_batch"),
    "gradient_checkpointing": ("gradient_checkpointing",),
}
"""The options that every engine has from transformers' trainer, under its names."""

OFFLINE = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
LONG = 1_000_000_000
"""A cadence in steps that no run reaches: a trainer saves at the end of training all the same."""


def without_nulls(options: Mapping[str, Any]) -> dict[str, Value]:
    """The options that have a value: a null or an empty list cannot be written on a command line."""
    return {name: value for name, value in options.items() if value is not None and value != ()}


def fields(stage: TrainingStage, table: Fields) -> dict[str, Any]:
    """Option → the value of its field, by a backend's table."""
    return {option: value_at(stage, path) for option, path in table.items()}


def value_at(value: Any, path: tuple[str | int, ...]) -> Any:
    """A field of a stage by its path."""
    for part in path:
        value = value[part] if isinstance(part, int) else getattr(value, part)
    return value


def cadence(what: str, every: str) -> dict[str, Value | None]:
    """`save_strategy` and `save_steps` of a cadence; the same for `eval`."""
    if every == "epoch":
        return {f"{what}_strategy": "epoch"}
    return {f"{what}_strategy": "steps", f"{what}_steps": steps_of(every) or LONG}


def own_environment(plan: Plan) -> dict[str, str | InputPath]:
    """What our own programs that load a model or train need, and those of TRL that they start."""
    hardware = plan.instance.recipe.hardware
    env: dict[str, str | InputPath] = {"OMP_NUM_THREADS": str(hardware.threads), "PYTHONHASHSEED": "0", **OFFLINE}
    return env | ({"CUDA_VISIBLE_DEVICES": ""} if hardware.gpus == 0 else {})


def told_by_cluster(plan: Plan) -> tuple[str, ...]:
    """The variables that a launch on several machines has to be given from outside."""
    return ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT") if plan.instance.recipe.hardware.nodes > 1 else ()


def picture_folder(plan: Plan, planned: StagePlan) -> InputPath | None:
    """The folder in which the data's own pictures stand; files of the project need none."""
    recipe = plan.instance.recipe
    for given in (*planned.inputs_like("data"), *planned.inputs_like("validation")):
        name = given.stage or ""
        source = recipe.stages.get(name)
        if isinstance(source, Synthesize):  # its rows are about the pictures of its questions
            name = source.data.partition(".")[0]
            source = recipe.stages[name]
        if isinstance(source, Prepare) and "images" in recipe.datasets[source.dataset].makes(source.task):
            return InputPath(given.role, f"{plan.outputs}/{name}")
    return None


def model_below(planned: StagePlan) -> InputPath:
    """The model that is loaded; where the stage before hands over an adapter, the one below it."""
    roles = {given.role for given in planned.inputs}
    role = "base" if "base" in roles else "model"
    return InputPath(role, planned.input(role).path)
