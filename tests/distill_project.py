"""Helpers: a folder with digits, a tiny teacher, and what a distillation is told; and many runs for one import.

python tests/distill_project.py RUNS.json    runs each entry in a child of its own: {"argv", "env", "kill_at", "log"}
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

ROWS = 64
TOLD = {
    "task": "classification",
    "student": {
        "family": "vit",
        "size": "vit-tiny",
        "image_size": 32,
        "lora": {"rank": 0, "alpha": 16, "dropout": 0.1, "target_modules": ["qkv", "proj"], "bias": "none"},
    },
    "teacher": {"dtype": "float32", "attention": "sdpa", "pixels": {}},
    "type": "hybrid",
    "hard_label_weight": 0.5,
    "soft_label_weight": 0.5,
    "temperature": 4.0,
    "feature_loss": "mse",
    "align_feature": True,
    "features": {"at": "tower", "pooling": "mean", "grid": 4},
    "scores": {"calibration": "none"},
    "augment": True,
    "views": 1,
    "optimizer": {
        "name": "adamw",
        "learning_rate": 5e-4,
        "schedule": "cosine",
        "warmup_ratio": 0.1,
        "weight_decay": 0.05,
        "momentum": 0.9,
        "max_grad_norm": 1.0,
    },
    "batch": {"micro": 16, "accumulation": 1},
    "epochs": 2.0,
    "max_steps": None,
    "precision": "float32",
    "evaluate_every": "epoch",
    "checkpoints": {"every": "3 steps", "select": "last", "metric": "eval_loss", "higher_is_better": False},
    "patience": None,
    "classes": 10,
    "seed": 42,
    "cpu": True,
}


def told(folder, name, **changes):
    """Write a configuration with changes, `optimizer__learning_rate=1` for what stands deeper; its path."""
    value = json.loads(json.dumps(TOLD))
    for path, change in changes.items():
        *parents, last = path.split("__")
        place = value
        for parent in parents:
            place = place[parent]
        place[last] = change
    file = folder / f"{name}.json"
    file.write_text(json.dumps(value))
    return file


def digits(folder, rows=ROWS, held_out=32, first=0):
    """Prepared rows of scikit-learn's digits, as `prepare` writes them."""
    import numpy
    from PIL import Image
    from sklearn.datasets import load_digits

    found = load_digits()
    (folder / "images").mkdir(parents=True)
    lines = []
    for number in range(first, first + rows + held_out):
        pixels = (found.images[number] * 255 / 16).astype(numpy.uint8)
        path = f"images/{number:05}.png"
        Image.fromarray(pixels).resize((56, 56), Image.Resampling.NEAREST).convert("RGB").save(folder / path)
        asked = [{"role": "user", "content": "<image>Digit?"}]
        lines.append(json.dumps({"messages": asked, "images": [path], "label": int(found.target[number])}) + "\n")
    (folder / "train.jsonl").write_text("".join(lines[:rows]))
    (folder / "validation.jsonl").write_text("".join(lines[rows:]))
    (folder / "classes.json").write_text(json.dumps([str(digit) for digit in range(10)]))


def shapes(folder, rows=16, size=64):
    """Pictures of one bright square each, as rows of every task (two pictures a clip)."""
    import numpy
    from PIL import Image

    draw = numpy.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    lines = {"classify": [], "detect": [], "segment": [], "sequence": []}
    for number in range(rows):
        left, top, side = draw.integers(4, size // 2, 3).tolist()
        pixels = draw.integers(0, 60, (size, size, 3), dtype=numpy.uint8)
        mask = numpy.zeros((size, size), dtype=numpy.uint8)
        pixels[top : top + side, left : left + side] = 255 if number % 2 else (255, 0, 0)
        mask[top : top + side, left : left + side] = 1
        path, masked = f"images/{number}.png", f"images/{number}.mask.png"
        Image.fromarray(pixels).save(folder / path)
        Image.fromarray(mask).save(folder / masked)
        box = [left, top, left + side, top + side]
        lines["classify"].append({"images": [path], "label": number % 2})
        lines["detect"].append({"images": [path], "boxes": [box], "labels": [number % 2]})
        lines["segment"].append({"images": [path], "mask": masked})
        lines["sequence"].append({"frames": [path, "images/0.png"], "label": number % 2})
    for task, found in lines.items():
        (folder / f"{task}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in found))
    (folder / "classes.json").write_text(json.dumps(["red", "white"]))


def say(folder, file, data="train.jsonl", width=32):
    """Fill the cache of a configuration with random numbers, in the place of a teacher's; bytes for each picture."""
    import numpy

    from runners.distill import asking, cache, config

    read = config.read(file, folder / "classes.json")
    task = read.task(folder)
    entries = list(asking.shown(asking.Names(read, task), task.read(folder / data), 1))
    draw = numpy.random.default_rng(0)
    grid = (read["features"]["grid"],) * 2 if read.dense else ()
    arrays = {"features": draw.standard_normal((len(entries), width, *grid)).astype(numpy.float16)}
    if read.wants_scores:
        arrays["scores"] = draw.standard_normal((len(entries), len(read.classes))).astype(numpy.float32)
    with cache.held(folder, asking.asked(read, folder, folder / "teacher", None)) as held:
        held.add(entries, arrays)
        return held.bytes / len(entries)


def argv(folder, config, out=None, **options):
    """The options of `remember`, or with `out` those of `train`."""
    given = {
        "config": config,
        "classes": folder / "classes.json",
        "data": folder / "train.jsonl",
        "validation": folder / "validation.jsonl",
        "teacher": folder / "teacher",
        **({"output_dir": out, "logging_steps": 1} if out else {}),
        **options,
    }
    return [str(word) for name, value in given.items() for word in (f"--{name}", value)]


def main(file):
    """Every run in a child; what they printed is in their logs, how they ended is printed."""
    import torch
    import transformers
    from accelerate import Accelerator  # noqa: F401 (imported once, for all children)
    from transformers import Trainer  # noqa: F401

    from runners.distill import train

    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    ended = []
    for run in json.loads(Path(file).read_text()):
        ranks = run.get("ranks", 1)
        children = [child(run, rank, ranks, train) for rank in range(ranks)]
        if "kill_at" in run:
            while not whole(Path(run["kill_at"])):
                time.sleep(0.005)
            os.kill(children[0], signal.SIGKILL)
        ended.append([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children])
    print(json.dumps(ended))


def whole(state):
    """Whether a checkpoint's state has been written to its end."""
    try:
        return bool(json.loads(state.read_text()))
    except (OSError, ValueError):
        return False


def child(run, rank, ranks, train):
    """Start one process of a run."""
    pid = os.fork()
    if pid:
        return pid
    log = os.open(f"{run['log']}.{rank}", os.O_CREAT | os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if ranks > 1:
        world = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": ranks, "MASTER_ADDR": "127.0.0.1"}
        os.environ |= {name: str(value) for name, value in {**world, "MASTER_PORT": run["port"]}.items()}
    status = 1
    try:
        status = train.main(run["argv"])
        print("TEACHER", "runners.distill.teacher" in sys.modules)
    except BaseException as error:
        print(type(error).__name__, error)
    finally:
        sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    main(sys.argv[1])
