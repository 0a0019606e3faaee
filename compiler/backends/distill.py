"""Distillation by our own runner: what the teacher says is remembered, the student is trained, the best one is kept.

The configuration holds everything that can change the result, with what is recommended for the student's family written
out. The script's options are places, and how often something is written down.
"""

from __future__ import annotations

from typing import Any

from compiler.backends import accelerate, curves
from compiler.backends.fields import LONG, own_environment, told_by_cluster
from compiler.plan import (
    Command,
    FilePath,
    InputPath,
    Json,
    Launch,
    Output,
    OutputPath,
    Plan,
    ResumePath,
    StagePlan,
    Value,
)
from schema.base import steps_of
from schema.stages import Distill, Predict
from schema.students import Distillation, StudentTask

STEPS = ("runners.distill.remember", "runners.distill.train", "runners.distill.collect")
RESULT = OutputPath("result")
PARTS: dict[Distillation, tuple[str, ...]] = {
    "none": (),
    "feature": ("features_loss",),
    "logit": ("scores_loss",),
    "hybrid": ("features_loss", "scores_loss"),
}
"""What is learned from a teacher → the parts of the loss beside that of the labels."""
MEASURED: dict[StudentTask, str] = {
    "classification": "eval_accuracy",
    "detection": "eval_map50_95",
    "segmentation": "eval_miou",
    "sequence": "eval_accuracy",
}
"""Task → the score that stands for the others."""
CHECKPOINTS = OutputPath("checkpoints")


