"""What every model of the language shares: strictness, names and quantities with units.

Modules of models go without `from __future__ import annotations`: pydantic would have to evaluate each annotation's text.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError, PydanticKnownError

# Not `\d`, which is any script's digits in Python and ASCII in the JSON Schema.
NAME = r"^[a-z0-9]+([_-][a-z0-9]+)*$"
SIZE = r"^[0-9]+(\.[0-9]+)? ?([KMGT]i?B|B)$"
CADENCE = r"^([1-9][0-9]* steps?|epoch|end)$"
REFERENCE = r"^[a-z0-9]+([_-][a-z0-9]+)*(\.[a-z0-9]+([_-][a-z0-9]+)*)?$"
ADDRESS = r"^https?://[^\s/?#]+(/[^\s?#]*)?$"


def _notes_allowed(schema: dict[str, Any]) -> None:
    """Say in the JSON Schema that any map may carry `x-…` notes; the reader strips them before the models see them."""
    if schema.get("additionalProperties") is False:
        schema["patternProperties"] = {"^x-": {}}


class Model(BaseModel):
    """A frozen map of the language: unknown fields and inexact types are errors."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        defer_build=True,
        json_schema_extra=_notes_allowed,
        protected_namespaces=(),
    )


def default(model: type[Model]) -> Any:
    """A field's default: the model with its own defaults. Made without validation, which would build a validator for it."""
    return Field(default_factory=model.model_construct)


def _matches(pattern: str, code: str, message: str, help: str) -> AfterValidator:
    """A validator for text of one form. Its error carries the diagnostic's code and help."""
    expression = re.compile(pattern)

    def check(text: str) -> str:
        if expression.match(text) is None or text.endswith("\n"):
            raise PydanticCustomError(code, message, {"help": help})
        return text

    return AfterValidator(check)


def _text(pattern: str, code: str, message: str, help: str, examples: list[str]) -> Any:
    return Annotated[
        str,
        Field(json_schema_extra={"pattern": pattern, "examples": [*examples]}),
        _matches(pattern, code, message, help),
    ]


Name = _text(
    NAME, "R0107", "this is not a name", "write lower-case letters and digits, joined by `-` or `_`", ["animals-lora"]
)
Reference = _text(
    REFERENCE,
    "R0107",
    "this is not a reference",
    "write the name of a stage or model, or `STAGE.SPLIT` for prepared data",
    ["data.train"],
)
Size = _text(SIZE, "R0106", "this is not a size with a unit", "write a number and a unit, such as `24GiB`", ["24GiB"])
Cadence = _text(
    CADENCE,
    "R0106",
    "this is not a cadence with a unit",
    "write `500 steps`, `epoch` or `end`",
    ["500 steps", "epoch", "end"],
)
Address = _text(
    ADDRESS,
    "R0539",
    "this is not the address of a hub",
    "write `https://` and the host; a path may follow, a query may not",
    ["https://hf-mirror.com"],
)
ServiceAddress = _text(
    r"^https?://([^\s/?#@:\[\]]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[^\s?#]*)?$",
    "R0110",
    "this is not the address of a service",
    "write `https://` and the host, without a name or password; a path may follow, a query may not",
    ["https://training.example.com/tasks"],
)

Positive = Annotated[int, Field(ge=1)]


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticKnownError("int_type")
    return value


CHOICE_OF_NUMBERS = BeforeValidator(_no_truth)
"""Beside a `Literal` of numbers, for which pydantic takes `true` as 1 however strict it is told to be."""


def steps_of(cadence: str) -> int | None:
    """The number of steps of a `Cadence`, or None where it counts epochs or only the end."""
    head = cadence.split(" ")[0]
    return int(head) if head.isdigit() else None


_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def bytes_of(size: str) -> float:
    """The bytes of a `Size`.

    >>> bytes_of("24 GiB") == 24 * 2**30
    True
    """
    found = re.fullmatch(r"([0-9.]+) ?([A-Za-z]*)B", size)
    assert found is not None  # the type has checked it
    return float(found[1]) * _UNITS[found[2]]
