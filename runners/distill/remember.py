"""Ask the teacher about every picture that it was not yet asked about, and keep what it says.

python -m runners.distill.remember --config train.distill.json --classes classes.json --data train.jsonl \\
  --validation validation.jsonl --teacher .recipe/models/Qwen--Qwen2.5-VL-7B-Instruct

In several processes each asks about its share. When nothing is missing, the teacher is not even loaded.
"""

from __future__ import annotations

import argparse
import functools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runners import cli
from runners.distill import asking, cache
from runners.distill.asking import Names
from runners.distill.cache import Cache
from runners.distill.config import Config, read
from schema.diagnostics import Diagnostic, RecipeError

if TYPE_CHECKING:  # both load torch
    from runners.distill.tasks.base import Row
    from runners.distill.teacher import Teacher

AT_ONCE = 16
"""Pictures of one forward pass through the tower."""
KEPT_AT_ONCE = 512
"""Pictures that are written down together: what a kill can lose."""


def parser(description: str) -> argparse.ArgumentParser:
    """The options that say what is read."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--config", type=Path, required=True, metavar="FILE")
    made.add_argument("--classes", type=Path, required=True, metavar="FILE")
    made.add_argument("--data", type=Path, required=True, metavar="FILE")
    made.add_argument("--validation", type=Path, metavar="FILE")
    made.add_argument("--teacher", type=Path, metavar="DIR")
    made.add_argument("--adapter", type=Path, metavar="DIR")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0663, R0665, R0666, R0686."""
    options = parser((__doc__ or "").partition("\n")[0]).parse_args(argv)
    config = read(options.config, options.classes)
    root = Path.cwd()
    task = config.task(root)
    rows = task.read(options.data)
    held_out = task.read(options.validation) if options.validation is not None else []
    load = loader(config, options.teacher, options.adapter)
    for asks, shown in questions(config, rows, held_out):
        how = asking.asked(asks, root, options.teacher, options.adapter)
        begun = time.monotonic()
        seen = remember(asks, root, how, Names(asks, task), shown, load)
        held = cache.read(root, how)
        each = held.bytes / max(len(held.places), 1)
        seconds = time.monotonic() - begun
        print(f"the teacher saw {seen} pictures in {seconds:.1f} s; {each:.0f} bytes are kept for each")
    return 0


def questions(config: Config, rows: Sequence[Row], held_out: Sequence[Row]) -> list[tuple[Config, Sequence[Row]]]:
    """How the teacher is asked about which rows: what the student learns from, and the teacher's own score."""
    graded = config.graded
    if graded is None or not held_out:
        return [(config, rows)]
    if graded is config:
        return [(config, [*rows, *held_out])]
    return [(config, rows), (graded, held_out)]


def loader(config: Config, folder: Path, adapter: Path | None) -> Callable[[], Teacher]:
    """Loads the teacher when it is first called."""

    @functools.cache
    def load() -> Teacher:
        from runners.distill import teacher  # loads torch, and then the weights

        return teacher.load(folder, adapter, config["teacher"], _device(config))

    return load


def remember(
    config: Config, root: Path, how: Mapping[str, Any], names: Names, rows: Sequence[Row], load: Callable[[], Teacher]
) -> int:
    """Fill the cache; how many pictures the teacher was shown. Errors: RecipeError R0666, R0686."""
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    with cache.held(root, how) as kept:
        # A share is one of all pictures: what is missing changes while the other processes are at work.
        mine = [
            (name, place)
            for name, place in islice(asking.shown(names, rows, config["views"]).items(), rank, None, world)
            if name not in kept
        ]
        if not mine:
            return 0
        for start in range(0, len(mine), KEPT_AT_ONCE):
            part = mine[start : start + KEPT_AT_ONCE]
            _keep(kept, config, names, load(), part)
    return len(mine)


def _device(config: Config) -> str:
    return "cpu" if config["cpu"] else f"cuda:{os.environ.get('LOCAL_RANK', '0')}"


def _keep(kept: Cache, config: Config, names: Names, teacher: Teacher, part: Sequence[tuple[str, Any]]) -> None:
    """Ask about some pictures and write down what is said."""
    import numpy

    said: dict[str, list[Any]] = {}
    for start in range(0, len(part), AT_ONCE):
        shown = [place for _, place in part[start : start + AT_ONCE]]
        for kind, found in _say(config, names, teacher, shown).items():
            said.setdefault(kind, []).extend(found)
    arrays = {kind: numpy.stack([tensor.numpy() for tensor in found]) for kind, found in said.items()}
    _check(arrays, names, part)
    if "features" in arrays and numpy.abs(arrays["features"]).max() <= numpy.finfo(numpy.float16).max:
        arrays["features"] = arrays["features"].astype(numpy.float16)
    kept.add([name for name, _ in part], arrays)


def _check(arrays: Mapping[str, Any], names: Names, part: Sequence[tuple[str, Any]]) -> None:
    """Errors: RecipeError R0686 for what is no number: it would be kept, and spoil every training that reads it."""
    import numpy

    for kind, found in arrays.items():
        broken = ~numpy.isfinite(found.reshape(len(found), -1)).all(1)
        if not broken.any():
            continue
        row, _, number = part[int(broken.argmax())][1]
        file = names.task.files(row)[number]
        message = f"the teacher's {kind} of {int(broken.sum())} pictures are no numbers, such as those of {file}"
        help = "write `dtype: bfloat16` or `dtype: float32` for the teacher: float16 overflows; or look at its weights"
        raise RecipeError([Diagnostic("R0686", message, help)])


def _say(config: Config, names: Names, teacher: Teacher, shown: Sequence[tuple[Any, int, int]]) -> dict[str, list[Any]]:
    images = [names.task.pictures(row, view)[number] for row, view, number in shown]
    said: dict[str, list[Any]] = {}
    if config.wants_features:
        told = config["features"]
        grid = told["grid"] if config.dense else None
        said["features"] = teacher.features(images, told["at"], told["pooling"], grid)
    if config.wants_scores:
        prompts = [asking.prompt_of(row) for row, _, _ in shown]
        said["scores"] = list(teacher.scores(images, prompts, config.classes))
    return said


if __name__ == "__main__":
    cli.run(main)
