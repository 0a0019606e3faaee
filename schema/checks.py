"""Rules that no single field can break: references between parts of a recipe, and fields that contradict each other.

`REFERENCES` and `RULES` are the whole list. The JSON Schema can say none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from schema.checks_data import RULES as OF_DATA
from schema.checks_delivery import RULES as OF_DELIVERY
from schema.checks_distill import ROWS_OF_STUDENTS, families_for
from schema.checks_distill import RULES as OF_STUDENTS
from schema.checks_gpus import RULES as OF_GPUS
from schema.checks_memory import RULES as OF_MEMORY
from schema.checks_paths import paths_stay_inside
from schema.checks_predict import answers_are_possible, checks_read_text
from schema.checks_rl import (
    adapters_go_on,
    best_is_by_reward,
    groups_divide,
    reference_stays,
    rewards_can_be_read,
    rollouts_are_possible,
    smoothing_counts,
)
from schema.checks_scores import (
    heads_fit,
    metrics_fit,
    overlap_has_shards,
    pairs_have_others,
    retrieval_has_pairs,
    thresholds_are_fair,
)
from schema.checks_synthesize import paths_belong_to_questions
from schema.checks_vqa import (
    answers_are_scored_as_they_are,
    official_split_stays,
    prompt_asks_the_question,
    questions_are_answered_in_words,
)
from schema.context import At, Context, Rule
from schema.diagnostics import Diagnostic, RecipeError, Span
from schema.recipe import Recipe
from schema.references import names_are_apart, no_cycles, place, references_exist, references_fit, stage_place
from schema.salvage import salvage, without
from schema.stages import (
    Benchmark,
    Check,
    Deploy,
    Distill,
    Dpo,
    Embed,
    Export,
    Features,
    Grpo,
    Predict,
    Prepare,
    Quantize,
    Stage,
)
from schema.training import SupervisedStage, TrainingStage
from schema.tree import MapNode
from schema.tuner import LoraTuner
from schema.unlocked import packages_are_locked


def check(recipe: Recipe, at: At, key_at: At) -> list[Diagnostic]:
    """What `RULES` find.

    Raises:
        RecipeError: what `REFERENCES` find, and what `RULES` find where all references lead somewhere.
    """
    broken, pointed = _broken(REFERENCES, Context(recipe, at, key_at))
    sound = without(recipe, pointed) if broken else recipe
    found = [diagnostic for rule in RULES for diagnostic in rule(Context(sound, at, key_at))]
    if broken:
        raise RecipeError([*broken, *found])
    return found


def check_rest(tree: MapNode, at: At, key_at: At) -> list[Diagnostic]:
    """What is wrong with a recipe beside its shape, as far as that can be said."""
    rest = salvage(tree)
    if rest is None:
        return []
    broken, pointed = _broken((references_exist,), Context(rest.recipe, at, key_at, rest.lost))
    if rest.doubtful is None:
        return broken
    try:
        return [*broken, *check(without(rest.recipe, rest.doubtful | pointed), at, key_at)]
    except RecipeError as error:
        return [*broken, *error.diagnostics]


def _broken(rules: Iterable[Rule], context: Context) -> tuple[list[Diagnostic], set[str]]:
    """What rules find, and the names of the entries that they point at."""
    pointed: set[str] = set()

    def pointing(place: At) -> At:
        def at(*path: str | int) -> Span:
            pointed.add(str(path[1]))
            return place(*path)

        return at

    seen = replace(context, at=pointing(context.at), key_at=pointing(context.key_at))
    return [diagnostic for rule in rules for diagnostic in rule(seen)], pointed


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
        if tuner.freeze.language and tuner.freeze.vision and tuner.freeze.aligner:
            message = "everything is frozen, so nothing is trained"
            yield Diagnostic("R0303", message, "free one part", (context.at(*path, "freeze"),))
        if not isinstance(tuner, LoraTuner):
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
        model = recipe.base_model(name)
        assert model is not None  # every training stage has one
        spec = recipe.models[model]
        precision = stage.precision or spec.dtype
        if recipe.hardware.gpus == 0 and precision == "float16":
            message = "float16 training needs a GPU"
            where = _precision_place(context, name, stage, model)
            yield Diagnostic("R0310", message, "write `float32` or `bfloat16`", (where,))
        if isinstance(stage, SupervisedStage) and stage.packing and not spec.attention.startswith("flash_attention"):
            message = f"packing needs flash attention, and the model's attention is `{spec.attention}`"
            help = "write `attention: flash_attention_2` in the model, or `packing: false`"
            places = (context.at(*path, "packing"), context.at("models", model, "attention"))
            yield Diagnostic("R0309", message, help, places)


def pictures_have_room(context: Context) -> Iterator[Diagnostic]:
    """R0325: the least size of a picture is not above its greatest."""
    for name, spec in context.recipe.models.items():
        low, high = spec.min_pixels, spec.max_pixels
        if low is not None and high is not None and low > high:
            message = f"pictures cannot have at least {low} and at most {high} pixels"
            places = (context.at("models", name, "min_pixels"), context.at("models", name, "max_pixels"))
            yield Diagnostic("R0325", message, f"write at most `min_pixels: {high}`", places)


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


def pictures_have_one_folder(context: Context) -> Iterator[Diagnostic]:
    """R0313: an engine looks for drawn pictures in one folder, that of the stage that prepared them."""
    recipe = context.recipe
    for name, stage in recipe.stages.items():
        drawn: dict[str, Span] = {}
        for use in stage.uses:
            source = recipe.stages.get(use.name)
            if not isinstance(source, Prepare) or "rows" not in use.accepts:
                continue
            if "images" in recipe.datasets[source.dataset].makes(source.task):
                drawn.setdefault(use.name, place(context, name, use))
        if len(drawn) > 1:
            message = f"`{name}` reads pictures that {' and '.join(f'`{other}`' for other in drawn)} draw"
            help = "take both splits from one stage, or use pictures that are files of the project"
            yield Diagnostic("R0313", message, help, tuple(drawn.values()))


def tasks_agree(context: Context) -> Iterator[Diagnostic]:
    """R0307: each kind of stage reads rows that were prepared for it."""
    stages = context.recipe.stages
    for name, use in context.uses():
        stage, source = stages[name], stages.get(use.name)
        if not isinstance(source, Prepare) or "rows" not in use.accepts:
            continue
        if isinstance(stage, Export | Deploy | Benchmark) or (isinstance(stage, Quantize) and stage.of_export):
            continue  # their rows are pictures and questions, whatever is learned from them
        wanted = _task(context, name, stage)
        if wanted is not None and source.task != wanted:
            message = f"`{name}` reads rows to {wanted}, and `{use.name}` prepares rows to {source.task}"
            spans = (place(context, name, use), stage_place(context, use.name))
            yield Diagnostic("R0307", message, _other_rows(context, name, stage, use.name, source, wanted), spans)


def _other_rows(context: Context, name: str, stage: Stage, read: str, source: Prepare, wanted: str) -> str:
    """What to write where rows are prepared for something else; a student may also be one that learns from such rows."""
    possible = wanted in context.recipe.datasets[source.dataset].tasks
    families = families_for(source.task) if isinstance(stage, Distill) else ()
    said = [f"`task: {wanted}` in `{read}`"] if possible or not families else []
    said += [" or ".join(f"`family: {family}`" for family in families) + f" in `{name}`"] if families else []
    return "write " + ", or ".join(said)


def _task(context: Context, name: str, stage: Stage) -> str | None:
    """What the rows of a stage are prepared for; None where any do."""
    if isinstance(stage, Embed | Features | Check):
        return "embed" if isinstance(stage, Embed) else None
    student = stage if isinstance(stage, Distill) else context.recipe.student(getattr(stage, "model", ""))
    if student is not None:
        return ROWS_OF_STUDENTS[student.student.facts.task]
    if isinstance(stage, Grpo | Dpo):
        return "solve" if isinstance(stage, Grpo) else "prefer"
    classifier = context.recipe.classifier(stage.model if isinstance(stage, Predict | Quantize) else name)
    return "generate" if classifier is None else "tag" if classifier.multi_label else "classify"


def one_prompt(context: Context) -> Iterator[Diagnostic]:
    """R0316: the prompt stands in the recipe or in a file."""
    for name, dataset in context.recipe.datasets.items():
        if dataset.prompt is not None and dataset.prompt_file is not None:
            places = (context.at("datasets", name, "prompt_file"), context.at("datasets", name, "prompt"))
            message = "`prompt` and `prompt_file` both say what the model is asked"
            yield Diagnostic("R0316", message, "keep one of them", places)


def _precision_place(context: Context, name: str, stage: TrainingStage, model: str) -> Span:
    return context.at("stages", name, "precision") if stage.precision else context.at("models", model, "dtype")


REFERENCES: tuple[Rule, ...] = (names_are_apart, references_exist, references_fit, no_cycles)
RULES: tuple[Rule, ...] = (
    batch_divides,
    tuner_is_possible,
    cadences_fit,
    hardware_can,
    packages_are_locked,
    pictures_have_room,
    sources_agree,
    pictures_have_one_folder,
    tasks_agree,
    one_prompt,
    paths_stay_inside,
    groups_divide,
    rewards_can_be_read,
    rollouts_are_possible,
    best_is_by_reward,
    adapters_go_on,
    reference_stays,
    smoothing_counts,
    official_split_stays,
    prompt_asks_the_question,
    questions_are_answered_in_words,
    answers_are_scored_as_they_are,
    thresholds_are_fair,
    metrics_fit,
    overlap_has_shards,
    pairs_have_others,
    heads_fit,
    retrieval_has_pairs,
    answers_are_possible,
    checks_read_text,
    paths_belong_to_questions,
    *OF_DATA,
    *OF_STUDENTS,
    *OF_DELIVERY,
    *OF_GPUS,
    *OF_MEMORY,
)
