"""The example in the docstring of every stage kind, data set kind and section is valid as it stands."""

from __future__ import annotations

import inspect
import json

import pytest
from pydantic import BaseModel

from schema import datasets, hardware, machine, models, stages, tuner
from schema.source import parse
from schema.tree import to_data

KINDS = (*stages.KINDS, *datasets.KINDS)


def examples(module: object) -> dict[str, object]:
    """The YAML that follows the first paragraph of a module's docstring."""
    text = (inspect.getdoc(module) or "").partition("\n\n")[2]
    return to_data(parse(text, "docstring"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_kind_has_an_example_of_itself(kind: type[BaseModel]) -> None:
    name = kind.model_fields["kind"].annotation.__args__[0]
    mine = [example for example in examples(inspect.getmodule(kind)).values() if example["kind"] == name]
    assert mine, f"the docstring of {kind.__module__} shows no `kind: {name}`"
    for example in mine:
        kind.model_validate_json(json.dumps(example))


@pytest.mark.parametrize(
    ("module", "section", "model"),
    [(models, "models", models.ModelSpec), (hardware, "hardware", hardware.Hardware), (machine, None, machine.Machine)],
)
def test_a_section_has_an_example(module: object, section: str | None, model: type[BaseModel]) -> None:
    data = examples(module)
    found = data if section is None else data[section]
    for example in found.values() if section == "models" else [found]:
        model.model_validate_json(json.dumps(example))


def test_the_tuners_have_examples() -> None:
    text = (inspect.getdoc(tuner) or "").partition("\n\n")[2]
    for line in text.splitlines():
        example = to_data(parse(line, "docstring"))["tuner"]
        {"lora": tuner.LoraTuner, "full": tuner.FullTuner}[example["kind"]].model_validate_json(json.dumps(example))
