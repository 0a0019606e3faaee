"""Measure how fast a model answers and what memory it takes, at several batch sizes.

python -m runners.benchmark --export outputs/x/exported/export --data outputs/x/data/validation.jsonl --to outputs/x/speed
python -m runners.benchmark --model .recipe/models/x --model_type qwen2_vl --template qwen2_vl --max_new_tokens 32 …

An export is timed from the picture's numbers to the result, on the CPU; a model through its engine, from the question to the
answer's text, so with preparing pictures. Written are metrics.json (format → batch size → numbers; `machine` says where),
throughput.csv and latency.csv. Latency is that of a batch, in milliseconds; p95 is interpolated linearly between
measurements. Memory is the peak of the process, or of all GPUs together where they are used, in MiB, from the batch size's
first batch on. Smaller batches come first: libraries keep what a larger one has taken.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runners import cli
from runners.exporting import folder as folders
from runners.exporting import pictures
from runners.exporting.pictures import located
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_atomically, write_json

MIB = 2**20
DIGITS = 3
Batch = Callable[[int], int]
"""Answers so many rows, and tells how many tokens it wrote."""
PLOTTED = {
    "throughput.csv": {"": "samples_per_second"},
    "latency.csv": {"_p50": "latency_p50_ms", "_p95": "latency_p95_ms"},
}
"""File of a plot → what follows a format's name in the head of a column → what the column holds."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One format at one batch size."""

    samples_per_second: float
    latency_p50_ms: float
    latency_p95_ms: float
    peak_memory_mib: float
    tokens_per_second: float | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0591, R0593."""
    options = _parse(argv)
    found: dict[str, dict[int, Measured]] = {}
    gpu = False
    for name, batch, gpu in _subjects(options):
        sizes = sorted(set(options.batch_sizes))
        found[name] = {size: measure(batch, size, options.warmup, options.repeats, gpu) for size in sizes}
        for size, measured in found[name].items():
            print(f"{name}, batch {size}: {measured.samples_per_second:g}/s, p50 {measured.latency_p50_ms:g} ms")
    options.to.mkdir(parents=True, exist_ok=True)
    write_json(options.to / "metrics.json", metrics_of(found) | {"machine": machine(options.threads, gpu)})
    for name, columns in PLOTTED.items():
        write_atomically(options.to / name, table(found, columns).encode(), durable=False)
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m runners.benchmark", description=(__doc__ or "").partition("\n")[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--export", type=Path, metavar="DIR")
    what.add_argument("--model", type=Path, metavar="DIR")
    parser.add_argument("--model_type", help="ms-swift's name, for --model")
    parser.add_argument("--template")
    parser.add_argument("--classes", type=int, help="of a classifier")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--attention", default="sdpa")
    parser.add_argument("--max_new_tokens", type=int, default=32)
    parser.add_argument("--data", type=Path, required=True, metavar="FILE")
    parser.add_argument("--batch_sizes", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--warmup", type=int, default=3, help="batches before the clock starts")
    parser.add_argument("--repeats", type=int, default=20, help="batches that are timed")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    return parser.parse_args(argv)


def _subjects(options: argparse.Namespace) -> Iterator[tuple[str, Batch, bool]]:
    """Name, what answers a batch, and whether it uses a GPU."""
    if options.model is not None:
        yield _engine(options)
        return
    exported = folders.read(options.export)
    rows = pictures.read_rows(options.data, max(options.batch_sizes))
    images = pictures.tensors(list(pictures.fitted(rows, options.data, exported.looks)), exported.looks)
    for name in exported.files:
        if name == "torchscript":
            import torch

            torch.set_num_threads(options.threads)
        yield name, _answering(folders.runnable(options.export, name, options.threads), images), False


def _answering(run: folders.Runnable, images: pictures.Tensor) -> Batch:
    def batch(size: int) -> int:
        run(_many(images, size))
        return 0  # it writes no text

    return batch


def _many(images: pictures.Tensor, size: int) -> pictures.Tensor:
    """So many pictures, from the beginning again where there are not enough."""
    return images[np.arange(size) % len(images)]


def _engine(options: argparse.Namespace) -> tuple[str, Batch, bool]:
    """The model in ms-swift's transformers engine, which is what `predict` and `deploy` use."""
    import torch
    from swift.infer_engine import InferRequest, RequestConfig, TransformersEngine

    classify = {"task_type": "seq_cls", "num_labels": options.classes} if options.classes else {}
    gpu = torch.cuda.is_available()
    engine = TransformersEngine(
        str(options.model), max_batch_size=max(options.batch_sizes), model_type=options.model_type,
        template_type=options.template, torch_dtype=getattr(torch, options.dtype), attn_impl=options.attention,
        device_map="auto" if gpu else "cpu", use_hf=False, **classify,
    )  # fmt: skip
    if not options.classes:
        engine.generation_config.min_new_tokens = options.max_new_tokens  # or batches would end at other lengths
    requests = [InferRequest(**asked) for asked in _questions(options.data, max(options.batch_sizes))]
    config = RequestConfig(max_tokens=options.max_new_tokens, temperature=0)

    def batch(size: int) -> int:
        some = [requests[number % len(requests)] for number in range(size)]
        replies = engine.infer(some, config, use_tqdm=False)
        return 0 if options.classes else sum(reply.usage.completion_tokens for reply in replies)

    return "engine", batch, gpu


