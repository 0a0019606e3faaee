"""Train a student on prepared rows and on what the teacher says of them:

python -m runners.distill.train --config train.distill.json --classes classes.json --data train.jsonl \\
  --teacher .recipe/models/Qwen--Qwen2.5-VL-7B-Instruct --output_dir OUT

The teacher's folder only names what was remembered: its weights are not read. In several processes it is started by
`accelerate launch` or `torchrun`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runners import cli
from runners.distill import asking, cache, remember, students
from runners.distill.config import Config, read
from schema.base import steps_of
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import read_json

if TYPE_CHECKING:  # each loads torch
    from runners.distill.losses import Align
    from runners.distill.students.base import Student
    from runners.distill.tasks.base import Task
    from runners.distill.trainer import DistillTrainer, Pupil, Taught

NEVER = 1_000_000_000
SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError for rows, weights and losses that nothing can be learned from."""
    options = _parse(argv)
    if has_ended(options.resume_from_checkpoint):
        print(f"{options.resume_from_checkpoint} is the end of its training")
        return 0
    build(options, Path.cwd()).train(resume_from_checkpoint=options.resume_from_checkpoint)
    return 0


def has_ended(checkpoint: str | None) -> bool:
    """Whether a checkpoint was written by a training that stops there: it goes no further when it is taken up again."""
    state = read_json(Path(checkpoint) / "trainer_state.json") if checkpoint else None
    control = (state or {}).get("stateful_callbacks", {}).get("TrainerControl", {})
    return bool(control.get("args", {}).get("should_training_stop", False))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = remember.parser((__doc__ or "").partition("\n")[0])
    parser.add_argument("--pretrained", metavar="PATH", help="weights that the student starts from")
    parser.add_argument("--output_dir", type=Path, required=True, metavar="DIR")
    parser.add_argument("--resume_from_checkpoint", metavar="DIR")
    parser.add_argument("--logging_steps", type=int, default=5)
    parser.add_argument("--logging_strategy", choices=("steps", "epoch"), default="steps")
    parser.add_argument("--report_to", nargs="+", default=["none"])
    parser.add_argument("--save_total_limit", type=int)
    return parser.parse_args(argv)


def build(options: argparse.Namespace, root: Path) -> DistillTrainer:
    """The trainer, ready to train. Errors: RecipeError R0660 to R0667, R0669."""
    from transformers import EarlyStoppingCallback, set_seed

    from runners.distill.trainer import DistillTrainer, Examples
    from runners.training_log import TrainingLog

    config = read(options.config, options.classes)
    task = config.task(root)
    rows = task.read(options.data)
    held_out = task.read(options.validation) if options.validation else []
    taught = _taught(config, root, task, options)
    taught.check(rows)
    taught.calibrate(rows)
    graded = config.graded
    own = taught if graded is config else _taught(graded, root, task, options) if graded and held_out else None
    if own is not None:
        own.check(held_out)
    set_seed(config["seed"])
    trainer = DistillTrainer(
        config,
        pupil(config, taught, rows[0], options.pretrained),
        _arguments(config, options, bool(held_out)),
        Examples(config, task, rows, taught),
        held_out,
        own,
    )
    trainer.add_callback(TrainingLog())
    if config["patience"] is not None:
        trainer.add_callback(EarlyStoppingCallback(config["patience"]))
    return trainer


def _taught(config: Config, root: Path, task: Task, options: argparse.Namespace) -> Taught:
    from runners.distill.trainer import Taught

    names = asking.Names(config, task)
    if config["type"] == "none":
        return Taught(config, names, None)
    how = asking.asked(config, root, options.teacher, options.adapter)
    return Taught(config, names, cache.read(root, how))


def pupil(config: Config, taught: Taught, first: Any, pretrained: str | None) -> Pupil:
    """The student with new weights, or with those it starts from; a projection where features are compared.

    Errors: RecipeError R0661, R0662 for weights, R0667 for unequal channels without a projection.
    """
    from runners.distill import lora
    from runners.distill.trainer import Pupil

    told = config["student"]
    student = students.build(told["family"], told["size"], config.classes, config.options(pretrained))
    lora.inject(student, told["lora"])
    return Pupil(student, _align(config, student, taught, first), config.frozen_norms)


def _align(config: Config, student: Student, taught: Taught, first: Any) -> Align | None:
    from runners.distill import losses

    if not config.wants_features:
        return None
    width = taught.features(first, 0).shape[0]
    if config["align_feature"]:
        return losses.Align(student.width, width, config.dense)
    if width != student.width:
        message = f"the student's features have {student.width} channels and the teacher's {width}"
        raise RecipeError([Diagnostic("R0667", message, "write `align_feature: true`")])
    return None


def _arguments(config: Config, options: argparse.Namespace, evaluates: bool) -> Any:
    from transformers import TrainingArguments

    optimizer, batch, checkpoints = config["optimizer"], config["batch"], config["checkpoints"]
    compares = evaluates and (checkpoints["select"] == "best" or config["patience"] is not None)
    limit = options.save_total_limit
    return TrainingArguments(
        output_dir=str(options.output_dir),
        per_device_train_batch_size=batch["micro"],
        gradient_accumulation_steps=batch["accumulation"],
        learning_rate=optimizer["learning_rate"],
        lr_scheduler_type=SCHEDULES[optimizer["schedule"]],
        warmup_steps=optimizer["warmup_ratio"],
        max_grad_norm=optimizer["max_grad_norm"],
        num_train_epochs=config["epochs"],
        max_steps=config["max_steps"] or -1,
        bf16=config["precision"] == "bfloat16",
        fp16=config["precision"] == "float16",
        **_cadence("save", checkpoints["every"]),
        **(_cadence("eval", config["evaluate_every"]) if evaluates else {"eval_strategy": "no"}),
        eval_on_start=evaluates and options.resume_from_checkpoint is None,
        metric_for_best_model=checkpoints["metric"] if compares else None,
        greater_is_better=checkpoints["higher_is_better"] if compares else None,
        # The best one and the last one stay in any case; with a limit of 1, transformers removes the last one in the end.
        save_total_limit=max(limit, 2) if compares and limit else limit,
        restore_callback_states_from_checkpoint=config["patience"] is not None,  # how long nothing has improved
        logging_strategy=options.logging_strategy,
        logging_steps=options.logging_steps,
        report_to=options.report_to,
        seed=config["seed"],
        data_seed=config["seed"],
        use_cpu=config["cpu"],
        ddp_backend="gloo" if config["cpu"] and "WORLD_SIZE" in os.environ else None,
        ddp_find_unused_parameters=False,
        dataloader_num_workers=0 if config["cpu"] else 4,
        dataloader_drop_last=False,
        remove_unused_columns=False,
        label_names=[],
        disable_tqdm=True,
    )


def _cadence(what: str, every: str) -> dict[str, Any]:
    if every == "epoch":
        return {f"{what}_strategy": "epoch"}
    return {f"{what}_strategy": "steps", f"{what}_steps": steps_of(every) or NEVER}


if __name__ == "__main__":
    cli.run(main)
