"""Which checkpoint a cut training can go on from: the last one that is complete.

    checkpoints/checkpoint-500/   adapter_model.safetensors or model.safetensors (or shards with an index)
                                  optimizer.pt or global_step500/ with `latest` (DeepSpeed)
                                  scheduler.pt, rng_state.pth (rng_state_0.pth … with several processes)
                                  trainer_state.json, written last

An engine takes an incomplete one without a word and goes on with other weights, so such a folder is removed.
"""

from __future__ import annotations

import json
import math
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from schema.files import read_json, remove

NAME = re.compile(r"checkpoint-(\d+)")


def complete(folder: Path, processes: int, say: Callable[[str], None]) -> list[Path]:
    """The complete checkpoints in `folder`, in order. Incomplete ones are removed, and `say` is told.

    `processes` is the number of training processes, each of which saves a random state. Errors: OSError.
    """
    found = []
    for step, path in sorted(_all(folder)):
        missing = list(_missing(path, step, processes))
        if missing:
            say(f"removed the incomplete {path.name}: {', '.join(missing)}")
            remove(path)
        else:
            found.append(path)
    return found


def is_final(checkpoint: Path) -> bool:
    """Whether training was over when it was saved: at the last step, or stopped early.

    An engine that is told to go on from there makes one more step, and saves that as its result.
    """
    state = read_json(checkpoint / "trainer_state.json")
    try:
        control = state["stateful_callbacks"]["TrainerControl"]["args"]["should_training_stop"]
    except (KeyError, TypeError):
        control = False
    return bool(control or state["global_step"] >= state.get("max_steps", math.inf) > 0)


def step_of(checkpoint: Path) -> int:
    """500 for `checkpoint-500`."""
    return int(checkpoint.name.rpartition("-")[2])


def _all(folder: Path) -> Iterator[tuple[int, Path]]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if (match := NAME.fullmatch(path.name)) and path.is_dir():
            yield int(match[1]), path


def _missing(checkpoint: Path, step: int, processes: int) -> Iterator[str]:
    """What is wrong with a checkpoint, in words; nothing when it is complete."""
    state = read_json(checkpoint / "trainer_state.json")
    if not isinstance(state, dict):
        yield "no trainer_state.json, which is written last"
    elif state.get("global_step") != step:
        yield f"its trainer_state.json is of step {state.get('global_step')}"
    if not _is_archive(checkpoint / "optimizer.pt") and not _has_deepspeed_state(checkpoint, processes):
        yield "no optimizer state"
    if not _is_archive(checkpoint / "scheduler.pt"):
        yield "no scheduler.pt"
    for name in _random_states(processes):
        if not _is_archive(checkpoint / name):
            yield f"no {name}"
    if not _has_weights(checkpoint):
        yield "no complete weights"


def _random_states(processes: int) -> list[str]:
    return ["rng_state.pth"] if processes == 1 else [f"rng_state_{rank}.pth" for rank in range(processes)]


def _is_archive(path: Path) -> bool:
    """torch.save writes a zip archive; its directory stands at the end, so a cut file has none."""
    return path.is_file() and zipfile.is_zipfile(path)


def _has_deepspeed_state(checkpoint: Path, processes: int) -> bool:
    """Each process writes its part of the optimizer state; without ZeRO that is in the model's state."""
    try:
        folder = checkpoint / (checkpoint / "latest").read_text().strip()
    except OSError:
        return False
    parts = list(folder.glob("*_states.pt"))
    optimizer = sum("optim_states" in part.name for part in parts)
    return optimizer in (0, processes) and len(parts) > optimizer and all(map(_is_archive, parts))


def _has_weights(checkpoint: Path) -> bool:
    if _is_whole(checkpoint / "adapter_model.safetensors"):
        return (checkpoint / "adapter_config.json").is_file()
    if not (checkpoint / "config.json").is_file():
        return False
    index = read_json(checkpoint / "model.safetensors.index.json")
    if isinstance(index, dict) and isinstance(index.get("weight_map"), dict):
        shards = set(index["weight_map"].values())
        return bool(shards) and all(_is_whole(checkpoint / shard) for shard in shards)
    return _is_whole(checkpoint / "model.safetensors")


def _is_whole(path: Path) -> bool:
    """Whether a safetensors file is as long as its header (8 bytes of length, JSON, data) says."""
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > path.stat().st_size:
                return False
            header = json.loads(stream.read(length))
        end = max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return False
    return bool(path.stat().st_size == 8 + length + end)
