"""A plan of runs for programs: one JSON document. A side that has no value has no key.

{"format_version": 1,
 "summary": "3 stages: 1 runs, 1 runs only if what it reads changes, 1 is reused",
 "diagnostics": [{"code": …, "message": …, "help": …, "spans": […], "severity": …}],
 "pipelines": [{
   "label": "small", "file": "recipes/small.yaml", "recipe_hash": "…",
   "compiled": false,                                  # the files on disk are not yet what the recipe compiles to
   "stages": [{
     "stage": "train", "kind": "sft", "key": "…",
     "action": "run",                                  # run, conditional, reuse, moved or blocked
     "moved_from": null,                               # LABEL/STAGE that ran with the same key
     "reasons": [{
       "kind": "option", "what": "swift sft.learning_rate", "before": 0.0001, "after": 0.0002,
       "place": {"file": "recipes/small.yaml", "line": 9, "column": 52}, "hint": null}]}]}]}

The kinds of reasons are those of `model.Kind`. More fields and kinds may come; a change of what is there moves the version.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from compiler.diff.document import both, place
from compiler.rerun.model import Decision, Outlook, PipelineOutlook, Reason
from compiler.rerun.words import summary

FORMAT_VERSION = 1


def document(outlook: Outlook) -> dict[str, Any]:
    """The document; lists are ordered as the text shows them."""
    return {
        "format_version": FORMAT_VERSION,
        "summary": summary(outlook),
        "diagnostics": [asdict(diagnostic) for diagnostic in outlook.diagnostics],
        "pipelines": [_pipeline(pipeline) for pipeline in outlook.pipelines],
    }


def _pipeline(pipeline: PipelineOutlook) -> dict[str, Any]:
    return {
        "label": pipeline.label,
        "file": pipeline.file,
        "recipe_hash": pipeline.recipe_hash,
        "compiled": pipeline.compiled,
        "stages": [_stage(decision) for decision in pipeline.decisions],
    }


def _stage(decision: Decision) -> dict[str, Any]:
    return {
        "stage": decision.stage,
        "kind": decision.kind,
        "key": decision.key,
        "action": decision.action,
        "moved_from": decision.moved_from or None,
        "reasons": [_reason(reason) for reason in decision.reasons],
    }


def _reason(reason: Reason) -> dict[str, Any]:
    told = {"kind": reason.kind, "what": reason.what, **both(reason.before, reason.after)}
    return told | {"place": place(reason.place), "hint": reason.hint or None}
