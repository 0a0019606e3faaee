"""What stages that train or shrink a student say of its scores, for a comparison with those that are evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schema.load import Instance
from schema.stage import Stage
from schema.stages import Distill, Quantize

Values = Mapping[str, Any]


def columns(name: str, stage: Stage, values: Values) -> dict[str, Values]:
    """Name of a column → its scores, by the names of an evaluation: `small`, and `small-teacher` for its teacher."""
    if stage.gives == "scores":
        return {name: values}
    if isinstance(stage, Distill):
        found = {name: _called(values, "eval_", ""), f"{name}-teacher": _called(values, "teacher_", "")}
    elif isinstance(stage, Quantize):
        found = {name: _called(values, "", "_after")}
    else:
        return {}
    return {column: scores for column, scores in found.items() if scores}


def _called(values: Values, begin: str, end: str) -> Values:
    """The scores whose names begin and end so, without that."""
    return {
        name.removeprefix(begin).removesuffix(end): value
        for name, value in values.items()
        if name.startswith(begin) and name.endswith(end)
    }


def remarks(instance: Instance) -> Iterator[str]:
    """Why a teacher has no column: it says no boxes and no pixels."""
    for name, stage in instance.recipe.stages.items():
        if isinstance(stage, Distill) and stage.distillation != "none" and "logit" not in stage.student.facts.kinds:
            yield f"No score of the teacher of `{name}`: it gives none for {stage.learns}."
