"""The recipe: models, data sets, hardware and the stages that turn them into a result."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from schema.base import CHOICE_OF_NUMBERS, Model, Name, default
from schema.datasets import Dataset
from schema.hardware import Hardware
from schema.models import ModelSpec
from schema.stages import AnyStage, Classify, Distill, Embed, Merge
from schema.toolchain import DEFAULT, Toolchain

VERSION = 1
OLDEST = 0
"""The first version that `recipe migrate` knows."""
Overlay = dict[str, JsonValue]


class Recipe(Model):
    """One recipe, as it stands in its file or, after composition, as one instance of it."""

    version: Annotated[Literal[1], CHOICE_OF_NUMBERS]
    """Version of the language."""
    name: Name
    """Names the folders `pipelines/NAME` and `outputs/NAME`."""
    description: str = ""
    """A line for readers."""
    seed: int = Field(42, ge=0, lt=2**32)
    """Seed of splits, initialisation, order and sampling."""
    extends: Annotated[tuple[str, ...], Field()] = ()
    """Files that this one builds on, relative to it. Maps merge, lists replace."""
    toolchain: Toolchain | None = None
    """The packages that its stages run in: `default` when absent. `toolchains/NAME.txt` locks them."""
    models: dict[Name, ModelSpec] = {}
    """The models that stages name, by names of your own."""
    datasets: dict[Name, Dataset] = {}
    """The data sets that stages name, by names of your own."""
    hardware: Hardware = default(Hardware)
    stages: dict[Name, AnyStage] = Field(min_length=1)
    """The steps, in any order; references between them make the graph."""
    variants: dict[Name, Overlay] = {}
    """Named overlays of this recipe; each compiles to `pipelines/NAME/VARIANT`."""
    axes: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]] = {}
    """Groups of variants; the recipe also stands for every combination of one variant from each group."""

    def base_model(self, stage: str) -> str | None:
        """The entry of `models` that a stage's model goes back to; None where it runs no model."""
        for use in self.stages[stage].uses:
            if use.role in ("model", "adapter", "teacher"):
                return use.name if use.name in self.models else self.base_model(use.name)
        return None

    def toolchain_of(self, stage: str) -> str:
        """The toolchain that a stage runs in."""
        return self.stages[stage].toolchain or self.toolchain or DEFAULT

    def classifier(self, name: str) -> Classify | None:
        """The stage that a model or adapter of this name has its classes from; None where it writes text."""
        head = self.head(name)
        return head if isinstance(head, Classify) else None

    def head(self, name: str) -> Classify | Embed | None:
        """The stage that gave a model or adapter of this name something else to hand out than text; None where none did."""
        stage = self.stages.get(name)
        if isinstance(stage, Merge):
            return self.head(stage.adapter)
        return stage if isinstance(stage, Classify | Embed) else None

    def student(self, name: str) -> Distill | None:
        """The stage of this name, if it hands over a student."""
        stage = self.stages.get(name)
        return stage if isinstance(stage, Distill) else None
