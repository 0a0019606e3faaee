"""How values are said in a difference, the same in every format for people."""

from __future__ import annotations

import json
from decimal import Decimal

from compiler.diff.model import ABSENT, Action, FieldChange, IdentityChange, OptionChange, PipelineDiff, RecipeDiff
from compiler.plan import Json
from schema.diagnostics import Span
from schema.lock_moves import SHORT

LONG = 120
"""Characters of a value beyond which it is cut."""
NAMES = {"batch.global": "global batch", "batch.micro": "micro batch", "batch.accumulation": "accumulation"}


def said(value: Json, long: int = LONG) -> str:
    """A value for people: text as it is, numbers short, the rest as JSON.

    >>> said(0.0001), said(True), said(["a", 1])
    ('1e-4', 'true', '["a", 1]')
    """
    if value is ABSENT:
        return "absent"
    if isinstance(value, str):
        text = value or '""'
    elif isinstance(value, float):
        text = _scientific(value) if 0 < abs(value) < 1e-3 else repr(value)
    else:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= long else text[: long - 1] + "…"


def _scientific(number: float) -> str:
    """The shortest digits that give the number, with an exponent: 0.0001 is easier to misread than 1e-4."""
    _, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    power = int(exponent) + len(digits) - 1
    fraction = "".join(map(str, digits[1:]))
    return f"{'-' if number < 0 else ''}{digits[0]}{'.' if fraction else ''}{fraction}e{power}"


def visible(text: str) -> str:
    """The text with what cannot be seen, or shows another order than it has, as escapes: it is one line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def change(before: Json, after: Json, unit: str = "") -> str:
    """`8 → 16 examples`."""
    told = f"{said(before)} → {said(after)}"
    return f"{told} {unit}" if unit and after not in (None, ABSENT) else told


def field_name(field: FieldChange) -> str:
    """A field as people call it: `train: global batch`, `models.base.revision`."""
    if field.path[0] == "stages" and len(field.path) > 2:
        inner = ".".join(map(str, field.path[2:]))
        return f"{field.path[1]}: {NAMES.get(inner, inner)}"
    return ".".join(map(str, field.path))


def field_change(field: FieldChange) -> str:
    """`8 → 4 because gpus 8 → 16`."""
    why = f" because {', '.join(field.because)}" if field.because else ""
    return change(field.before, field.after, field.unit) + why


def fact(found: IdentityChange) -> str:
    """`learning_rate 1e-4 → 2e-4`, `toolchain torch 2.14.0 → 2.15.0`, `code of runners.collect`."""
    part, *names = found.path
    if part == "code":
        return f"code of {names[0]}"
    if part == "pins":
        return f"bytes of {names[0]} {change(_digits(found.before), _digits(found.after))}"
    name = names[-1] if part == "options" else " ".join([part, ".".join(names)]).strip()
    return f"{name} {change(found.before, found.after)}"


def _digits(digest: Json) -> Json:
    """The first digits of a digest."""
    return digest[:SHORT] if isinstance(digest, str) else digest


def place(span: Span | None) -> str:
    """`recipes/animals-lora.yaml:31`."""
    return f"{span.file}:{span.line}" if span else ""


def values(option: OptionChange) -> str:
    """`1e-4 → 2e-4`, and whether it matters."""
    told = change(option.before, option.after)
    return told if option.decides else f"{told} (cannot change the result)"


def option_name(option: OptionChange) -> str:
    """`--learning_rate`, or the name of a variable."""
    return option.option if option.program == "environment" else f"--{option.option}"


def summary(diff: RecipeDiff) -> str:
    """One line: what is compared, how much differs, and how many risks there are."""
    parts = [_pipelines(diff)]
    actions: tuple[tuple[Action, str], ...] = (
        ("changed", "changed"),
        ("follows", "follow"),
        ("added", "added"),
        ("removed", "removed"),
        ("moved", "moved"),
    )
    counts = [f"{count} {word}" for action, word in actions if (count := diff.count(action))]
    parts += [f"stages: {', '.join(counts)}"] if counts else []
    risks = sum(len(pipeline.notes) for pipeline in diff.pipelines)
    parts += [f"{risks} risk{'s' if risks > 1 else ''}"] if risks else []
    broken = len({failure.file for side in (diff.base, diff.head) for failure in side.failures})
    parts += [f"{broken} recipe{'s do' if broken > 1 else ' does'} not compile"] if broken else []
    return f"{diff.base.name} → {diff.head.name}: {'; '.join(parts)}"


def _pipelines(diff: RecipeDiff) -> str:
    if not diff.pipelines:
        return f"no differences in {diff.compared} pipeline{'' if diff.compared == 1 else 's'}"
    return f"{len(diff.pipelines)} of {diff.compared} pipelines differ{'s' if len(diff.pipelines) == 1 else ''}"


def heading(pipeline: PipelineDiff) -> str:
    """What happened to a pipeline as a whole."""
    if pipeline.like:
        return f"{pipeline.status} as {pipeline.like}"
    if pipeline.status == "moved":
        return f"moved from {pipeline.before_label}"
    if pipeline.status in ("added", "removed") or pipeline.stages:
        return pipeline.status
    return "no stage moves"
