"""A checkpoint counts when everything that a resume needs is there and whole; others are removed, with the reason."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from runners.checkpoints import complete, is_final


def archive(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as stream:
        stream.writestr("data", "x" * 100)


def safetensors(path: Path) -> None:
    header = json.dumps({"__metadata__": {"format": "pt"}, "w": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}})
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + bytes(8))


def checkpoint(folder: Path, step: int) -> Path:
    """A complete one of an adapter, trained by one process."""
    path = folder / f"checkpoint-{step}"
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        archive(path / name)
    safetensors(path / "adapter_model.safetensors")
    (path / "adapter_config.json").write_text("{}")
    (path / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    return path


def full(folder: Path, step: int, shards: int = 1) -> Path:
    """A complete one of all weights."""
    path = checkpoint(folder, step)
    (path / "adapter_model.safetensors").unlink()
    (path / "adapter_config.json").unlink()
    (path / "config.json").write_text("{}")
    names = [f"model-{n}-of-{shards}.safetensors" for n in range(shards)] if shards > 1 else ["model.safetensors"]
    for name in names:
        safetensors(path / name)
    if shards > 1:
        weight_map = {f"w{n}": name for n, name in enumerate(names)}
        (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return path


def deepspeed(folder: Path, step: int, processes: int) -> Path:
    """A complete one of several processes, each with its part of the optimizer state and its random state."""
    path = full(folder, step)
    (path / "optimizer.pt").unlink()
    (path / "rng_state.pth").unlink()
    (path / "latest").write_text(f"global_step{step}")
    archive(path / f"global_step{step}/mp_rank_00_model_states.pt")
    for rank in range(processes):
        archive(path / f"global_step{step}/bf16_zero_pp_rank_{rank}_mp_rank_00_optim_states.pt")
        archive(path / f"rng_state_{rank}.pth")
    return path


def resume(folder: Path, processes: int = 1) -> tuple[str | None, list[str]]:
    said: list[str] = []
    found = complete(folder, processes, said.append)
    return found[-1].name if found else None, said


def test_no_folder(tmp_path: Path) -> None:
    assert resume(tmp_path / "checkpoints") == (None, [])


def test_the_last_one_by_number(tmp_path: Path) -> None:
    for step in (5, 10, 100):
        checkpoint(tmp_path, step)
    (tmp_path / "checkpoint-last").mkdir()
    (tmp_path / "runs").mkdir()
    assert resume(tmp_path) == ("checkpoint-100", [])


@pytest.mark.parametrize("make", [full, lambda folder, step: full(folder, step, shards=3)])
def test_all_weights(tmp_path: Path, make: Callable[[Path, int], Path]) -> None:
    make(tmp_path, 4)
    assert resume(tmp_path) == ("checkpoint-4", [])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4])


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda path: (path / "trainer_state.json").unlink(), "no trainer_state.json"),
        (lambda path: cut(path / "trainer_state.json"), "no trainer_state.json"),
        (lambda path: (path / "trainer_state.json").write_text('{"global_step": 3}'), "is of step 3"),
        (lambda path: (path / "optimizer.pt").unlink(), "no optimizer state"),
        (lambda path: cut(path / "optimizer.pt"), "no optimizer state"),
        (lambda path: (path / "scheduler.pt").unlink(), "no scheduler.pt"),
        (lambda path: (path / "rng_state.pth").unlink(), "no rng_state.pth"),
        (lambda path: (path / "adapter_model.safetensors").unlink(), "no complete weights"),
        (lambda path: cut(path / "adapter_model.safetensors"), "no complete weights"),
        (lambda path: (path / "adapter_model.safetensors").write_bytes(b"\xff" * 40), "no complete weights"),
        (lambda path: (path / "adapter_config.json").unlink(), "no complete weights"),
    ],
)
def test_an_incomplete_one_is_removed(tmp_path: Path, harm: Callable[[Path], object], reason: str) -> None:
    checkpoint(tmp_path, 2)
    harm(checkpoint(tmp_path, 4))
    found, said = resume(tmp_path)
    assert found == "checkpoint-2"
    assert len(said) == 1
    assert said[0].startswith("removed the incomplete checkpoint-4: ")
    assert reason in said[0]
    assert not (tmp_path / "checkpoint-4").exists()


def test_a_shard_is_missing(tmp_path: Path) -> None:
    (full(tmp_path, 4, shards=3) / "model-1-of-3.safetensors").unlink()
    assert resume(tmp_path)[0] is None


def test_deepspeed(tmp_path: Path) -> None:
    deepspeed(tmp_path, 4, processes=2)
    assert resume(tmp_path, processes=2) == ("checkpoint-4", [])


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: (path / "latest").unlink(),
        lambda path: (path / "latest").write_text("global_step8"),
        lambda path: (path / "rng_state_1.pth").unlink(),
        lambda path: next(path.glob("global_step4/*rank_0_*optim_states.pt")).unlink(),
        lambda path: cut(next(path.glob("global_step4/*model_states.pt"))),
    ],
)
def test_deepspeed_incomplete(tmp_path: Path, harm: Callable[[Path], object]) -> None:
    harm(deepspeed(tmp_path, 4, processes=2))
    assert resume(tmp_path, processes=2)[0] is None


@pytest.mark.parametrize(
    ("state", "final"),
    [
        ({"max_steps": 8}, False),
        ({"max_steps": 4}, True),
        ({"max_steps": -1}, False),
        ({}, False),
        ({"max_steps": 8, "stateful_callbacks": {"TrainerControl": {"args": {"should_training_stop": True}}}}, True),
        ({"max_steps": 8, "stateful_callbacks": {"TrainerControl": {"args": {"should_training_stop": False}}}}, False),
    ],
)
def test_the_end_of_a_training(tmp_path: Path, state: dict, final: bool) -> None:
    path = checkpoint(tmp_path, 4)
    (path / "trainer_state.json").write_text(json.dumps({"global_step": 4, **state}))
    assert is_final(path) is final
