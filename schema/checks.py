"""Rules that no single field can break: references between parts of a recipe, and fields that contradict each other.

A rule is a function from a `Context` to diagnostics. `RULES` is the whole list; the JSON Schema can say none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import PurePosixPath

from schema.datasets.base import LocalDataset
from schema.diagnostics import Diagnostic, RecipeError, Span
from schema.recipe import Recipe
from schema.stage import Use
from schema.stages import Predict, Prepare
from schema.training import TrainingStage
from schema.tuner import LoraTuner

At = Callable[..., Span]


@dataclass(frozen=True, slots=True)
class Context:
    """A recipe of the right shape, and where its fields were written."""

    recipe: Recipe
    variant: str | None
    at: At
    key_at: At

    def training(self) -> Iterator[tuple[str, TrainingStage]]:
        """The training stages, by name."""
        return ((name, stage) for name, stage in self.recipe.stages.items() if isinstance(stage, TrainingStage))

    def uses(self) -> Iterator[tuple[str, Use]]:
        """Every reference, with the stage it stands in."""
        return ((name, use) for name, stage in self.recipe.stages.items() for use in stage.uses)


def check(recipe: Recipe, variant: str | None, at: At, key_at: At) -> list[Diagnostic]:
    """What `RULES` find.

    Raises:
        RecipeError: what `REFERENCES` find; nothing can follow a reference that leads nowhere.
    """
    context = Context(recipe, variant, at, key_at)
    broken = [diagnostic for rule in REFERENCES for diagnostic in rule(context)]
    if broken:
        raise RecipeError(broken)
    return [diagnostic for rule in RULES for diagnostic in rule(context)]


def references_exist(context: Context) -> Iterator[Diagnostic]:
    """R0201, R0202: a reference names something that the recipe has."""
    recipe = context.recipe
    for stage, use in context.uses():
        known: dict[str, object] = {}
        if "datasets" in use.accepts:
            known |= recipe.datasets
        if "models" in use.accepts:
            known |= recipe.models
        if set(use.accepts) != {"datasets"}:
            known |= {name: other for name, other in recipe.stages.items() if name != stage}
        if use.name not in known:
            code = "R0202" if "datasets" in use.accepts else "R0201"
            what = (
                "data set"
                if "datasets" in use.accepts
                else "stage"
                if "models" not in use.accepts
                else "model or stage"
            )
            yield Diagnostic(
                code, f"there is no {what} `{use.name}`", _did_you_mean(use.name, known), (_place(context, stage, use),)
            )


def references_fit(context: Context) -> Iterator[Diagnostic]:
    """R0203, R0204: a stage gets what it can use, and a split that has rows."""
    for name, use in context.uses():
        if use.name in (context.recipe.datasets if "datasets" in use.accepts else ()):
            continue
        if "models" in use.accepts and use.name in context.recipe.models and use.name not in context.recipe.stages:
            continue
        stage = context.recipe.stages.get(use.name)
        if stage is None:
            continue
        place = _place(context, name, use)
        if stage.gives not in use.accepts:
            wanted = " or ".join(a for a in use.accepts if a not in ("models", "datasets"))
            message = f"`{use.name}` hands over {_article(stage.gives)}, and `{name}` wants {_article(wanted)}"
            yield Diagnostic(
                "R0204", message, _stage_that_gives(context, use), (place, _stage_place(context, use.name))
            )
        elif isinstance(stage, Prepare) and stage.dataset in context.recipe.datasets:
            splits = context.recipe.datasets[stage.dataset].split.names
            if use.split not in splits:
                written = f"split `{use.split}`" if use.split else "split"
                message = f"`{use.target}` names no {written} of `{use.name}` that has rows"
                choices = " or ".join(f"`{use.name}.{split}`" for split in splits)
                yield Diagnostic("R0203", message, f"write {choices}, or add to the data set's `split`", (place,))


def no_cycles(context: Context) -> Iterator[Diagnostic]:
    """R0205: stages depend on each other in one direction."""
    stages = context.recipe.stages
    graph = {name: [use.name for use in stage.uses if use.name in stages] for name, stage in stages.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        spans = tuple(
            replace(_place(context, stage, use), label=f"`{stage}` needs `{use.name}`")
            for stage, used in pairwise(circle)
            for use in stages[stage].uses
            if use.name == used
        )
        message = "stages wait for each other: " + " → ".join(circle)
        yield Diagnostic("R0205", message, "remove one of these references", spans)


def names_are_apart(context: Context) -> Iterator[Diagnostic]:
    """R0211, R0306: one name means one thing, and one folder belongs to one stage."""
    for name in context.recipe.models.keys() & context.recipe.stages.keys():
        spans = (context.key_at("stages", name), context.key_at("models", name))
        yield Diagnostic("R0211", f"`{name}` is a model and a stage", "rename one of them", spans)
    if context.variant in context.recipe.stages:
        message = f"variant `{context.variant}` and stage `{context.variant}` would write to the same folder"
        places = (context.key_at("variants", context.variant), context.key_at("stages", context.variant))
        yield Diagnostic("R0306", message, "rename one of them", places)
    if "compiled" in context.recipe.stages:
        message = "the name `compiled` belongs to the stage that every pipeline starts with"
        yield Diagnostic("R0306", message, "rename the stage", (context.key_at("stages", "compiled"),))


def batch_divides(context: Context) -> Iterator[Diagnostic]:
    """R0301: the global batch is a whole number of micro batches on every process."""
    world = context.recipe.hardware.world
    for name, stage in context.training():
        batch = stage.batch
        if batch.global_ % (batch.micro * world) == 0:
            continue
        hardware = context.recipe.hardware
        at_once = batch.micro * world
        near = max(round(batch.global_ / at_once), 1) * at_once
        yield Diagnostic(
            "R0301",
            f"a global batch of {batch.global_} is no whole number of steps of {batch.micro} on {world} processes",
            f"write `global: {near}`, or another `micro`: micro × gpus × nodes is "
            f"{batch.micro} × {hardware.processes} × {hardware.nodes} = {at_once}",
            (
                replace(context.at("stages", name, "batch", "global"), label="examples of a step"),
                replace(context.at("hardware", "gpus"), label=f"{hardware.gpus} GPUs of {hardware.nodes} nodes"),
            ),
        )


def tuner_is_possible(context: Context) -> Iterator[Diagnostic]:
    """R0302, R0303: quantised base weights name bits and a method that knows them, and something is trained."""
    for name, stage in context.training():
        tuner, path = stage.tuner, ("stages", name, "tuner")
        if not isinstance(tuner, LoraTuner):
            if tuner.freeze.language and tuner.freeze.vision and tuner.freeze.aligner:
                yield Diagnostic(
                    "R0303",
                    "everything is frozen, so nothing is trained",
                    "free one part",
                    (context.at(*path, "freeze"),),
                )
            continue
        if (tuner.bits is None) != (tuner.quantization is None):
            given = "bits" if tuner.bits is not None else "quantization"
            missing = "quantization: bnb" if tuner.bits is not None else "bits: 4"
            yield Diagnostic(
                "R0302", f"`{given}` says only half of a quantisation", f"add `{missing}`", (context.at(*path, given),)
            )
        elif tuner.quantization == "bnb" and tuner.bits not in (4, 8):
            message = f"bitsandbytes does not know {tuner.bits} bits"
            yield Diagnostic("R0302", message, "write `bits: 4` or `bits: 8`", (context.at(*path, "bits"),))


def cadences_fit(context: Context) -> Iterator[Diagnostic]:
    """R0304: the best checkpoint, and an early end, need evaluations at the checkpoints."""
    for name, stage in context.training():
        wants = (
            "early_stopping" if stage.early_stopping else "checkpoints" if stage.checkpoints.select == "best" else None
        )
        if wants is None:
            continue
        place = context.at("stages", name, wants)
        if stage.evaluation.data is None:
            message = f"`{wants}` compares evaluations, and `{name}` has none"
            yield Diagnostic("R0304", message, "add `evaluation: {data: STAGE.validation}`", (place,))
        elif stage.evaluation.every != stage.checkpoints.every:
            message = f"`{wants}` needs an evaluation at every checkpoint"
            help = f"write `every: {stage.checkpoints.every}` in `evaluation` and in `checkpoints`"
            yield Diagnostic("R0304", message, help, (place, context.at("stages", name, "evaluation", "every")))


def hardware_can(context: Context) -> Iterator[Diagnostic]:
    """R0305, R0309, R0310: what needs a GPU, flash attention or a number format that the hardware has."""
    recipe = context.recipe
    for name, stage in context.training():
        path = ("stages", name)
        if recipe.hardware.gpus == 0 and stage.deepspeed is not None:
            message = f"`deepspeed: {stage.deepspeed}` shards over GPUs, and the hardware has none"
            places = (context.at(*path, "deepspeed"), replace(context.at("hardware", "gpus"), label="no GPU"))
            yield Diagnostic("R0305", message, "write `deepspeed: null`", places)
        spec = recipe.models.get(stage.model)
        precision = stage.precision or (spec.dtype if spec else None)
        if recipe.hardware.gpus == 0 and precision == "float16":
            message = "float16 training needs a GPU"
            yield Diagnostic(
                "R0310", message, "write `float32` or `bfloat16`", (_precision_place(context, name, stage),)
            )
        if stage.packing and spec and not spec.attention.startswith("flash_attention"):
            message = f"packing needs flash attention, and the model's attention is `{spec.attention}`"
            help = "write `attention: flash_attention_2` in the model, or `packing: false`"
            yield Diagnostic(
                "R0309", message, help, (context.at(*path, "packing"), context.at("models", stage.model, "attention"))
            )


def sources_agree(context: Context) -> Iterator[Diagnostic]:
    """R0308: either all sources of a stage have weights, or none has."""
    for name, stage in context.training():
        weighted = [source.weight is not None for source in stage.data]
        if any(weighted) and not all(weighted):
            number = weighted.index(False)
            message = "some sources have a `weight` and this one has none"
            yield Diagnostic(
                "R0308", message, "give every source a `weight`, or none", (context.at("stages", name, "data", number),)
            )


def tasks_agree(context: Context) -> Iterator[Diagnostic]:
    """R0307: a classifier reads rows with classes, everything else rows with answers."""
    stages = context.recipe.stages
    for name, use in context.uses():
        stage, source = stages[name], stages.get(use.name)
        if not isinstance(source, Prepare) or "rows" not in use.accepts:
            continue
        classifier = context.recipe.classifier(stage.model if isinstance(stage, Predict) else name)
        wanted = "classify" if classifier else "generate"
        if source.task != wanted:
            message = f"`{name}` reads rows to {wanted}, and `{use.name}` prepares rows to {source.task}"
            spans = (_place(context, name, use), _stage_place(context, use.name))
            yield Diagnostic("R0307", message, f"write `task: {wanted}` in `{use.name}`", spans)


def paths_stay_inside(context: Context) -> Iterator[Diagnostic]:
    """R0311, R0312: a path is inside the project, or absolute and declared."""
    for name, dataset in context.recipe.datasets.items():
        if isinstance(dataset, LocalDataset):
            yield from _path(dataset.path, dataset.external, context.at("datasets", name, "path"))
    for name, model in context.recipe.models.items():
        if model.path is not None:
            yield from _path(model.path, False, context.at("models", name, "path"))


def _path(path: str, external: bool, place: Span) -> Iterator[Diagnostic]:
    pure = PurePosixPath(path)
    if pure.is_absolute() and not external:
        help = "write a path inside the project and map it in `machine.yaml`, or add `external: true`"
        yield Diagnostic("R0312", f"`{path}` is absolute, so it fits one machine only", help, (place,))
    elif not pure.is_absolute() and (".." in pure.parts or "\\" in path or "\0" in path):
        yield Diagnostic("R0311", f"`{path}` leaves the project", "write a path below the project's root", (place,))


def _precision_place(context: Context, name: str, stage: TrainingStage) -> Span:
    return context.at("stages", name, "precision") if stage.precision else context.at("models", stage.model, "dtype")


def _place(context: Context, stage: str, use: Use) -> Span:
    return context.at("stages", stage, *use.path)


def _stage_place(context: Context, name: str) -> Span:
    return replace(context.key_at("stages", name), label=f"`{name}` is defined here")


def _article(product: str) -> str:
    return f"an {product}" if product[0] in "aeiou" else product if product.endswith("s") else f"a {product}"


def _stage_that_gives(context: Context, use: Use) -> str:
    fitting = [name for name, stage in context.recipe.stages.items() if stage.gives in use.accepts]
    if fitting:
        return "write " + " or ".join(f"`{name}`" for name in fitting)
    kinds = {"adapter": "sft` with `tuner: {kind: lora}", "predictions": "predict", "rows": "prepare", "model": "merge"}
    return f"add a stage of `kind: {kinds.get(use.accepts[-1], use.accepts[-1])}`"


def _did_you_mean(name: str, known: dict[str, object]) -> str:
    from schema.suggest import nearest  # the fuzzy matcher, which only a mistake pays for

    guess = nearest(name, list(known))
    if guess:
        return f"did you mean `{guess}`?"
    return "there are " + ", ".join(f"`{other}`" for other in known) if known else "add it first"


Rule = Callable[[Context], Iterator[Diagnostic]]
REFERENCES: tuple[Rule, ...] = (names_are_apart, references_exist, references_fit, no_cycles)
RULES: tuple[Rule, ...] = (
    batch_divides,
    tuner_is_possible,
    cadences_fit,
    hardware_can,
    sources_agree,
    tasks_agree,
    paths_stay_inside,
)
