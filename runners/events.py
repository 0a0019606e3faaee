"""What happens during a run, as data: one run, several readers (a table, lines, JSON)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

FORMAT_VERSION = 1

State = Literal["waiting", "running", "done", "restored", "up to date", "failed", "stopped"]
"""`restored`: DVC had the outputs of this very run in its cache. The others say what they are."""
Ending = Literal["done", "up to date", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class Started:
    """The first event: `recipe` is `NAME` or `NAME/VARIANT`, `stages` those that belong to this run, in order."""

    recipe: str
    file: str
    stages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StageChanged:
    """A stage has another state; `elapsed` counts seconds since it began to run."""

    stage: str
    state: State
    elapsed: float = 0.0


@dataclass(frozen=True, slots=True)
class Progressed:
    """The trainer has written a line to its log. `left` in seconds; None where the line does not say."""

    stage: str
    step: int
    steps: int
    loss: float | None
    metrics: Mapping[str, float]
    left: float | None


@dataclass(frozen=True, slots=True)
class Said:
    """A line that the stage, or DVC, has for people; `stage` is `compiled` for the check of the compiled files."""

    stage: str
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event. `failed` names the stage that failed or was stopped, with its log and its script."""

    state: Ending
    elapsed: float
    ran: tuple[str, ...] = ()
    failed: str | None = None
    log: str | None = None
    script: str | None = None
    scores: Mapping[str, Any] = field(default_factory=dict)
    """Stage that evaluates → its metrics."""
    plots: str | None = None
    """The page with the plots, relative to the root."""


Event = Started | StageChanged | Progressed | Said | Ended


def as_json(event: Event) -> dict[str, Any]:
    """The event as one line of `--format jsonl` says it."""
    match event:
        case Started(recipe, file, stages):
            about = {"recipe": recipe, "file": file, "stages": list(stages)}
            return {"event": "start", "format_version": FORMAT_VERSION, **about}
        case StageChanged():
            return {"event": "stage", "stage": event.stage, "state": event.state, "elapsed": round(event.elapsed, 3)}
        case Progressed():
            counts = {"stage": event.stage, "step": event.step, "steps": event.steps, "loss": event.loss}
            return {"event": "progress", **counts, "metrics": dict(event.metrics), "left_s": event.left}
        case Said(stage, text):
            return {"event": "message", "stage": stage, "text": text}
        case Ended():
            where = {"failed": event.failed, "log": event.log, "script": event.script}
            end: dict[str, Any] = {"state": event.state, "elapsed": round(event.elapsed, 3), "ran": list(event.ran)}
            return {"event": "end", **end, **where, "scores": dict(event.scores), "plots": event.plots}


def duration(seconds: float) -> str:
    """`4s`, `1m 04s`, `2h 03m`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02}m"
