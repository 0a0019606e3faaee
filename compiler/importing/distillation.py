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
from compiler.importing.left import Given
from schema.source import MapNode, Node, parse
from schema.students import FAMILIES, MISNAMED, StudentTask

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
TEXTS = frozenset({"family", "size", "pretrained", "task", "name", "schedule", "type", "feature_loss", "bias"})
"""Fields that hold text, whatever it looks like."""
TEACHERS = ("teacher_model", "teacher_model_path", "teacher_model_id", "teacher")
DATA = ("train_data", "train_data_path", "dataset_path", "data_path", "data_dir", "train_dir", "dataset")
HELD_OUT = ("val_data", "val_data_path", "validation_data", "val_dir", "eval_data", "val_dataset_path")
ADDRESSES = ("api_base_url", "base_url", "api_url", "callback_url")
BATCHES = ("batch_size", "train_batch_size", "per_device_train_batch_size")
ACCUMULATION = ("gradient_accumulation_steps", "accumulation_steps", "accumulation")
KINDS: Mapping[StudentTask, tuple[str, dict[str, Any]]] = {
    "classification": ("classify", {"kind": "image-folder"}),
    "detection": ("detect", {"kind": "coco"}),
    "segmentation": ("segment", {"kind": "coco"}),
    "sequence": ("sequence", {"kind": "frame-folder"}),
}
"""A student's task → the task of its rows, and the kind of data set that is supposed."""


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
    return list(_flat(parse(text, file)))


def _flat(node: Node) -> Iterator[Given]:
    assert isinstance(node, MapNode)
    for name, item in node.items.items():
        if isinstance(item.value, MapNode):
            yield from _flat(item.value)
        else:
            yield from given_entry(name, item)


def misnamed(given: Mapping[str, Given]) -> str:
    """Why the teacher cannot be meant as it is named; empty where it can."""
    named = _first(given, TEACHERS)
    meant = MISNAMED.get(PurePosixPath(named.value).name.lower().removesuffix("-instruct")) if named else None
    return f"there is no `{named.value}`: name {' or '.join(f'`{name}`' for name in meant)}" if named and meant else ""


def why_not(draft: Draft, stage: str, given: Given) -> str:
    """Why an option is nowhere in the draft."""
    name = bare(given)
    if name == "task_id":
        return "a service that is to be told needs its address as well: add `logging: {http: {url: …, task: …}}`"
    refused = draft.refused.get(("stages", stage, *FIELDS.get(name, ())))
    return refused or "no field of a distillation says it"


def put(draft: Draft, stage: str, given: Mapping[str, Given]) -> None:
    """Say in the draft what the options say of the student, the teacher, the data and the service."""
    if (whole := given.get("student_model")) is not None:
        for field, text in zip(("family", "size"), whole.value.split("/"), strict=False):
            draft.put(("stages", stage, "student", field), text, whole)
    for name, path in FIELDS.items():
        if name in given:
            draft.put(("stages", stage, *path), _value(given[name], path), given[name])
    _teacher(draft, stage, given)
    _batch(draft, stage, given)
    _rows(draft, stage, given)
    _service(draft, stage, given)
    if "seed" in given:
        draft.put(("seed",), number(given["seed"].value), given["seed"])
    for name in ("num_gpus", "gpus"):
        if name in given:
            draft.put(("hardware", "gpus"), number(given[name].value), given[name])


def _value(given: Given, path: Path) -> Any:
    text = given.value
    if path[-1] == "target_modules":
        return [name for value in given.values for name in re.split(r"[,\s]+", value) if name]
    if path[-1] == "align_feature":
        return text.lower() not in ("false", "0", "no") and not given.negative
    return text if path[-1] in TEXTS else number(text)


def draft_family(draft: Draft, stage: str) -> str | None:
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
    if not folder or PurePosixPath(text).is_absolute():
        draft.put(
            ("models", "teacher", "id"), PurePosixPath(text).name if folder else text, named, default=named is None
        )
    else:
        draft.put(("models", "teacher", "id"), f"local/{PurePosixPath(text).name}")
        draft.put(("models", "teacher", "path"), text.removeprefix("./").rstrip("/"), named)
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


def _rows(draft: Draft, stage: str, given: Mapping[str, Given]) -> None:
    family = draft_family(draft, stage)
    asked = draft.placed.get(("stages", stage, "task"))
    task: Any = asked.value if asked and asked.value in KINDS else FAMILIES[family].task if family else "classification"  # type: ignore[index]
    wanted, spec = KINDS[task]
    trained, held_out = _first(given, DATA), _first(given, HELD_OUT)
    _prepare(draft, "data", "pictures", wanted, spec, trained)
    draft.put(("stages", stage, "data"), "data.train")
    if held_out is not None:
        _prepare(draft, "validation", "held-out", wanted, spec, held_out)
        draft.put(("stages", stage, "evaluation", "data"), "validation.train", held_out)


def _prepare(draft: Draft, stage: str, dataset: str, task: str, spec: Mapping[str, Any], named: Given | None) -> None:
    for key, value in spec.items():
        draft.put(("datasets", dataset, key), value)
    path = named.value.removeprefix("./").rstrip("/") if named else PLACEHOLDER
    draft.put(("datasets", dataset, "path"), path, named)
    if task == "classify":
        draft.put(("datasets", dataset, "prompt"), "What is in the picture? Answer with one word.")
    draft.put(("stages", stage, "kind"), "prepare")
    draft.put(("stages", stage, "dataset"), dataset)
    draft.put(("stages", stage, "task"), task)


def _service(draft: Draft, stage: str, given: Mapping[str, Given]) -> None:
    """A service is told how it goes where both are known, its address and what it calls the training."""
    address, task = _first(given, ADDRESSES), given.get("task_id")
    if address is not None and task is not None:
        draft.put(("stages", stage, "logging", "http", "url"), address.value, address)
        draft.put(("stages", stage, "logging", "http", "task"), task.value, task)
