"""What distillation costs beside the training of the same student alone, on one CPU thread.

python -m tests.bench_distill [--student resnet/resnet18] [--pixels 224] [--batch 32] [--width 1280] [--rounds 3]

The student is trained in turns: by a plain loop over the same batches, by the trainer without a teacher, and from the
cache; a few steps each time, in one process, so that what else the machine does hits all of them. Compared are medians of
steps. The cache holds random numbers of the real teacher's width. How much of a step is arithmetic of the projection and
of the losses, and how much the way of the teacher's words from the disk, is measured alone.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from distill_project import argv, digits, say, told

STEPS = 3
"""Of each turn, after one that is not counted."""
LOOP, ALONE, TAUGHT = "a plain loop", "the trainer without a teacher", "the trainer from the cache"
TIMES = 5

Mark = tuple[float, float]
"""Seconds on the clock, and of the processor."""


def now() -> Mark:
    """This moment."""
    return time.perf_counter(), time.process_time()


def loop(trainer: Any) -> list[Mark]:
    """The end of each step of a loop over the trainer's batches that does nothing but train."""
    import torch

    student, optimizer, marks = trainer.student.train(), trainer.create_optimizer(), []
    for batch in trainer.get_train_dataloader():
        student.loss(student(batch["inputs"]), batch["targets"]).backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), trainer.args.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        marks.append(now())
    return marks


def trained(trainer: Any) -> list[Mark]:
    """The end of each step of a trainer."""
    from transformers import TrainerCallback

    marks: list[Mark] = []

    class Marks(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            marks.append(now())

    callback = Marks()
    trainer.add_callback(callback)
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.train()
    trainer.remove_callback(callback)
    return marks


def build(folder: Path, config: Path) -> Any:
    """A trainer that measures and keeps nothing."""
    from runners.distill import train

    words = argv(folder, config, folder / config.stem, logging_steps=1000)
    at = words.index("--validation")
    trainer = train.build(train._parse([*words[:at], *words[at + 2 :]]), folder)
    trainer.args.save_strategy = "no"
    return trainer


def parts(trainer: Any, batch: int) -> Iterator[tuple[str, float]]:
    """What a step does more than the same step without a teacher → its seconds, each done alone."""
    import torch

    from runners.distill import losses

    examples, config, pupil = trainer.examples, trainer.config, trainer.model
    rows = range(batch)
    yield "reading what the teacher said", least(lambda: examples.told(rows, [0] * batch, [False] * batch))
    said = examples.told(rows, [0] * batch, [False] * batch)
    found = torch.randn(batch, pupil.student.width, *said["features"].shape[2:], requires_grad=True)
    logits = torch.randn(batch, len(config.classes), requires_grad=True)

    def learn() -> None:
        loss = losses.features(pupil.align(found), said["features"], config["feature_loss"])
        if "scores" in said:
            loss = loss + losses.scores(logits, said["scores"], config["temperature"])
        loss.backward()

    yield "projection and losses, forward and backward", least(learn)
    optimizer = torch.optim.AdamW(pupil.align.parameters())
    yield "the projection's share of the optimizer", least(optimizer.step)


def least(do: Callable[[], Any]) -> float:
    """The least seconds of a few times."""
    taken = []
    for _ in range(TIMES):
        started = time.perf_counter()
        do()
        taken.append(time.perf_counter() - started)
    return min(taken)


def asked(folder: Path, file: Path) -> float:
    """Seconds in which a tiny teacher answers for all pictures: what each epoch would take longer without the cache."""
    from runners.distill import remember
    from runners.tiny_model import build as tiny

    tiny("qwen2_vl", 0, folder / "tiny")
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        remember.main(argv(folder, file, teacher=folder / "tiny"))
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--student", default="resnet/resnet18")
    parser.add_argument("--pixels", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--width", type=int, default=1280, help="channels of the teacher's features")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        digits(folder, options.batch * (STEPS + 1), 0)
        (folder / "teacher").mkdir()
        os.chdir(folder)
        family, size = options.student.split("/")
        given: dict[str, Any] = {
            "student__family": family,
            "student__size": size,
            "student__image_size": options.pixels,
            "batch__micro": options.batch,
            "epochs": 1.0,
            "checkpoints__every": "end",
        }
        files = {kind: told(folder, kind, type=kind, **given) for kind in ("none", "hybrid")}
        each = say(folder, files["hybrid"], width=options.width)
        plain, alone, taught = (build(folder, files[kind]) for kind in ("none", "none", "hybrid"))
        runs = {LOOP: (loop, plain), ALONE: (trained, alone), TAUGHT: (trained, taught)}
        steps: dict[str, list[Mark]] = {name: [] for name in runs}
        for _ in range(options.rounds):
            for name, (run, trainer) in runs.items():
                marks = run(trainer)
                steps[name] += [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(marks)]
        shares = list(parts(taught, options.batch))
        seconds = asked(folder, files["hybrid"]) / len(taught.examples)
        os.chdir("/")
    report(steps, shares, each)
    print(f"a tiny teacher takes {seconds:.3f} s for each picture, which an epoch without the cache would take more")


def report(steps: dict[str, list[Mark]], shares: list[tuple[str, float]], each: float) -> None:
    """Print the figures."""
    medians = {name: [statistics.median(mark[i] for mark in marks) for i in (0, 1)] for name, marks in steps.items()}
    for name, (clock, processor) in medians.items():
        against = [f"{medians[LOOP][i] / medians[name][i]:.1%}" for i in (0, 1)]
        print(f"{name}: a step takes {clock:.3f} s, {processor:.3f} s of the processor", end="; ")
        print(f"{against[0]} and {against[1]} of the speed of {LOOP} (goal: 95%)")
        print("  steps: " + " ".join(f"{mark[0]:.3f}" for mark in steps[name]))
    for name, part in shares:
        print(f"{name}: {1000 * part:.2f} ms, {part / medians[LOOP][0]:.2%} of a step of {LOOP}")
    print(f"the cache takes {each:.0f} bytes for each picture")


if __name__ == "__main__":
    main()
