"""What distillation costs beside the training of the same student alone, on one CPU thread and a tiny teacher.

python -m tests.bench_distill [--runs 3] [--pictures 256] [--student resnet/resnet18] [--pixels 64]
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
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from distill_project import argv, digits, told


def epoch(folder: Path, config: Path, number: int) -> float:
    """Seconds of one epoch from the cache, or without a teacher."""
    from runners.distill import train

    words = argv(folder, config, folder / f"out-{number}", logging_steps=1000)
    at = words.index("--validation")
    trainer = train.build(train._parse([*words[:at], *words[at + 2 :]]), folder)
    trainer.args.save_strategy = "no"
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        trainer.train()
    return time.perf_counter() - started


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The figures, medians of runs that take turns."""
    from runners.distill import asking, cache, config, remember

    family, size = options.student.split("/")
    given: dict[str, Any] = {
        "student__family": family,
        "student__size": size,
        "student__image_size": options.pixels,
        "batch__micro": 32,
        "epochs": 1.0,
        "checkpoints__every": "end",
    }
    files = {kind: told(folder, kind, type=kind, **given) for kind in ("none", "feature", "hybrid")}
    seen = {}
    for kind in ("feature", "hybrid"):
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            remember.main(argv(folder, files[kind]))
        seen[kind] = time.perf_counter() - started
    taken: dict[str, list[float]] = {kind: [] for kind in files}
    for run in range(options.runs + 1):
        for kind, file in files.items():
            taken[kind].append(epoch(folder, file, run))
    medians = {kind: statistics.median(found[1:]) for kind, found in taken.items()}
    read = config.read(files["hybrid"], folder / "classes.json")
    held = cache.read(folder, asking.asked(read, folder, folder / "teacher", None).told)
    return {"epoch": medians, "teacher": seen, "bytes": held.bytes / len(held.places)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument("--student", default="resnet/resnet18")
    parser.add_argument("--pixels", type=int, default=64)
    options = parser.parse_args()
    import torch

    from runners.tiny_model import build

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        digits(folder, options.pictures, 10)
        build("qwen2_vl", 0, folder / "teacher")
        os.chdir(folder)
        found = measure(folder, options)
        os.chdir("/")
    alone = found["epoch"]["none"]
    print(f"an epoch of {options.pictures} pictures without a teacher  {alone:6.2f} s")
    for kind in ("feature", "hybrid"):
        cached = found["epoch"][kind]
        print(f"{kind}: an epoch from the cache  {cached:6.2f} s, {alone / cached:.1%} of the speed alone (goal: 95%)")
        print(f"{kind}: an epoch that asks the teacher  {cached + found['teacher'][kind]:6.2f} s")
    print(f"the cache takes {found['bytes']:.0f} bytes for each picture")


if __name__ == "__main__":
    main()
