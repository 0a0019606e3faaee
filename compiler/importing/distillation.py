"""The command line and the JSON of trainers that distil a vision-language model, as training services start them.

python train_qwen_vl_distillation.py --task_id 42 --student_model_type resnet --student_model_size resnet50 --batch_size 32
{"task_id": 42, "student_model": "resnet/resnet50", "distillation": {"temperature": 4.0}}

The script is not known, so nothing is compared with its defaults: what it was told is in the recipe, or is listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from compiler.importing.draft import Draft, Path, number
from compiler.importing.files import given_entry
from compiler.importing.left import Given, Left
from compiler.importing.places import normal
from schema.diagnostics import Span
from schema.signature import meant_by
from schema.source import MapNode, Node, parse
from schema.students import FAMILIES, Family, StudentTask

STUDENT = frozenset({"student_model", "student_model_type", "student_type", "student_family"})
"""A trainer that is told one of these distils."""
TEACHER = "Qwen/Qwen2.5-VL-7B-Instruct"
"""The teacher where none is named."""
PLACEHOLDER = "data/REPLACE-ME"

FIELDS: Mapping[str, Path] = {
    "student_model_type": ("student", "family"),
    "student_type": ("student", "family"),
    "student_family": ("student", "family"),
    "student_model_size": ("student", "size"),
    "student_size": ("student", "size"),
    "student_pretrained": ("student", "pretrained"),
    "pretrained_weights": ("student", "pretrained"),
    "image_size": ("student", "image_size"),
    "lora_rank": ("student", "lora", "rank"),
    "lora_r": ("student", "lora", "rank"),
    "lora_alpha": ("student", "lora", "alpha"),
    "lora_dropout": ("student", "lora", "dropout"),
    "lora_target_modules": ("student", "lora", "target_modules"),
    "lora_bias": ("student", "lora", "bias"),
    "task_type": ("task",),
    "num_classes": ("classes",),
    "epochs": ("epochs",),
    "num_epochs": ("epochs",),
    "num_train_epochs": ("epochs",),
    "max_steps": ("max_steps",),
    "learning_rate": ("optimizer", "learning_rate"),
    "lr": ("optimizer", "learning_rate"),
    "optimizer": ("optimizer", "name"),
    "scheduler": ("optimizer", "schedule"),
    "lr_scheduler": ("optimizer", "schedule"),
    "lr_scheduler_type": ("optimizer", "schedule"),
    "warmup_ratio": ("optimizer", "warmup_ratio"),
    "weight_decay": ("optimizer", "weight_decay"),
    "momentum": ("optimizer", "momentum"),
    "max_grad_norm": ("optimizer", "max_grad_norm"),
    "distillation_type": ("type",),
    "temperature": ("temperature",),
    "hard_label_weight": ("hard_label_weight",),
    "soft_label_weight": ("soft_label_weight",),
    "feature_loss": ("feature_loss",),
    "feature_loss_type": ("feature_loss",),
    "align_feature": ("align_feature",),
}
"""Option → the field of the stage that it is."""
WORDS = frozenset({"family", "size", "task", "name", "schedule", "type", "feature_loss", "bias"})
"""Fields that hold one word, which the recipe writes small."""
PRECISIONS = {"fp16": "float16", "bf16": "bfloat16"}
TEACHERS = ("teacher_model", "teacher_model_path", "teacher_model_id", "teacher")
DATA = ("train_data", "train_data_path", "dataset_path", "data_path", "data_dir", "train_dir", "dataset")
HELD_OUT = ("val_data", "val_data_path", "validation_data", "val_dir", "eval_data", "val_dataset_path")
ADDRESSES = ("api_base_url", "base_url", "api_url", "callback_url")
BATCHES = ("batch_size", "train_batch_size", "per_device_train_batch_size")
ACCUMULATION = ("gradient_accumulation_steps", "accumulation_steps", "accumulation")
KINDS: Mapping[StudentTask, tuple[str, str]] = {
    "classification": ("classify", "image-folder"),
    "detection": ("detect", "coco"),
    "segmentation": ("segment", "coco"),
    "sequence": ("sequence", "frame-folder"),
}
"""A student's task → the task of its rows, and the kind of data set that is supposed."""
TABLES = {".csv": "csv", ".jsonl": "jsonl"}
NAMES = frozenset(
    {*FIELDS, *STUDENT, *TEACHERS, *DATA, *HELD_OUT, *ADDRESSES, *BATCHES, *ACCUMULATION, *PRECISIONS, "task_id"}
)
"""Options that have a place in a recipe."""


