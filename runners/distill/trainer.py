"""The training of a student: transformers' `Trainer` with the loss of `losses`, what the cache holds, and scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import Dataset
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.integrations import TensorBoardCallback

from runners.distill import asking, losses, students
from runners.distill.asking import Names
from runners.distill.cache import Cache
from runners.distill.config import Config
from runners.distill.students.base import Student, StudentOutput
from runners.distill.tasks.base import Row, Task
from runners.distill.tasks.pictures import seed_of
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_json

SHOWN = 8
"""Pictures that are named where a batch went wrong."""
ONCE = ("before_", "teacher_")
"""How names begin of what is measured once, before the first step."""


class Taught:
    """What the teacher says of rows, from the cache; nothing without a teacher."""

    def __init__(self, config: Config, names: Names, cache: Cache | None) -> None:
        self.config, self.names, self.cache = config, names, cache
        self.prior: numpy.ndarray[Any, Any] | float = 0.0

    def check(self, rows: Sequence[Row]) -> None:
        """Whether all is there that will be asked for. Errors: RecipeError R0669 that names a picture.

        It also learns the digests of all pictures, so that processes that load data do not each read them again.
        """
        if self.cache is None:
            return
        shown = asking.shown(self.names, rows, self.config["views"])
        missing = [place for name, place in shown.items() if name not in self.cache]
        if missing:
            row, _, number = missing[0]
            file = self.names.task.files(row)[number]
            message = f"nothing is kept of what the teacher says of {len(missing)} pictures, such as {file}"
            raise RecipeError([Diagnostic("R0669", message, "run the stage again: the teacher is asked about them")])

    def calibrate(self, rows: Sequence[Row]) -> None:
        """Take off what the teacher says on average, where the recipe says so (arXiv:2309.17249)."""
        if self.config.wants_scores and self.config["scores"]["calibration"] == "mean":
            self.prior = numpy.mean([self.scores(row, 0) for row in rows], axis=0)

    def features(self, row: Row, view: int) -> Any:
        """The mean over the pictures of a row; of one picture, what lies on the disk."""
        assert self.cache is not None
        return _mean([self.cache.features(name) for name in self.names.of(row, view)])

    def scores(self, row: Row, view: int) -> Any:
        """The same for scores, in float32."""
        assert self.cache is not None
        return _mean([self.cache.scores(name) for name in self.names.of(row, view)]) - self.prior


def _mean(found: Sequence[Any]) -> Any:
    return found[0] if len(found) == 1 else numpy.mean(found, axis=0, dtype=numpy.float32)


class Examples(Dataset):  # type: ignore[misc]
    """Rows in training: each with its sample, which varies by epoch, and what the teacher says of it."""

    def __init__(self, config: Config, task: Task, rows: Sequence[Row], taught: Taught) -> None:
        self.config, self.task, self.rows, self.taught = config, task, rows, taught
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        views = self.config["views"]
        seed = self.epoch if views > 1 else seed_of(self.config["seed"], self.epoch, index)
        return {"index": index, "view": seed % views, "sample": self.task.transform(self.rows[index], True, seed)}

    def collate(self, examples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """A batch; `rows` says which."""
        samples = [example["sample"] for example in examples]
        inputs, targets = self.task.collate(samples)
        indices = [example["index"] for example in examples]
        told = self.told(indices, [example["view"] for example in examples], [sample.flipped for sample in samples])
        return {"inputs": inputs, "targets": targets, "rows": torch.tensor(indices), **told}

    def told(self, indices: Sequence[int], views: Sequence[int], flipped: Sequence[bool]) -> dict[str, Tensor]:
        """What the teacher says of a batch, copied once from the disk: features as they are kept (the loss makes them
        float32), mirrored where the student's picture is; scores."""
        rows = [(self.rows[index], view) for index, view in zip(indices, views, strict=True)]
        told: dict[str, Tensor] = {}
        if self.config.wants_features:
            found = [self.taught.features(row, view) for row, view in rows]
            if self.config.dense:
                found = [one[..., ::-1] if turned else one for one, turned in zip(found, flipped, strict=True)]
            told["features"] = torch.from_numpy(numpy.stack(found))
        if self.config.wants_scores:
            told["scores"] = torch.from_numpy(numpy.stack([self.taught.scores(row, view) for row, view in rows]))
        return told


