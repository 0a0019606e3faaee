"""Ask the teacher about every picture that it was not yet asked about, and keep what it says.

python -m runners.distill.remember --config train.distill.json --classes classes.json --data train.jsonl \\
  --validation validation.jsonl --teacher .recipe/models/Qwen--Qwen2.5-VL-7B-Instruct

In several processes each asks about its share. When nothing is missing, the teacher is not even loaded.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runners import cli
from runners.distill import asking, cache
from runners.distill.asking import Asked, Names
from runners.distill.cache import Cache
from runners.distill.config import Config, read

if TYPE_CHECKING:  # loads torch
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
    """The command line. Errors: RecipeError R0663, R0665, R0666."""
    options = parser((__doc__ or "").partition("\n")[0]).parse_args(argv)
    config = read(options.config, options.classes)
    root = Path.cwd()
    task = config.task(root)
    rows = task.read(options.data)
    if options.validation is not None and config.wants_scores:  # for the teacher's own score
        rows += task.read(options.validation)
    how = asking.asked(config, root, options.teacher, options.adapter)
    begun = time.monotonic()
    seen = remember(config, root, how, Names(config, task), rows)
    held = cache.read(root, how.told)
    each = held.bytes / max(len(held.places), 1)
    print(f"the teacher saw {seen} pictures in {time.monotonic() - begun:.1f} s; {each:.0f} bytes are kept for each")
    return 0


def remember(config: Config, root: Path, how: Asked, names: Names, rows: Sequence[Any]) -> int:
    """Fill the cache; how many pictures the teacher was shown. Errors: RecipeError R0666."""
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    with cache.held(root, how.told) as kept:
        # A share is one of all pictures: what is missing changes while the other processes are at work.
        mine = [
            (name, place)
            for name, place in islice(asking.shown(names, rows, config["views"]).items(), rank, None, world)
            if name not in kept
        ]
        if not mine:
            return 0
        from runners.distill import teacher  # loads torch, and then the weights

        answering = teacher.load(how.folder, how.adapter, config["teacher"], _device(config))
        for start in range(0, len(mine), KEPT_AT_ONCE):
            part = mine[start : start + KEPT_AT_ONCE]
            _keep(kept, config, names, answering, part)
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
    if "features" in arrays and numpy.abs(arrays["features"]).max() <= numpy.finfo(numpy.float16).max:
        arrays["features"] = arrays["features"].astype(numpy.float16)
    kept.add([name for name, _ in part], arrays)


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