def bare(given: Given) -> str:
    """An option's name without dashes in front, and with underscores."""
    return given.written.lstrip("-").rpartition(".")[2].replace("-", "_")


def distils(given: Iterator[Given]) -> bool:
    """Whether these options are those of a distillation."""
    return any(bare(option) in STUDENT for option in given)


def unnamed(given: Iterator[Given]) -> dict[str, Given]:
    """The options by their bare names. None is an engine's: they are looked at here, and nowhere else."""
    return {bare(option): replace(option, name="", renamed="") for option in given}


def from_json(text: str, file: str) -> list[Given]:
    """What a service posts, inner maps flattened. Errors: RecipeError for text that is no map."""
    return list(_flat(parse(text, file), ""))


def _flat(node: Node, above: str) -> Iterator[Given]:
    """`rank` in a map `lora` is `lora_rank`, unless it has a meaning by itself."""
    assert isinstance(node, MapNode)
    for name, item in node.items.items():
        if isinstance(item.value, MapNode):
            yield from _flat(item.value, name)
        else:
            whole = f"{above}_{name}" if name not in NAMES and f"{above}_{name}" in NAMES else name
            yield from (replace(given, written=whole) for given in given_entry(name, item))


def why_not(draft: Draft, stage: str, given: Given) -> str:
    """Why an option is nowhere in the draft."""
    name = bare(given)
    if name == "task_id":
        return "a service that is to be told needs its address as well: add `logging: {http: {url: …, task: …}}`"
    refused = draft.refused.get(("stages", stage, *FIELDS.get(name, ())))
    return refused or "no field of a distillation says it"


def put(draft: Draft, stage: str, given: Mapping[str, Given], place: Span) -> None:
    """Say in the draft what the options say of the student, the teacher, the data and the service."""
    if "student_model" in given:
        _student(draft, stage, given["student_model"])
    for name, path in FIELDS.items():
        if name in given:
            value = _value(given[name], path, draft_family(draft, stage))
            draft.put(("stages", stage, *path), value, given[name])
    for name, precision in PRECISIONS.items():
        if name in given and _yes(given[name]):
            draft.put(("stages", stage, "precision"), precision, given[name])
    _teacher(draft, stage, given)
    _batch(draft, stage, given)
    _rows(draft, stage, given, place)
    _service(draft, stage, given)
    if "seed" in given:
        draft.put(("seed",), number(given["seed"].value), given["seed"])
    for name in ("num_gpus", "gpus"):
        if name in given:
            draft.put(("hardware", "gpus"), number(given[name].value), given[name])


def _student(draft: Draft, stage: str, named: Given) -> None:
    """Family and size in one word, such as `resnet/resnet50`."""
    for field, text in zip(("family", "size"), named.value.split("/"), strict=False):
        path = ("stages", stage, "student", field)
        draft.put(path, _value(replace(named, values=(text,)), path, draft_family(draft, stage)), named)


def _value(given: Given, path: Path, family: Family | None) -> Any:
    text = given.value
    if path[-1] == "target_modules":
        return [name for value in given.values for name in re.split(r"[,\s]+", value) if name]
    if path[-1] == "align_feature":
        return _yes(given)
    if path[-1] == "size" and family is not None:
        return _size(family, text)
    if path[-1] == "pretrained":
        return text
    return text.lower() if path[-1] in WORDS else number(text)


def _size(family: Family, text: str) -> str:
    """`yolov8n` and `tiny` are what a recipe calls `n` and `vit-tiny`."""

    def letters(name: str) -> str:
        return re.sub(r"[^a-z0-9]", "", name.lower()).removeprefix(family)

    return next((size for size in FAMILIES[family].sizes if letters(size) == letters(text)), text)


def _yes(given: Given) -> bool:
    return given.value.lower() not in ("false", "0", "no") and not given.negative


def draft_family(draft: Draft, stage: str) -> Family | None:
    """The student's family, as far as the draft says one that there is."""
    said = draft.placed.get(("stages", stage, "student", "family"))
    return said.value if said and said.value in FAMILIES else None


def _first(given: Mapping[str, Given], names: tuple[str, ...]) -> Given | None:
    return next((given[name] for name in names if name in given and not given[name].odd), None)