def distill(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """Three programs of ours; accelerate starts the first two in several processes where there are several GPUs."""
    stage = planned.stage
    assert isinstance(stage, Distill)
    file = FilePath("distill", f"{plan.pipeline}/{planned.name}.distill.json")
    launcher = accelerate.launcher(plan, planned, None) if plan.instance.recipe.hardware.world > 1 else None
    read = {"config": file, **_rows(planned)}
    taught = stage.distillation != "none"
    commands = (
        *((Command(("python", "-m", STEPS[0]), {**read, **_teacher(planned)}, launcher=launcher),) if taught else ()),
        Command(
            ("python", "-m", STEPS[1]),
            {
                **read,
                **_teacher(planned),
                **_pretrained(planned),
                **_logging(stage),
                "output_dir": CHECKPOINTS,
                "resume_from_checkpoint": ResumePath(),
            },
            trains=True,
            launcher=launcher,
        ),
        Command(
            ("python", "-m", STEPS[2]),
            {"config": file, "from": CHECKPOINTS, "to": RESULT, **curves.evaluation_file(bool(stage.evaluation.data))},
        ),
    )
    launch = Launch(commands, own_environment(plan), _files(plan, planned), told_by_cluster(plan), _runners(stage))
    return launch, (
        Output("student", "model"),
        Output("metrics.json", "metrics"),
        *_curves(stage),
    )


def predict(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """A student's predictions for every row."""
    stage, recipe = planned.stage, plan.instance.recipe
    assert isinstance(stage, Predict)
    student = recipe.student(stage.model)
    assert student is not None
    options: dict[str, Value] = {
        "student": InputPath("model", planned.input("model").path),
        "data": InputPath("data", planned.input("data").path),
        "classes": InputPath("classes", planned.input("classes").path),
        "batch": stage.batch,
        "to": RESULT,
    }
    command = Command(("python", "-m", "runners.distill.answer"), options)
    launch = Launch((command,), own_environment(plan), runners=("runners.distill.answer", *_modules(student)))
    return launch, (Output("predictions.jsonl"),)


def _rows(planned: StagePlan) -> dict[str, Value]:
    roles = ("data", "validation", "classes")
    given = {i.role: i for i in planned.inputs}
    return {role: InputPath(role, given[role].path) for role in roles if role in given}


def _teacher(planned: StagePlan) -> dict[str, Value]:
    """The teacher; a stage's adapter comes with the model below it."""
    given = {i.role: i for i in planned.inputs}
    if "teacher" not in given:
        return {}
    teacher = InputPath("teacher", given["teacher"].path)
    if "base" in given:
        return {"teacher": InputPath("base", given["base"].path), "adapter": teacher}
    return {"teacher": teacher}


def _pretrained(planned: StagePlan) -> dict[str, Value]:
    found = [i for i in planned.inputs if i.role == "pretrained"]
    return {"pretrained": InputPath("pretrained", found[0].path)} if found else {}


def _logging(stage: Distill) -> dict[str, Value]:
    return {
        "logging_steps": steps_of(stage.logging.every) or LONG,
        "logging_strategy": "epoch" if stage.logging.every == "epoch" else "steps",
        "report_to": stage.logging.trackers or ("none",),
        "save_total_limit": stage.checkpoints.keep,
    }


def _files(plan: Plan, planned: StagePlan) -> dict[str, Json]:
    hardware = plan.instance.recipe.hardware
    files = {"distill": config(plan, planned)}
    return files | ({accelerate.NAME: accelerate.config(hardware, None)} if hardware.world > 1 else {})


def config(plan: Plan, planned: StagePlan) -> Json:
    """Everything that can change the result, as the runner reads it."""
    stage, batch = planned.stage, planned.batch
    assert isinstance(stage, Distill) and batch is not None
    facts, spec, optimizer = stage.student.facts, stage.student, stage.optimizer
    return {
        "task": stage.learns,
        "student": {
            "family": spec.family,
            "size": spec.size,
            "image_size": spec.image_size or facts.image_size,
            "lora": spec.lora.model_dump(mode="json"),
            **spec.extra,
        },
        "teacher": _model(planned),
        "type": stage.distillation,
        "hard_label_weight": stage.hard_label_weight,
        "soft_label_weight": stage.soft_label_weight,
        "temperature": stage.temperature,
        "feature_loss": stage.feature_loss or facts.feature_loss,
        "align_feature": stage.align_feature,
        "features": stage.features.model_dump(mode="json"),
        "scores": stage.scores.model_dump(mode="json"),
        **({"freeze_batch_norm": True} if stage.freeze_batch_norm else {}),
        "augment": stage.augment,
        "views": stage.views,
        "optimizer": {
            "name": optimizer.name or facts.optimizer,
            "learning_rate": optimizer.learning_rate or facts.learning_rate,
            "schedule": optimizer.schedule,
            "warmup_ratio": optimizer.warmup_ratio,
            "weight_decay": facts.weight_decay if optimizer.weight_decay is None else optimizer.weight_decay,
            "momentum": optimizer.momentum,
            "max_grad_norm": optimizer.max_grad_norm,
        },
        "batch": {"micro": batch.micro_batch, "accumulation": batch.accumulation},
        "epochs": stage.epochs,
        "max_steps": stage.max_steps,
        "precision": stage.precision,
        "evaluate_every": stage.evaluation.every if stage.evaluation.data else None,
        "checkpoints": stage.checkpoints.model_dump(mode="json", exclude={"keep"}),
        "patience": stage.early_stopping.patience if stage.early_stopping else None,
        "classes": stage.classes,
        "seed": plan.instance.recipe.seed,
        "cpu": plan.instance.recipe.hardware.gpus == 0,
    }


def _model(planned: StagePlan) -> dict[str, Any] | None:
    model = planned.model
    if model is None:
        return None
    limits = {"max_pixels": model.spec.max_pixels, "min_pixels": model.spec.min_pixels}
    return {
        "dtype": model.spec.dtype,
        "attention": model.attention,
        "pixels": {name: value for name, value in limits.items() if value is not None},
    }


def _curves(stage: Distill) -> tuple[Output, ...]:
    """The loss with its parts, and what is measured on rows that are held out."""
    evaluated = ("eval_loss", MEASURED[stage.learns]) if stage.evaluation.data else ()
    return curves.drawn(("loss", "task_loss", *PARTS[stage.distillation]), evaluated, "Training curve")


def _runners(stage: Distill) -> tuple[str, ...]:
    return (*(STEPS if stage.distillation != "none" else STEPS[1:]), *_modules(stage))


def _modules(stage: Distill) -> tuple[str, ...]:
    """The modules that the runner loads by name."""
    return f"runners.distill.students.{stage.student.family}", f"runners.distill.tasks.{stage.learns}"