class Pupil(torch.nn.Module):  # type: ignore[misc]
    """A student, with the projection of its features that only training needs. `frozen`: its batch norms do not learn."""

    def __init__(self, student: Student, align: losses.Align | None, frozen: bool = False) -> None:
        super().__init__()
        self.student, self.align = student, align
        self.norms = [module for module in student.modules() if frozen and isinstance(module, _BatchNorm)]
        for norm in self.norms:
            norm.requires_grad_(False)

    def train(self, mode: bool = True) -> Pupil:
        """As every module's; norms that are frozen go on using the statistics that they have."""
        super().train(mode)
        for norm in self.norms:
            norm.eval()
        return self

    def forward(self, inputs: Any) -> tuple[StudentOutput, Tensor]:
        """The student's output, and its features as they are compared."""
        output = self.student(inputs)
        return output, output.features if self.align is None else self.align(output.features)


class Cadence(TrainerCallback):  # type: ignore[misc]
    """Tells the examples which epoch it is, and has the last step measured before its checkpoint is written."""

    def __init__(self, examples: Examples, evaluates: bool) -> None:
        self.examples, self.evaluates = examples, evaluates

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.examples.epoch = math.floor(state.epoch)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step >= state.max_steps:
            control.should_log, control.should_evaluate = True, self.evaluates

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step >= state.max_steps:
            control.should_log = control.should_evaluate = False  # that has been done