def _teacher(draft: Draft, stage: str, given: Mapping[str, Given]) -> None:
    alone = "distillation_type" in given and given["distillation_type"].value == "none"
    if alone:
        return
    named = _first(given, TEACHERS)
    text = named.value if named else TEACHER
    folder = text.startswith((".", "/")) or text.count("/") > 1
    name = PurePosixPath(text).name
    if named is not None and (meant := meant_by(name)):
        others = "".join(f"; or write `{other}`" for other in meant[1:])
        draft.left.append(named.left(f"there is no such model: `{meant[0]}` stands in the recipe{others}"))
        draft.put(("models", "teacher", "id"), meant[0], named)
    elif not folder or PurePosixPath(text).is_absolute():
        draft.put(("models", "teacher", "id"), name if folder else text, named, default=named is None)
    else:
        draft.put(("models", "teacher", "id"), f"local/{name}")
        draft.put(("models", "teacher", "path"), normal(text), named)
    draft.put(("stages", stage, "teacher"), "teacher")


def _batch(draft: Draft, stage: str, given: Mapping[str, Given]) -> None:
    """The trainers' batch is of one process and pass; `batch.global` is of a step."""
    size, steps = _first(given, BATCHES), _first(given, ACCUMULATION)
    if size is None:
        return
    count, times = number(size.value), number(steps.value) if steps else 1
    if isinstance(count, int) and isinstance(times, int):
        draft.put(("stages", stage, "batch", "global"), count * times, size)
        if steps is not None and times > 1:
            draft.put(("stages", stage, "batch", "micro"), count, steps)
        elif steps is not None:
            draft.left.append(steps.left("`batch.global` says it: one pass is one step", "R0735"))


def _rows(draft: Draft, stage: str, given: Mapping[str, Given], place: Span) -> None:
    family = draft_family(draft, stage)
    asked = draft.placed.get(("stages", stage, "task"))
    task: StudentTask = FAMILIES[family].task if family else "classification"
    task = asked.value if asked and asked.value in KINDS else task
    trained, held_out = _first(given, DATA), _first(given, HELD_OUT)
    if trained is None:
        reason = f"it does not say where its data is: `{PLACEHOLDER}` stands in the recipe for you to replace"
        draft.left.append(Left("R0732", place, "", reason))
    _prepare(draft, "data", "pictures", task, trained)
    draft.put(("stages", stage, "data"), "data.train")
    if held_out is not None:
        _prepare(draft, "validation", "held-out", task, held_out)
        draft.put(("stages", stage, "evaluation", "data"), "validation.train", held_out)


def _prepare(draft: Draft, stage: str, dataset: str, task: StudentTask, named: Given | None) -> None:
    prepared, kind = KINDS[task]
    for key, value in _located(draft, task, kind, named).items():
        draft.put(("datasets", dataset, key), value, named if key == "path" else None)
    if prepared == "classify":
        draft.put(("datasets", dataset, "prompt"), "What is in the picture? Answer with one word.")
    draft.put(("stages", stage, "kind"), "prepare")
    draft.put(("stages", stage, "dataset"), dataset)
    draft.put(("stages", stage, "task"), prepared)


def _located(draft: Draft, task: StudentTask, kind: str, named: Given | None) -> dict[str, Any]:
    """The data set at a path: what it is in by its ending, and else what is usual for the task."""
    if named is None:
        return {"kind": kind, "path": PLACEHOLDER}
    path = PurePosixPath(normal(named.value))
    spec = {"kind": kind, "path": str(path)} | ({"external": True} if path.is_absolute() else {})
    if task == "classification" and path.suffix.lower() in TABLES:
        reason = "say in `columns` which column names the picture and which its class, if it is not these"
        draft.left.append(named.left(reason, "R0735"))
        return spec | {"kind": TABLES[path.suffix.lower()], "columns": {"image": "image", "label": "label"}}
    if kind == "coco" and path.suffix.lower() == ".json":
        return spec | {"path": str(path.parent), "annotations": path.name}
    return spec


def _service(draft: Draft, stage: str, given: Mapping[str, Given]) -> None:
    """A service is told how it goes where both are known, its address and what it calls the training."""
    address, task = _first(given, ADDRESSES), given.get("task_id")
    if address is not None and task is not None:
        draft.put(("stages", stage, "logging", "http", "url"), address.value, address)
        draft.put(("stages", stage, "logging", "http", "task"), task.value, task)
