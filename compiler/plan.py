"""The plan: stages as data, which one reader renders to files, another shows, and a third runs.

Nothing in a plan is text for a shell. A value is a Python value, or stands for a place that only the run knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from schema.diagnostics import Diagnostic
from schema.load import Instance
from schema.lock import Lock, Locked
from schema.models import ModelSpec
from schema.stage import Stage
from schema.toolchain import DEFAULT

Json = Any

KEPT = "kept"
"""The folder below `$RECIPE_OUT` that a run which goes on finds as it was; all else is taken away, but for checkpoints."""


@dataclass(frozen=True, slots=True)
class InputPath:
    """A path that belongs to an input of the stage. Its place is not part of the stage's identity, its role is."""

    role: str
    path: str
    suffix: str = ""
    """What the engine's own syntax adds to the path, such as `#500` rows."""


@dataclass(frozen=True, slots=True)
class OutputPath:
    """A path below the stage's working folder, `$RECIPE_OUT`."""

    path: str


@dataclass(frozen=True, slots=True)
class Rest:
    """What of an input a run that goes on has left to do: a file below the stage's working folder.

    It is part of the stage's identity as the input is, for a run ends with the same bytes wherever it went on.
    """

    of: InputPath
    path: str


@dataclass(frozen=True, slots=True)
class FilePath:
    """A generated file that stands beside the stage's script."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class ResumedModel:
    """The model, or the checkpoint that the run goes on from: a full fine-tune resumes with its weights as the model."""

    model: InputPath


@dataclass(frozen=True, slots=True)
class ResumePath:
    """The checkpoint to go on from; the option is left out when there is none."""


@dataclass(frozen=True, slots=True)
class Variable:
    """What the cluster says in an environment variable, such as which of several machines this is."""

    name: str


Place = InputPath | OutputPath | Rest | FilePath | ResumedModel | ResumePath | Variable
Scalar = str | int | float | bool
Value = Scalar | Place | tuple[Scalar | Place, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A program and its options, in the order they are written; names are the program's own, without dashes."""

    program: tuple[str, ...]
    options: Mapping[str, Value]
    signature: tuple[str, str] | tuple[str, str, str] | None = None
    """Engine and command of the recorded signature that the options are checked against, and its toolchain."""
    passed: Mapping[str, Json] = field(default_factory=dict)
    """Options that the recipe passes through under `engine.args`, as they are written there."""
    watch: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """List options that only watch, on top of what is passed: part of the script, and not of the stage's identity."""
    trains: bool = False
    """Left out when a run that was cut had finished its training: an engine that resumes at the end goes a step too far."""
    fields: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)
    """Option → the field of the stage that it comes from, for errors."""
    launcher: Command | None = None
    """What starts the program: in several processes, or to look at it. It begins with the program's first word itself,
    so that is not written behind it.
    """
    positional: tuple[Place, ...] = ()
    """What stands between the program and its options, without a name."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a stage runs: its commands one after another, in one environment, beside generated files."""

    commands: tuple[Command, ...]
    env: Mapping[str, str | InputPath] = field(default_factory=dict)
    files: Mapping[str, Json] = field(default_factory=dict)
    """Name of a generated engine file → its content."""
    required: tuple[str, ...] = ()
    """Environment variables that a cluster has to give."""
    runners: tuple[str, ...] = ()
    """Our own modules that take part; their source counts in the identity."""
    rest: Command | None = None
    """What finds the `Rest` of an input before the commands run: no part of the stage's identity."""
    beside: Mapping[str, tuple[Command, ...]] = field(default_factory=dict)
    """Name → commands of another script for people, in the same environment: no part of the stage."""

    @property
    def written(self) -> tuple[Command, ...]:
        """All commands of the script, in their order."""
        return self.commands if self.rest is None else (self.rest, *self.commands)


@dataclass(frozen=True, slots=True)
class Input:
    """What a stage reads: the product of another stage, or something pinned from outside."""

    role: str
    path: str
    stage: str | None = None
    pinned: Json = None
    """What stands for the content of an outside input until a lock gives its digest."""
    lock: Mapping[str, str] | None = None
    """What stands for the content of an outside input by the lock: the `sha256` of its bytes, or of the `code` that makes it."""
    dependencies: tuple[str, ...] = ()
    """The files and folders that DVC watches for it."""


@dataclass(frozen=True, slots=True)
class Output:
    """Something a stage hands over, relative to its folder."""

    name: str
    role: Literal["data", "model", "metrics", "plot"] = "data"
    plot: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BatchArithmetic:
    """global = micro × gpus × nodes × accumulation."""

    global_batch: int
    micro_batch: int
    processes: int
    nodes: int

    @property
    def accumulation(self) -> int:
        """Forward passes of one optimizer step."""
        return self.global_batch // (self.micro_batch * self.processes * self.nodes)

    def __str__(self) -> str:
        return (
            f"global {self.global_batch} = micro {self.micro_batch} × processes {self.processes}"
            f" × nodes {self.nodes} × accumulation {self.accumulation}"
        )


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """What a stage's model finally is: the pretrained model below it, with what the engine has to be told."""

    name: str
    spec: ModelSpec
    type: str
    template: str
    attention: str = "auto"
    """The kernel: what `auto` is depends on the stage's toolchain."""
    why_attention: str = ""


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage. Passes fill it from the top to the bottom."""

    name: str
    stage: Stage
    out: str
    inputs: tuple[Input, ...] = ()
    model: ResolvedModel | None = None
    toolchain: str = DEFAULT
    batch: BatchArithmetic | None = None
    launch: Launch = field(default_factory=lambda: Launch(()))
    outputs: tuple[Output, ...] = ()
    resumes: bool = False
    """Whether a run that was cut can go on from a checkpoint."""
    identity: Json = None
    own: str = ""
    key: str = ""

    @property
    def kind(self) -> str:
        """The kind of the stage, as the recipe says it."""
        return str(self.stage.kind)  # type: ignore[attr-defined]

    def input(self, role: str) -> Input:
        """An input by its role."""
        return next(i for i in self.inputs if i.role == role)

    def inputs_like(self, role: str) -> tuple[Input, ...]:
        """The inputs `role`, `role-2`, `role-3`, …"""
        return tuple(i for i in self.inputs if i.role == role or i.role.startswith(f"{role}-"))


@dataclass(frozen=True, slots=True)
class Plan:
    """One instance of a recipe, compiled."""

    instance: Instance
    file: str
    files: tuple[str, ...]
    stages: tuple[StagePlan, ...] = ()
    recipe_hash: str = ""
    intent: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()
    locked: Locked | None = None
    pinned: bool = False
    """Whether the lock says what everything is that the recipe names, and was written for these tools."""

    @property
    def label(self) -> str:
        """`NAME` or `NAME/VARIANT`."""
        return self.instance.label

    @property
    def pipeline(self) -> str:
        """The folder of the compiled files, relative to the root."""
        return f"pipelines/{self.label}"

    @property
    def outputs(self) -> str:
        """The folder of the results, relative to the root."""
        return f"outputs/{self.label}"

    @property
    def lock(self) -> Lock | None:
        """What the names of the recipe resolved to."""
        return self.locked.lock if self.locked else None

    def stage(self, name: str) -> StagePlan:
        """A stage by its name."""
        return next(stage for stage in self.stages if stage.name == name)


def is_place(value: Value) -> bool:
    """Whether a value, or what a tuple holds, stands for a place that only the run knows."""
    first = value[0] if isinstance(value, tuple) and value else value
    return isinstance(first, Place)