def _questions(data: Path, count: int) -> list[dict[str, Any]]:
    """The first rows without their answers. Errors: RecipeError R0591."""
    with data.open("rb") as lines:
        rows = [json.loads(line) for line, _ in zip(lines, range(count), strict=False)]
    if not rows:
        raise RecipeError([Diagnostic("R0591", f"{data} has no rows", "name a split that has rows")])
    return [_question(row, data) for row in rows]


def _question(row: dict[str, Any], data: Path) -> dict[str, Any]:
    messages = row["messages"][:-1] if row["messages"][-1]["role"] == "assistant" else row["messages"]
    return {"messages": messages, "images": [str(located(image, data)) for image in row.get("images") or ()]}


def measure(batch: Batch, size: int, warmup: int, repeats: int, gpu: bool = False) -> Measured:
    """Time so many batches of one size, one after another."""
    forget_peak(gpu)
    for _ in range(warmup):
        batch(size)
    seconds, tokens = [], 0
    for _ in range(repeats):
        begin = time.perf_counter()
        tokens += batch(size)
        seconds.append(time.perf_counter() - begin)
    total = sum(seconds)
    p50, p95 = (float(value) * 1000 for value in np.percentile(seconds, (50, 95)))
    each_second = round(tokens / total, DIGITS) if tokens else None
    memory = round(peak(gpu) / MIB, DIGITS)
    return Measured(round(size * repeats / total, DIGITS), round(p50, DIGITS), round(p95, DIGITS), memory, each_second)


def forget_peak(gpu: bool) -> None:
    """Begin anew with the peak of memory. Only Linux can do that for a process; elsewhere it is that since the start."""
    if gpu:
        import torch

        for device in range(torch.cuda.device_count()):
            torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # proc(5): resets VmHWM


def peak(gpu: bool) -> int:
    """The peak of memory, in bytes; a model may be spread over all GPUs."""
    if gpu:
        import torch

        return sum(int(torch.cuda.max_memory_allocated(device)) for device in range(torch.cuda.device_count()))
    if sys.platform == "linux":
        line = next(line for line in Path("/proc/self/status").read_text("ascii").splitlines() if "VmHWM" in line)
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def metrics_of(found: dict[str, dict[int, Measured]]) -> dict[str, Any]:
    """Format → batch size → numbers."""
    return {
        name: {
            f"batch_{size}": {k: v for k, v in asdict(measured).items() if v is not None}
            for size, measured in sizes.items()
        }
        for name, sizes in found.items()
    }


def table(found: dict[str, dict[int, Measured]], columns: dict[str, str]) -> str:
    """One line for each batch size, and for each format these columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("batch_size", *(name + ending for name in found for ending in columns)))
    for size in next(iter(found.values())):
        writer.writerow((size, *(getattr(found[name][size], field) for name in found for field in columns.values())))
    return text.getvalue()


def machine(threads: int, gpu: bool = False) -> dict[str, Any]:
    """What the numbers belong to."""
    found: dict[str, Any] = {"processor": platform.machine(), "cores": os.cpu_count()}
    found |= {"threads": threads, "system": platform.system()}
    if gpu:
        import torch

        found["gpus"] = ", ".join(torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count()))
    return found


if __name__ == "__main__":
    cli.run(main)
