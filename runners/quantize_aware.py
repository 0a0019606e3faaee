"""Train a convolutional student on with 8-bit integers in mind, and write it as an ONNX file that has them.

python -m runners.quantize_aware --student outputs/x/small/student --data outputs/x/data/train.jsonl --epochs 3 \
    --learning_rate 1e-5 --batch 32 --seed 42 --check outputs/x/data/validation.jsonl --to outputs/x/qat

Weights and the inputs of convolutions are rounded in the forward pass, and gradients pass through the rounding
(arXiv:1712.05877, by torchao); batch norms are folded into the convolutions first. The labels' loss is what is learned
from, by the trainer that distils. Written are export/ and metrics.json, as `runners.quantize` writes them; `before` is the
student as it was trained.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runners import cli, quantize
from runners.exporting import folder as folders
from runners.exporting import pictures
from runners.exporting.folder import Exported, Runnable
from schema.files import write_json

if TYPE_CHECKING:  # each loads torch
    from runners.distill.students.base import Student
    from runners.distill.tasks.base import Task
    from runners.exporting.fake_quantized import FakeQuantized


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0660, R0663, R0664."""
    from runners.distill import students
    from runners.distill.answer import task_of
    from runners.exporting import student as exporting
    from runners.exporting.fake_quantized import FakeQuantized

    options = _parse(argv)
    trained = students.load(options.student)
    looks = exporting.looks_of(trained, {})
    learner = FakeQuantized(trained, looks.shape)
    _train(learner, task_of(trained, augment=True), options)
    target = options.to / "export"
    target.mkdir(parents=True, exist_ok=True)
    learner.write_onnx(looks.shape, options.opset, target / quantize.FILE)
    output = exporting.OUTPUTS[trained.task]
    classes = trained.classes if output == "logits" else ()
    exported = Exported(
        exporting.FAMILY, output, looks, {"onnx": quantize.FILE}, options.opset, classes, students.describe(trained)
    )
    folders.write(exported, target)
    metrics: dict[str, float] = {
        "bytes_before": (options.student / "model.safetensors").stat().st_size,
        "bytes_after": (target / quantize.FILE).stat().st_size,
    }
    if options.check:
        original = _runnable(students.load(options.student))
        metrics |= quantize.compare(original, folders.runnable(target, "onnx"), options.check, exported)
    write_json(options.to / "metrics.json", metrics)
    print(", ".join(f"{name} {value:.6g}" for name, value in metrics.items()))
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--student", type=Path, required=True, metavar="DIR")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="rows to learn from")
    parser.add_argument("--epochs", type=float, default=3.0)
    parser.add_argument("--learning_rate", type=float, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--opset", type=int, default=20)
    parser.add_argument("--check", type=Path, metavar="FILE", help="rows to compare on")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    return parser.parse_args(argv)


def _train(learner: FakeQuantized, task: Task, options: argparse.Namespace) -> None:
    """Train with the rounding in place. Errors: RecipeError R0664 when the loss is no number."""
    import tempfile

    import torch
    from transformers import TrainingArguments, set_seed

    from runners.distill.asking import Names
    from runners.distill.trainer import DistillTrainer, Examples, Pupil, Taught
    from runners.training_log import TrainingLog

    config = _config(options, learner.classes)
    set_seed(options.seed)
    with tempfile.TemporaryDirectory() as nothing:
        arguments = TrainingArguments(
            output_dir=nothing,
            per_device_train_batch_size=options.batch,
            learning_rate=options.learning_rate,
            lr_scheduler_type="cosine",
            num_train_epochs=options.epochs,
            save_strategy="no",
            eval_strategy="no",
            logging_strategy="epoch",
            report_to=["none"],
            seed=options.seed,
            data_seed=options.seed,
            use_cpu=not torch.cuda.is_available(),
            remove_unused_columns=False,
            label_names=[],
            disable_tqdm=True,
        )
        taught = Taught(config, Names(config, task), None)
        examples = Examples(config, task, task.read(options.data), taught)
        trainer = DistillTrainer(config, Pupil(learner, None), arguments, examples, [])
        trainer.add_callback(TrainingLog())
        trainer.train()


def _config(options: argparse.Namespace, classes: tuple[str, ...]) -> Any:
    """What the trainer is told of a training without a teacher."""
    from runners.distill.config import Config

    optimizer = {"name": "adamw", "learning_rate": options.learning_rate, "weight_decay": 0.0}
    return Config({"type": "none", "views": 1, "seed": options.seed, "optimizer": optimizer}, classes)


def _runnable(student: Student) -> Runnable:
    """The student as it was trained, as a function of [B, 3, H, W]."""
    import torch

    def run(images: pictures.Tensor) -> pictures.Tensor:
        with torch.inference_mode():
            result: pictures.Tensor = student.result(student(torch.from_numpy(images))).numpy()
        return result

    return run


if __name__ == "__main__":
    cli.run(main)
