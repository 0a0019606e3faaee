"""A difference for programs: one JSON document with `format_version` 1. A side that has no value has no key."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from compiler.diff.model import (
    ABSENT,
    FieldChange,
    IdentityChange,
    Note,
    OptionChange,
    PipelineDiff,
    RecipeDiff,
    Side,
    StageChange,
)
from compiler.diff.words import summary
from compiler.plan import Json
from schema.diagnostics import Span

FORMAT_VERSION = 1


def document(diff: RecipeDiff) -> dict[str, Any]:
    """The document; lists are ordered as the other formats show them."""
    return {
        "format_version": FORMAT_VERSION,
        "summary": summary(diff),
        "base": _side(diff.base),
        "head": _side(diff.head),
        "compared": diff.compared,
        "pipelines": [_pipeline(pipeline) for pipeline in diff.pipelines],
    }


def _side(side: Side) -> dict[str, Any]:
    errors = [asdict(diagnostic) for failure in side.failures for diagnostic in failure.diagnostics]
    return {"name": side.name, "revision": side.revision, "diagnostics": errors}


def _pipeline(pipeline: PipelineDiff) -> dict[str, Any]:
    return {
        "label": pipeline.label,
        "before_label": pipeline.before_label or None,
        "file": pipeline.file,
        "status": pipeline.status,
        "like": pipeline.like or None,
        "recipe_hash": both(pipeline.before_hash or ABSENT, pipeline.after_hash or ABSENT),
        "risks": [_note(note) for note in pipeline.notes],
        "stages": [_stage(stage) for stage in pipeline.stages],
        "fields": [_field(field) for field in pipeline.fields],
        "options": [_option(option) for option in pipeline.options],
        "files": [asdict(file) for file in pipeline.files],
    }


def _stage(stage: StageChange) -> dict[str, Any]:
    return {
        "stage": stage.name,
        "kind": stage.kind,
        "action": stage.action,
        "reasons": list(stage.reasons),
        "key": both(stage.before_key or ABSENT, stage.after_key or ABSENT),
        "moved_from": stage.before_place or None,
        "outside": [_fact(found) for found in stage.outside],
    }


def _fact(found: IdentityChange) -> dict[str, Any]:
    return {"path": list(found.path), **both(found.before, found.after)}


def _field(field: FieldChange) -> dict[str, Any]:
    return {
        "path": list(field.path),
        **both(field.before, field.after),
        "unit": field.unit or None,
        "because": list(field.because),
        "place": place(field.place),
    }


def _option(option: OptionChange) -> dict[str, Any]:
    return {
        "stage": option.stage,
        "command": option.program,
        "option": option.option,
        **both(option.before, option.after),
        "decides_result": option.decides,
    }


def _note(note: Note) -> dict[str, Any]:
    return {"kind": note.kind, "message": note.message, "place": place(note.place)}


def place(span: Span | None) -> dict[str, Any] | None:
    """Where something stands, for programs."""
    return None if span is None else {"file": span.file, "line": span.line, "column": span.column}


def both(before: Json, after: Json) -> dict[str, Json]:
    """The two sides; one that has no value has no key."""
    return {name: value for name, value in (("before", before), ("after", after)) if value is not ABSENT}