class TensorBoard(TensorBoardCallback):  # type: ignore[misc]
    """Transformers' own, which puts everything but evaluations under `train/`: what is measured once is no training's, and
    stands in groups of its own, such as `teacher/accuracy` beside `eval/accuracy`."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **others: Any) -> None:
        super().on_log(args, state, control, {n: v for n, v in logs.items() if not n.startswith(ONCE)}, **others)
        if self.tb_writer is None:  # of another process
            return
        for name, value in logs.items():
            if name.startswith(ONCE):
                self.tb_writer.add_scalar(name.replace("_", "/", 1), value, state.global_step)
        self.tb_writer.flush()


class DistillTrainer(Trainer):  # type: ignore[misc]
    """Transformers' trainer, told what a student's loss and scores are."""

    optimizer: Any
    control: Any

    def __init__(
        self,
        config: Config,
        model: Pupil,
        args: TrainingArguments,
        train: Examples,
        held_out: Sequence[Row],
        own: Taught | None = None,
    ) -> None:
        """`own` has what the teacher says of the rows that are held out, where it has a score of its own."""
        super().__init__(
            model=model,
            args=args,
            train_dataset=train,
            eval_dataset=list(held_out) or None,  # which `evaluate` reads in its own way
            data_collator=train.collate,
        )
        self.model_accepts_loss_kwargs = False  # so the loss is divided by the steps of accumulation
        self.config, self.examples, self.held_out, self.own = config, train, held_out, own
        self.student = model.student
        self.parts: dict[str, list[Tensor]] = {}
        self.add_callback(Cadence(train, bool(held_out)))
        if self.pop_callback(TensorBoardCallback) is not None:
            self.add_callback(TensorBoard)

    def compute_loss(
        self, model: Any, inputs: Mapping[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Errors: RecipeError R0664 when it is no number, with the rows of the batch."""
        output, features = model(inputs["inputs"])
        parts = {"task": self.student.loss(output, inputs["targets"])}
        if "scores" in inputs:
            logits = self.student.logits(output)
            parts["scores"] = losses.scores(logits, inputs["scores"], self.config["temperature"])
        if "features" in inputs:
            parts["features"] = losses.features(features, inputs["features"], self.config["feature_loss"])
        loss = self._weighted(parts)
        self._check(loss, inputs["rows"])
        for name, part in parts.items():
            self.parts.setdefault(f"{name}_loss", []).append(
                part.detach()
            )  # read when it is logged: a GPU need not wait
        return (loss, output) if return_outputs else loss

    def _weighted(self, parts: Mapping[str, Tensor]) -> Tensor:
        if self.config["type"] == "none":
            return parts["task"]
        told = sum((part for name, part in parts.items() if name != "task"), torch.zeros(()).to(parts["task"]))
        return self.config["hard_label_weight"] * parts["task"] + self.config["soft_label_weight"] * told

    def _check(self, loss: Tensor, rows: Tensor) -> None:
        if torch.isfinite(loss):
            return
        numbers = rows.tolist()
        files = [str(f.name) for i in numbers[:SHOWN] for f in self.examples.task.files(self.examples.rows[i])]
        message = (
            f"the loss became {float(loss)} at step {self.state.global_step + 1}, in the batch of the rows "
            f"{', '.join(str(number + 1) for number in numbers)} ({', '.join(files)}{', …' if len(numbers) > SHOWN else ''})"
        )
        help = "write a smaller `learning_rate` or `precision: float32`, or look at these pictures"
        raise RecipeError([Diagnostic("R0664", message, help)])

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Beside the loss, the parts that it is the sum of; as with the loss, over all processes."""
        if "loss" in logs:
            means = torch.stack([torch.stack(values).mean() for values in self.parts.values()])
            logs |= dict(zip(self.parts, self.accelerator.reduce(means, "mean").tolist(), strict=True))
            self.parts.clear()
        super().log(logs, start_time)

    def create_optimizer(self, model: Any = None) -> Any:
        """AdamW, Adam or SGD; biases and norms do not decay."""
        if self.optimizer is not None:
            return self.optimizer
        told = self.config["optimizer"]
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        groups = [
            {"params": [p for p in trained if p.dim() > 1], "weight_decay": told["weight_decay"]},
            {"params": [p for p in trained if p.dim() <= 1], "weight_decay": 0.0},
        ]
        rate = told["learning_rate"]
        if told["name"] == "sgd":
            self.optimizer = torch.optim.SGD(groups, lr=rate, momentum=told["momentum"])
        else:
            self.optimizer = (torch.optim.AdamW if told["name"] == "adamw" else torch.optim.Adam)(groups, lr=rate)
        return self.optimizer

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """The student's scores on the rows that are held out; before the first step also the teacher's own."""
        measured = {f"eval_{name}": value for name, value in self._scores().items()}
        if self.state.global_step == 0:
            measured |= {name.replace("eval_", "before_"): value for name, value in measured.items()}
            measured |= {f"teacher_{name}": value for name, value in self._of_teacher().items()}
        self.log(dict(measured))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, measured)
        return measured

    def _scores(self) -> dict[str, float]:
        """Every process scores its share; all of them hear all."""
        from accelerate.utils import gather_object

        rank, world = self.args.process_index, self.args.world_size
        indices = list(range(rank, len(self.held_out), world))
        found = gather_object(list(self._answers(indices)))
        ordered = {index: (loss, decoded, target) for index, loss, decoded, target in found}
        answers = [ordered[index] for index in sorted(ordered)]
        metrics = self.examples.task.metrics([a[1] for a in answers], [a[2] for a in answers])
        return {"loss": sum(a[0] for a in answers) / len(answers), **metrics}

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _answers(self, indices: Sequence[int]) -> Any:
        task, student = self.examples.task, self.student.eval()
        size = self.args.per_device_train_batch_size
        for start in range(0, len(indices), size):
            part = indices[start : start + size]
            samples = [task.transform(self.held_out[i], False, 0) for i in part]
            inputs, targets = self._prepare_input(task.collate(samples))
            output = student(inputs)
            loss = float(student.loss(output, targets))
            for i, sample, decoded in zip(part, samples, student.decode(output), strict=True):
                yield i, loss, decoded, sample.target
        self.model.train()

    def _of_teacher(self) -> dict[str, float]:
        """How well the teacher's likeliest classes do."""
        if self.own is None:
            return {}
        task = self.examples.task
        said = [self.own.scores(row, 0).tolist() for row in self.held_out]
        return task.metrics(said, [row["label"] for row in self.held_out])

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """Beside the weights, what is needed to build the student again."""
        super()._save(output_dir, state_dict)
        lora = self.config["student"]["lora"]
        write_json(
            Path(output_dir or self.args.output_dir) / "config.json", students.describe(self.student) | {"lora": lora}
        )
