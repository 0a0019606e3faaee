"""Rules of distillation: what a student, its task and its teacher can do together, and what is known to go wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from schema.base import bytes_of
from schema.context import Context
from schema.diagnostics import Diagnostic, Span
from schema.stages.distill import Distill
from schema.students import FAMILIES, METRICS, TEACHERS, Distillation, Family
from schema.suggest import nearest

ROWS_OF_STUDENTS = {
    "classification": "classify",
    "detection": "detect",
    "segmentation": "segment",
    "sequence": "sequence",
}
"""Task of a student → what its rows are prepared for."""
UNREAD: dict[Distillation, tuple[str, ...]] = {
    "none": (
        *("hard_label_weight", "soft_label_weight", "temperature"),
        *("feature_loss", "align_feature", "features", "scores"),
    ),
    "feature": ("temperature", "scores"),
    "logit": ("feature_loss", "align_feature", "features"),
    "hybrid": (),
}
"""What is learned from a teacher → fields of a stage that it leaves aside."""
LARGE_VIT_MEMORY = 24 * 2**30
VIT_RATE = 1e-3
SEGMENTATION_BATCH, SEGMENTATION_SIZE = 16, 512


def families_for(task: str) -> tuple[Family, ...]:
    """The families that learn from rows that were prepared for a task."""
    return tuple(family for family, facts in FAMILIES.items() if ROWS_OF_STUDENTS[facts.task] == task)


def _stages(context: Context) -> Iterator[tuple[str, Distill]]:
    return ((name, stage) for name, stage in context.recipe.stages.items() if isinstance(stage, Distill))


def student_batch_divides(context: Context) -> Iterator[Diagnostic]:
    """R0390: the global batch of a student is a whole number of micro batches on every process."""
    hardware = context.recipe.hardware
    for name, stage in _stages(context):
        at_once = stage.micro_batch(hardware.world) * hardware.world
        if stage.global_batch % at_once == 0:
            continue
        near = max(round(stage.global_batch / at_once), 1) * at_once
        given = "" if stage.batch.global_ else f", which is recommended for `{stage.student.family}`,"
        yield Diagnostic(
            "R0390",
            f"a global batch of {stage.global_batch}{given} is no whole number of steps of "
            f"{stage.micro_batch(hardware.world)} on {hardware.world} processes",
            f"write `global: {near}` in `batch`, or another `micro`",
            (
                context.at("stages", name, "batch", *(("global",) if stage.batch.global_ else ())),
                replace(context.at("hardware", "gpus"), label=f"{hardware.world} processes"),
            ),
        )


def students_exist(context: Context) -> Iterator[Diagnostic]:
    """R0391: the family has the size, and is made for the task."""
    for name, stage in _stages(context):
        facts, path = stage.student.facts, ("stages", name, "student")
        if stage.student.size not in facts.sizes:
            message = f"`{stage.student.family}` has no size `{stage.student.size}`"
            help = "write " + " or ".join(f"`size: {size}`" for size in facts.sizes)
            yield Diagnostic("R0391", message, help, (context.at(*path, "size"),))
        if stage.task is not None and stage.task != facts.task:
            fitting = [family for family, other in FAMILIES.items() if other.task == stage.task]
            message = f"a `{stage.student.family}` is for {facts.task}, and not for {stage.task}"
            help = f"write `family: {fitting[0]}`, or `task: {facts.task}`"
            places = (context.at("stages", name, "task"), context.at(*path, "family"))
            yield Diagnostic("R0391", message, help, places)


def students_can_learn_so(context: Context) -> Iterator[Diagnostic]:
    """R0392: scores of classes are learned by students that answer with one class."""
    for name, stage in _stages(context):
        facts = stage.student.facts
        if stage.type is not None and stage.type not in facts.kinds:
            message = f"`type: {stage.type}` compares scores of whole pictures, and {facts.task} has none"
            yield Diagnostic("R0392", message, "write `type: feature`", (context.at("stages", name, "type"),))


def student_adapters_are_possible(context: Context) -> Iterator[Diagnostic]:
    """R0393: adapters stand in transformers, on weights that have learned something."""
    for name, stage in _stages(context):
        if stage.student.lora.rank == 0:
            continue
        place = context.at("stages", name, "student", "lora", "rank")
        if not stage.student.facts.layers:
            fitting = " or ".join(f"`family: {family}`" for family, facts in FAMILIES.items() if facts.layers)
            message = f"`lora` puts adapters into a transformer, and `{stage.student.family}` is none"
            yield Diagnostic("R0393", message, f"remove `lora`, or write {fitting}", (place,))
        elif stage.student.pretrained is None:
            message = "adapters on random weights have nothing to adapt: the rest of the student stays random"
            help = "add `pretrained:` with weights of this network, or write `rank: 0`"
            yield Diagnostic("R0393", message, help, (place,))


def student_adapters_have_layers(context: Context) -> Iterator[Diagnostic]:
    """R0485: adapters are put into layers that the student has; other models call theirs by other names."""
    for name, stage in _stages(context):
        known, lora = stage.student.facts.layers, stage.student.lora
        for number, layer in enumerate(lora.target_modules):
            if not lora.rank or not known or layer.rpartition(".")[2] in known:
                continue
            message = f"a `{stage.student.family}` has no linear layer `{layer}` for an adapter"
            help = "write some of " + ", ".join(f"`{other}`" for other in known)
            place = context.at("stages", name, "student", "lora", "target_modules", number)
            yield Diagnostic("R0485", message, help, (place,))


def widths_agree(context: Context) -> Iterator[Diagnostic]:
    """R0394: features that are compared without a projection have equally many channels."""
    for name, stage in _stages(context):
        widths = _teacher_widths(context, name)
        size = stage.student.facts.sizes.get(stage.student.size)
        if stage.align_feature or stage.distillation not in ("feature", "hybrid") or not widths or not size:
            continue
        teacher = widths[stage.features.at == "merger"]
        if teacher != size.width:
            message = (
                f"the student's features have {size.width} channels and the teacher's {teacher}, "
                "and nothing projects one to the other"
            )
            places = (context.at("stages", name, "align_feature"), context.at("stages", name, "student", "size"))
            yield Diagnostic("R0394", message, "write `align_feature: true`", places)


def _teacher_widths(context: Context, name: str) -> tuple[int, int] | None:
    model = context.recipe.base_model(name)
    return TEACHERS.get(context.recipe.models[model].id) if model is not None else None


def teachers_are_named(context: Context) -> Iterator[Diagnostic]:
    """R0395: what is learned from a teacher has one; a stage without has `type: none`."""
    for name, stage in _stages(context):
        if stage.teacher is None and stage.distillation != "none":
            message = f"`{name}` learns from a teacher and names none"
            place = context.key_at("stages", name)
            yield Diagnostic("R0395", message, "add `teacher: MODEL`, or write `type: none`", (place,))
        elif stage.teacher is not None and stage.type == "none":
            places = (context.at("stages", name, "teacher"), context.at("stages", name, "type"))
            yield Diagnostic("R0395", "with `type: none` the teacher is not asked", "remove `teacher`", places)


def students_are_known_to_learn(context: Context) -> Iterator[Diagnostic]:
    """R0396, R0397, R0398: settings that are known to go wrong (warnings)."""
    for name, stage in _stages(context):
        path, student = ("stages", name), stage.student
        rate = stage.optimizer.learning_rate or 0.0
        if student.family == "vit" and rate >= VIT_RATE:
            message = f"a ViT seldom learns at a learning rate of {rate:g}"
            help = f"write `learning_rate: {student.facts.learning_rate:g}`, or less than {VIT_RATE:g}"
            yield _warning("R0396", message, help, context.at(*path, "optimizer", "learning_rate"))
        memory = context.recipe.hardware.gpu_memory
        if student.size == "vit-large" and memory and bytes_of(memory) < LARGE_VIT_MEMORY:
            message = f"`vit-large` needs about 24 GB for its training, and a GPU has {memory}"
            help = "write `size: vit-base`, a smaller `micro`, or a greater `gpu_memory`"
            yield _warning("R0397", message, help, context.at("hardware", "gpu_memory"))
        micro = stage.micro_batch(context.recipe.hardware.world)
        size = student.image_size or student.facts.image_size
        if stage.learns == "segmentation" and micro > SEGMENTATION_BATCH and size >= SEGMENTATION_SIZE:
            message = f"{micro} pictures of {size} pixels at once rarely fit a GPU in segmentation"
            help = f"write `micro: {SEGMENTATION_BATCH}` or less; the global batch stays"
            yield _warning("R0398", message, help, context.at(*path, "batch"))


def _warning(code: str, message: str, help: str, place: Span) -> Diagnostic:
    return Diagnostic(code, message, help, (place,), "warning")


def views_are_possible(context: Context) -> Iterator[Diagnostic]:
    """R0460: several views of a picture differ, and are shown to students that tell classes apart."""
    for name, stage in _stages(context):
        place = context.at("stages", name, "views")
        if stage.views > 1 and not stage.augment:
            message = f"without `augment` the {stage.views} views of a picture are all the same"
            yield Diagnostic("R0460", message, "write `views: 1`, or `augment: true`", (place,))
        elif stage.views > 1 and stage.learns != "classification":
            message = f"several views are for classification, and `{name}` learns {stage.learns}"
            yield Diagnostic("R0460", message, "write `views: 1`: the teacher sees each picture as it is", (place,))


def student_cadences_fit(context: Context) -> Iterator[Diagnostic]:
    """R0461: the best checkpoint, and an early end, need evaluations at the checkpoints."""
    for name, stage in _stages(context):
        early, best = stage.early_stopping is not None, stage.checkpoints.select == "best"
        if not (early or best):
            continue
        place = context.at("stages", name, "early_stopping" if early else "checkpoints")
        if stage.evaluation.data is None:
            message = f"`{name}` compares evaluations, and has none"
            yield Diagnostic("R0461", message, "add `evaluation: {data: STAGE.validation}`", (place,))
        elif stage.evaluation.every != stage.checkpoints.every:
            message = "the best checkpoint and an early end need an evaluation at every checkpoint"
            help = f"write `every: {stage.checkpoints.every}` in `evaluation` and in `checkpoints`"
            yield Diagnostic("R0461", message, help, (place,))


def student_metrics_exist(context: Context) -> Iterator[Diagnostic]:
    """R0464: what the best checkpoint, and an early end, are judged by is measured."""
    for name, stage in _stages(context):
        metric, known = stage.checkpoints.metric, METRICS[stage.learns]
        judged = stage.early_stopping is not None or stage.checkpoints.select == "best"
        if judged and metric.removeprefix("eval_") not in known:
            near = nearest(metric.removeprefix("eval_"), known) or known[1]
            message = f"an evaluation of {stage.learns} measures {', '.join(known)}, and no `{metric}`"
            place = context.at("stages", name, "checkpoints", "metric")
            yield Diagnostic("R0464", message, f"write `metric: eval_{near}`", (place,))


def students_step(context: Context) -> Iterator[Diagnostic]:
    """R0462: something is learned: one of the losses has a weight."""
    for name, stage in _stages(context):
        if stage.distillation != "none" and stage.hard_label_weight == 0 and stage.soft_label_weight == 0:
            message = "no loss has a weight, so nothing is learned"
            place = context.at("stages", name, "hard_label_weight")
            yield Diagnostic("R0462", message, "write `hard_label_weight: 0.5`", (place,))


def settings_are_read(context: Context) -> Iterator[Diagnostic]:
    """R0465: what is written can change the result (warnings)."""
    for name, stage in _stages(context):
        chosen = "" if stage.type else f", which is recommended for `{stage.student.family}`,"
        because = f"`type: {stage.distillation}`{chosen} does not read it"
        said = ("features", stage.features), ("optimizer", stage.optimizer)
        written: set[tuple[str, ...]] = {(field,) for field in stage.model_fields_set}
        written |= {(above, field) for above, model in said for field in model.model_fields_set}
        unread: dict[tuple[str, ...], str] = {(field,): because for field in UNREAD[stage.distillation]}
        if ("features",) not in unread:
            dense = stage.learns in ("detection", "segmentation")
            field, kept = ("pooling", "a token grid") if dense else ("grid", "one vector of each picture")
            unread[("features", field)] = f"a student that learns {stage.learns} is compared with {kept}"
        if (stage.optimizer.name or stage.student.facts.optimizer) != "sgd":
            unread[("optimizer", "momentum")] = "only `sgd` has a momentum"
        for path in sorted(written & unread.keys()):
            place = context.key_at("stages", name, *path)
            yield _warning("R0465", f"`{path[-1]}` has no effect: {unread[path]}", "remove it", place)


def frozen_norms_are_of_use(context: Context) -> Iterator[Diagnostic]:
    """R0463: what is frozen is there, and has learned something."""
    for name, stage in _stages(context):
        if not stage.freeze_batch_norm:
            continue
        place = context.at("stages", name, "freeze_batch_norm")
        if not stage.student.facts.batch_norm:
            message = f"a `{stage.student.family}` has no batch norms to freeze"
            yield Diagnostic("R0463", message, "remove `freeze_batch_norm`", (place,))
        elif stage.student.pretrained is None:
            message = "the batch norms of random weights have seen nothing, so freezing them leaves the student without"
            yield Diagnostic(
                "R0463", message, "add `pretrained:` with weights, or `freeze_batch_norm: false`", (place,)
            )


RULES = (
    student_batch_divides,
    students_exist,
    students_can_learn_so,
    student_adapters_are_possible,
    student_adapters_have_layers,
    widths_agree,
    teachers_are_named,
    students_are_known_to_learn,
    views_are_possible,
    student_cadences_fit,
    student_metrics_exist,
    students_step,
    settings_are_read,
    frozen_norms_are_of_use,
)
