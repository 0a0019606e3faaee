"""How decisions and reasons are said to people."""

from __future__ import annotations

from collections.abc import Callable

from compiler.diff.model import ABSENT
from compiler.diff.words import change
from compiler.plan import Json
from compiler.rerun.model import ACTIONS, Action, Decision, Kind, Outlook, Reason

SHOWN = 4
"""Reasons of a stage that are told; JSON has all."""
DIGITS = 8
"""Digits of a digest that people see."""
COUNTED: dict[Action, tuple[str, str]] = {
    "run": ("runs", "run"),
    "moved": ("runs because it moved", "run because they moved"),
    "conditional": ("runs only if what it reads changes", "run only if what they read changes"),
    "blocked": ("is blocked", "are blocked"),
    "reuse": ("is reused", "are reused"),
}

WORDS: dict[Kind, Callable[[Reason], str]] = {
    "never-ran": lambda r: "has not run yet",
    "unrecorded": lambda r: "DVC has no record of its run",
    "option": lambda r: change_of(r, r.what.rpartition(".")[2]),
    "environment": lambda r: change_of(r, f"variable {r.what}"),
    "file": lambda r: change_of(r, r.what),
    "program": lambda r: f"program {r.what} {'is new' if r.before is ABSENT else 'is gone'}",
    "kind": lambda r: change_of(r, "kind"),
    "inputs": lambda r: change_of(r, "inputs"),
    "pin": lambda r: change_of(r, f"pinned bytes of {r.what}"),
    "code": lambda r: f"code of {r.what}",
    "toolchain": lambda r: change_of(r, r.what),
    "launch": lambda r: "its launch changed; what it was is not on record",
    "data": lambda r: change_of(r, r.what),
    "dependency": lambda r: f"reads {r.what} now",
    "command": lambda r: change_of(r, "command"),
    "output-missing": lambda r: f"{r.what} is gone",
    "output-changed": lambda r: f"{r.what} is not what DVC has on record: {change_of(r, '').strip()}",
    "output-uncached": lambda r: f"DVC's cache has lost {r.what}",
    "output-new": lambda r: f"hands over {r.what} now",
    "restored": lambda r: "DVC puts the result of an earlier run back",
    "up-to-date": lambda r: "up to date",
    "moved": lambda r: f"the same stage ran as {r.what}",
    "data-unreadable": lambda r: f"DVC cannot read {r.what}: {r.after}",
    "pinned-bytes": lambda r: f"{r.what} has other bytes than the lock names: {change_of(r, '').strip()}",
    "upstream-blocked": lambda r: f"{r.what} is blocked",
}


def told(reason: Reason) -> str:
    """A reason with its line and what to do: `learning_rate 1e-4 → 2e-4 (recipes/a.yaml:12:30)`."""
    span = reason.place
    where = f" ({span.file}:{span.line}:{span.column})" if span else ""
    hint = f"; {reason.hint}" if reason.hint else ""
    return _words(reason) + where + hint


def _words(reason: Reason) -> str:
    if reason.kind == "data-missing":
        lost = f"machine.yaml maps {reason.what} to {reason.after}, which does not exist"
        return f"{reason.what} is missing" if reason.after is ABSENT else lost
    if reason.kind == "upstream":  # a stage that may run, or bytes that are known to differ
        known = reason.before is not ABSENT or reason.after is not ABSENT
        return f"{reason.what} has other bytes" if known else f"{reason.what} may make other bytes"
    return WORDS[reason.kind](reason)


def change_of(reason: Reason, name: str) -> str:
    """`learning_rate 1e-4 → 2e-4`; digests are cut to what people compare."""
    return f"{name} {change(_short(reason.before), _short(reason.after))}"


def _short(value: Json) -> Json:
    text = value.removesuffix(".dir") if isinstance(value, str) else ""
    digest = len(text) in (32, 40, 64) and not set(text) - set("0123456789abcdef")
    return text[:DIGITS] if digest else value


def why(decision: Decision) -> list[str]:
    """The reasons of a stage, a line each."""
    lines = [told(reason) for reason in decision.reasons]
    more = len(lines) - SHOWN
    return lines if more < 2 else [*lines[:SHOWN], f"and {more} more"]


def summary(outlook: Outlook) -> str:
    """One line: how many stages there are, and what becomes of them."""
    total = sum(len(pipeline.decisions) for pipeline in outlook.pipelines)
    counts = [f"{n} {COUNTED[action][n != 1]}" for action in ACTIONS if (n := outlook.count(action))]
    files = {d.spans[0].file if d.spans else "" for d in outlook.diagnostics if d.severity == "error"}
    broken = [f"{len(files)} recipe{' is' if len(files) == 1 else 's are'} not planned"] if files else []
    return f"{total} stage{'' if total == 1 else 's'}: {', '.join([*counts, *broken]) or 'nothing to plan'}"
