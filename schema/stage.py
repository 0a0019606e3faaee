"""What every stage shares: what it uses of other parts of the recipe, and what it hands over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schema.base import Model
from schema.toolchain import Toolchain

Product = Literal[
    "rows", "model", "adapter", "student", "export", "predictions", "embeddings", "scores", "reply", "timings", "report"
]


@dataclass(frozen=True, slots=True)
class Use:
    """A reference from a stage to something else in the recipe.

    `role` names the input within the stage, `path` the field that holds the reference, `accepts` what it may be: products
    of stages, or an entry of `models` or `datasets`.
    """

    role: str
    path: tuple[str | int, ...]
    target: str
    accepts: tuple[Literal["models", "datasets"] | Product, ...]

    @property
    def name(self) -> str:
        """The stage, model or data set that is meant."""
        return self.target.partition(".")[0]

    @property
    def names_stage(self) -> bool:
        """Whether a stage may be meant; a data set may have the name of a stage."""
        return "datasets" not in self.accepts

    @property
    def split(self) -> str | None:
        """The split of prepared rows that is meant."""
        return self.target.partition(".")[2] or None


@dataclass(frozen=True, slots=True)
class FileUse:
    """A file of the project that a stage reads: its role, the field that names it, and its path."""

    role: str
    path: tuple[str | int, ...]
    file: str


class Stage(Model):
    """A step of a recipe. Its name is its key under `stages`."""

    description: str = ""
    """A line for readers."""
    toolchain: Toolchain | None = None
    """The packages that it runs in; those of the recipe when absent."""

    @property
    def uses(self) -> tuple[Use, ...]:
        """Its references, in a fixed order."""
        raise NotImplementedError

    @property
    def files(self) -> tuple[FileUse, ...]:
        """The files of the project that it names itself."""
        return ()

    @property
    def gives(self) -> Product:
        """What it hands over."""
        raise NotImplementedError
