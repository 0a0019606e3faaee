"""Where a recipe says what a fact of an identity document is: the line that somebody has to look at."""

from __future__ import annotations

from compiler.plan import Command, Plan, StagePlan
from schema.diagnostics import Span
from schema.signature import FIELDS, load
from schema.stages import Prepare
from schema.tree import Loc

ENVIRONMENT = {
    "OMP_NUM_THREADS": ("hardware", "threads"),
    "NPROC_PER_NODE": ("hardware", "gpus"),
    "NNODES": ("hardware", "nodes"),
    "CUDA_VISIBLE_DEVICES": ("hardware", "gpus"),
    "MAX_PIXELS": ("models", "NAME", "max_pixels"),
    "MIN_PIXELS": ("models", "NAME", "min_pixels"),
}
"""Variable → the field that it follows from; NAME is the stage's model."""
OPTIONS = {
    "data_seed": ("seed",),
    "use_cpu": ("hardware", "gpus"),
    "dataloader_num_workers": ("hardware", "gpus"),
    "gradient_accumulation_steps": ("batch", "global"),
}
"""Option → the field that it follows from, where no table of the compiler or of the engines' names says so."""


def place_of_fact(plan: Plan, stage: StagePlan, path: tuple[str, ...]) -> Span | None:
    """The place of a fact, or of the nearest thing around it that is written; None where no line says it.

    Args:
        path: A path of `identity_changes`, or `("pins", ROLE)`.
    """
    match path:
        case ("options", program, name):
            found = _option(stage, program, name)
        case ("env", name):
            found = _named(stage, ENVIRONMENT.get(name))
        case ("files", "prepare", *inner) if isinstance(stage.stage, Prepare):
            found = _prepared(stage, stage.stage.dataset, inner)
        case ("files", name, *_) if name in type(stage.stage).model_fields:
            found = ("stages", stage.name, name)
        case ("kind" | "inputs", *_):
            found = ("stages", stage.name, "kind")
        case ("pins", role):
            return _pin(plan, stage, role)
        case _:
            return None
    return plan.instance.at(*found) if found else None


def place_of_input(plan: Plan, stage: StagePlan, dependency: str) -> Span | None:
    """Where the recipe names a file or folder that a stage reads."""
    given = next((i for i in stage.inputs if dependency in i.dependencies), None)
    if given is None:
        return None
    if given.role == "prompt" and isinstance(stage.stage, Prepare):
        return plan.instance.at("datasets", stage.stage.dataset, "prompt_file")
    file = next((file for file in stage.stage.files if file.role == given.role), None)
    if file is not None:
        return plan.instance.at("stages", stage.name, *file.path)
    use = next((use for use in stage.stage.uses if use.role == given.role), None)
    if use is None:
        return None
    if given.stage is not None:
        return plan.instance.at("stages", stage.name, *use.path)
    section = "datasets" if "datasets" in use.accepts else "models"
    return plan.instance.at(section, use.name, "path")


def _option(stage: StagePlan, program: str, name: str) -> Loc | None:
    """The field that an option comes from, or where the recipe passes it through."""
    command = _command(stage, program)
    if command is not None:
        for written in command.passed if command.signature else ():
            option = load(*command.signature).find(written) if command.signature else None
            if option is not None and option[0].name == name:
                return ("stages", stage.name, "engine", "args", written)
        if name in command.fields:
            return ("stages", stage.name, *command.fields[name])
    field = OPTIONS.get(name) or tuple(FIELDS.get(name, name).split("."))
    return _named(stage, field)


def _command(stage: StagePlan, program: str) -> Command | None:
    """The command that `identity_changes` calls `swift sft`, or `swift sft #2`."""
    name, _, number = program.partition(" #")
    same = [command for command in stage.launch.commands if " ".join(command.program) == name]
    position = int(number or 1) - 1
    return same[position] if position < len(same) else None


def _named(stage: StagePlan, field: tuple[str, ...] | None) -> Loc | None:
    """A field of the stage, of its model or of the whole recipe."""
    match field:
        case None:
            return None
        case ("models", "NAME", *inner):
            return ("models", stage.model.name, *inner) if stage.model else None
        case ("hardware" | "seed", *_):
            return field
        case (first, *_) if _has(stage, first):
            return ("stages", stage.name, *field)
    return None


def _has(stage: StagePlan, name: str) -> bool:
    return name in type(stage.stage).model_fields


def _prepared(stage: StagePlan, dataset: str, inner: list[str]) -> Loc | None:
    """The field behind a value of the configuration of `prepare`."""
    match inner:
        case ["dataset", *below]:
            return ("datasets", dataset, *below)
        case ["prompt" | "system" | "split", *_]:
            return ("datasets", dataset, *inner)
        case ["seed"]:
            return ("seed",)
        case ["task"]:
            return ("stages", stage.name, "task")
    return None


def _pin(plan: Plan, stage: StagePlan, role: str) -> Span | None:
    """The line of the lock that says what an input's bytes are."""
    given = next((i for i in stage.inputs if i.role == role), None)
    sha256 = given.lock.get("sha256") if given and given.lock else None
    if plan.locked is None or sha256 is None:
        return None
    for section in ("models", "datasets", "local"):
        for name, pin in getattr(plan.locked.lock, section).items():
            if pin.sha256 == sha256:
                return plan.locked.at(section, name, "sha256")
    return None
