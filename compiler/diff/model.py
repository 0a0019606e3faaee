"""What is compared, and what differs. Everything here is data; three renderers read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from compiler.plan import Json, Plan
from schema.diagnostics import Diagnostic, Span

Action = Literal["changed", "follows", "added", "removed", "moved"]
"""What becomes of a stage. `follows`: only the key of something it reads moved; `moved`: same key, other place or name."""
Kind = Literal["pin", "comparability", "seed", "learning-rate", "toolchain", "default"]
Status = Literal["changed", "added", "removed", "moved", "same"]


class _Absent:
    """Stands for a value that one side does not have; null is a value."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class Compiled:
    """One instance of a recipe on one side."""

    plan: Plan
    committed: Mapping[str, Json]
    """Stage → the identity document that stands in the pipeline's folder on this side, as far as there is one."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A recipe that does not compile."""

    file: str
    diagnostics: tuple[Diagnostic, ...]
    whole: bool
    """Whether nothing of the file could be compiled, so that not even its instances are known."""
    instances: tuple[tuple[str, str | None], ...] = ()
    """Otherwise: label and variant of those that could not."""


@dataclass(frozen=True, slots=True)
class Side:
    """Recipes as they are at one revision, in the worktree, or in a file."""

    name: str
    revision: str | None = None
    """The commit, 40 or 64 hex digits."""
    compiled: tuple[Compiled, ...] = ()
    failures: tuple[Failure, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    """File → text, for the excerpts of diagnostics."""


@dataclass(frozen=True, slots=True)
class IdentityChange:
    """One fact of a stage's identity document: `path` begins with its part, such as `options` or `toolchain`."""

    path: tuple[str, ...]
    before: Json
    after: Json


@dataclass(frozen=True, slots=True)
class StageChange:
    """What becomes of one stage, and why."""

    action: Action
    name: str
    kind: str
    reasons: tuple[str, ...]
    before_key: str = ""
    after_key: str = ""
    before_place: str = ""
    """`LABEL:STAGE` where it stood before, when that differs."""
    outside: tuple[IdentityChange, ...] = ()
    """What moved in the committed identity although the recipe did not say so: toolchain, defaults, our own code."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field of the recipe, or something derived from fields, by its effective value."""

    path: tuple[str | int, ...]
    before: Json
    after: Json
    unit: str = ""
    because: tuple[str, ...] = ()
    """What a derived value follows from."""
    place: Span | None = None
    """Where the new value is written; nothing for what is derived."""


@dataclass(frozen=True, slots=True)
class OptionChange:
    """An option of a command, or a variable of its environment."""

    stage: str
    program: str
    option: str
    before: Json
    after: Json
    decides: bool
    """Whether it can change the result."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A generated file, as unified diff."""

    path: str
    diff: str


@dataclass(frozen=True, slots=True)
class Note:
    """A risk that a reviewer should know of."""

    kind: Kind
    message: str
    place: Span | None = None


@dataclass(frozen=True, slots=True)
class PipelineDiff:
    """What differs in one instance of a recipe."""

    label: str
    status: Status
    file: str
    before_label: str = ""
    before_hash: str = ""
    after_hash: str = ""
    notes: tuple[Note, ...] = ()
    stages: tuple[StageChange, ...] = ()
    fields: tuple[FieldChange, ...] = ()
    options: tuple[OptionChange, ...] = ()
    files: tuple[FileChange, ...] = ()
    like: str = ""
    """The label of a pipeline before this one that differs in the same way."""


@dataclass(frozen=True, slots=True)
class RecipeDiff:
    """What differs between two sides; pipelines without any difference are left out."""

    base: Side
    head: Side
    compared: int
    pipelines: tuple[PipelineDiff, ...]

    @property
    def failed(self) -> bool:
        """Whether a recipe could not be compared."""
        return bool(self.base.failures or self.head.failures)

    def count(self, action: Action) -> int:
        """How many stages an action happens to."""
        return sum(stage.action == action for pipeline in self.pipelines for stage in pipeline.stages)
