"""Packages that a choice of the recipe needs and that its toolchain does not hold; a person may install them by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from schema.context import Context
from schema.diagnostics import Diagnostic
from schema.recipe import Recipe
from schema.signature import toolchain
from schema.stage import Stage
from schema.stages import Deploy, Grpo, Quantize
from schema.toolchain import METHODS_NOT_RUN, NAMES
from schema.training import TrainingStage
from schema.tree import Loc
from schema.tuner import LoraTuner

PACKAGES: dict[str, tuple[str, ...]] = {
    "awq": ("autoawq",),
    "bnb": ("bitsandbytes",),
    "eetq": ("eetq",),
    "flash_attention_2": ("flash-attn",),
    "flash_attention_3": ("flash-attn-3",),
    "gptq": ("optimum", "gptqmodel"),
    "hqq": ("hqq",),
    "quanto": ("optimum-quanto",),
    "swanlab": ("swanlab",),
    "vllm": ("vllm",),
    "wandb": ("wandb",),
}
"""A choice in a recipe → the packages that it needs and that a toolchain may lack."""


@dataclass(frozen=True, slots=True)
class Unlocked:
    """A choice of a stage, the place where it is written, and a package that it needs and its toolchain does not hold."""

    stage: str
    choice: str
    package: str
    path: Loc

    @property
    def help(self) -> str:
        install = f"install `{self.package}` into the environment that runs this recipe"
        held = next((t for t in NAMES if self.package in toolchain(t)), None)
        if held:
            return f"{install}, or write `toolchain: {held}`"
        return f"{install}; {METHODS_NOT_RUN[self.choice]}" if self.choice in METHODS_NOT_RUN else install


def unlocked(recipe: Recipe) -> Iterator[Unlocked]:
    """What the stages of a recipe need beside their toolchains."""
    for name, stage in recipe.stages.items():
        held = toolchain(recipe.toolchain_of(name))
        for choice, path in _choices(recipe, name, stage):
            for package in PACKAGES.get(choice or "", ()):
                if package not in held:
                    yield Unlocked(name, choice or "", package, path)


def _choices(recipe: Recipe, name: str, stage: Stage) -> Iterator[tuple[str | None, Loc]]:
    """What a stage chooses, and where."""
    own = ("stages", name)
    if isinstance(stage, Quantize):
        yield stage.method, (*own, "method")
    if isinstance(stage, Deploy) and stage.on_vllm:
        yield "vllm", (*own, "server" if stage.server == "vllm" else "backend")
    if isinstance(stage, Grpo):
        yield stage.rollout.engine, (*own, "rollout", "engine")
    if isinstance(stage, TrainingStage):
        for number, tracker in enumerate(stage.logging.trackers):
            yield tracker, (*own, "logging", "trackers", number)
        if isinstance(stage.tuner, LoraTuner):
            yield stage.tuner.quantization, (*own, "tuner", "quantization")
        model = recipe.base_model(name)
        if model is not None:
            yield recipe.models[model].attention, ("models", model, "attention")


def packages_are_locked(context: Context) -> Iterator[Diagnostic]:
    """R0314: a choice needs a package that is not part of the toolchain (a warning: it may be installed by hand)."""
    for lack in unlocked(context.recipe):
        message = f"`{lack.choice}` needs the package `{lack.package}`, which the toolchain does not hold"
        yield Diagnostic("R0314", message, lack.help, (context.at(*lack.path),), "warning")
