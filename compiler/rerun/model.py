"""What would run, and why. Everything here is data; two renderers read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from compiler.diff.model import ABSENT
from compiler.plan import Json
from schema.diagnostics import Diagnostic, Span

Action = Literal["run", "conditional", "reuse", "moved", "blocked"]
"""What becomes of a stage: it runs; it runs only if what it reads gets other bytes; nothing runs; it runs although the same
stage has run in another place; it cannot run."""
ACTIONS: tuple[Action, ...] = ("run", "moved", "conditional", "blocked", "reuse")
Kind = Literal[
    "never-ran",  # there is no trace of a run
    "unrecorded",  # it ran, and DVC's record does not say so
    "option",  # an option of its launch
    "environment",  # a variable of its launch
    "file",  # a generated file
    "program",  # a program of its launch
    "kind",  # the kind of the stage
    "inputs",  # the roles of what it reads
    "pin",  # bytes that the lock names for an input
    "code",  # our own runners
    "toolchain",  # versions of packages
    "launch",  # something of the above, and what it was before is not on record
    "data",  # bytes of the project's data
    "dependency",  # it reads something that it did not read before
    "upstream",  # bytes that another stage makes
    "command",  # the line that DVC calls
    "output-missing",  # a result is gone
    "output-changed",  # a result is not what DVC has recorded
    "output-uncached",  # DVC's cache has lost a result
    "output-new",  # it hands over something more
    "restored",  # DVC puts the result of such a run back
    "up-to-date",
    "moved",  # the same stage ran in another place
    "data-missing",
    "data-unreadable",
    "pinned-bytes",  # data has other bytes than the lock names
    "upstream-blocked",
]


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: `what` names an option, a path or a stage; a side without a value is ABSENT."""

    kind: Kind
    what: str = ""
    before: Json = ABSENT
    after: Json = ABSENT
    place: Span | None = None
    """The line of the recipe, of its lock or of what it extends; nothing where no line says it."""
    hint: str = ""
    """What to do about it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one stage."""

    stage: str
    kind: str
    key: str
    action: Action
    reasons: tuple[Reason, ...]
    moved_from: str = ""
    """`LABEL/STAGE` that ran with the same key."""


@dataclass(frozen=True, slots=True)
class PipelineOutlook:
    """One instance of a recipe. `compiled` says whether its files on disk are what it compiles to."""

    label: str
    file: str
    recipe_hash: str
    compiled: bool
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """All that was asked for, and what stands in the way of saying more."""

    pipelines: tuple[PipelineOutlook, ...]
    diagnostics: tuple[Diagnostic, ...] = ()

    def count(self, action: Action) -> int:
        """How many stages an action happens to."""
        return sum(decision.action == action for pipeline in self.pipelines for decision in pipeline.decisions)

    @property
    def failed(self) -> bool:
        """Whether a recipe could not be planned, or a stage cannot run."""
        return any(d.severity == "error" for d in self.diagnostics) or self.count("blocked") > 0
