"""The families of students. A family's module is loaded only when it is asked for.

    FAMILY.py   SIZES: tuple[str, ...]
                build(size: str, classes: Sequence[str], options: Options) -> Student
                MEAN, STD: of the pixels, where they are not ImageNet's

A student is saved as a folder of student.json and model.safetensors.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from schema.diagnostics import Diagnostic, RecipeError
from schema.files import read_json, write_json

if TYPE_CHECKING:  # each loads torch
    from runners.distill.students.base import Options, Student

FORMAT = 1
MODULES: dict[str, str] = {
    "resnet": "runners.distill.students.resnet",
    "vit": "runners.distill.students.vit",
    "yolov8": "runners.distill.students.yolov8",
    "unet": "runners.distill.students.unet",
    "lstm": "runners.distill.students.lstm",
}
"""Family → its module."""


def module(family: str) -> ModuleType:
    """The module of a family."""
    return importlib.import_module(MODULES[family])


def build(family: str, size: str, classes: Sequence[str], options: Options) -> Student:
    """A student with new weights, or with those of `options.pretrained`. Errors: RecipeError R0661, R0662."""
    student: Student = module(family).build(size, classes, options)
    return student


def save(student: Student, folder: Path) -> None:
    """Write student.json and model.safetensors; the same weights give the same bytes."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in student.state_dict().items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "student.json", describe(student))


def describe(student: Student) -> dict[str, Any]:
    """What is needed to build the network again, without its weights."""
    options = asdict(student.options)
    del options["pretrained"]  # they are in the student's own weights by now
    return {
        "format_version": FORMAT,
        "family": student.family,
        "size": student.size,
        "task": student.task,
        "classes": list(student.classes),
        "width": student.width,
        **options,
    }


def load(folder: Path) -> Student:
    """The student of a folder, in evaluation mode. Errors: RecipeError R0660 when it holds none, or of another format."""
    from safetensors.torch import load_file

    written = read_json(folder / "student.json")
    if not isinstance(written, dict) or written.get("format_version") != FORMAT or written.get("family") not in MODULES:
        message = f"{folder} holds no student of format {FORMAT}"
        raise RecipeError([Diagnostic("R0660", message, "name a folder that a `distill` stage handed over")])
    student = from_description(written)
    student.load_state_dict(load_file(folder / "model.safetensors"))
    student.eval()
    return student


def from_description(written: Mapping[str, Any]) -> Student:
    """The network that `describe` has told of, with new weights."""
    from runners.distill.students.base import Options

    names = Options.__dataclass_fields__.keys() & written.keys()
    found: dict[str, Any] = {name: tuple(v) if isinstance(v := written[name], list) else v for name in names}
    options = Options(**found)
    return build(written["family"], written["size"], tuple(written["classes"]), options)
