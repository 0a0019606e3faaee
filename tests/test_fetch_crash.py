"""Fetch is killed, interrupted, started twice, or meets a full disk: the next one goes on, and nothing is half there."""

from __future__ import annotations

import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from exec_project import wait_for
from hub_project import (
    FILES,
    LIMITS,
    TO,
    WEIGHTS,
    alone,
    contents,
    filled,
    get,
    locked,
    parts,
    point_at,
    program,
    untidy,
)
from hub_server import Fault, Hub, served

from runners.fetch import Download, ensure
from schema.diagnostics import RecipeError

DIGEST = locked().asset.files["model.safetensors"].sha256


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return alone(tmp_path, monkeypatch)


@pytest.fixture
def server(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with served(filled()) as hub:
        point_at(monkeypatch, hub.url)
        yield hub


def trickling(hub: Hub) -> None:
    """Slow enough to be met in the middle, fast enough not to be given up."""
    hub.faults = [Fault("slow", at=2000, times=1)]


def begun(root: Path) -> bool:
    return 20_000 < parts(root).get(DIGEST, 0) < len(WEIGHTS)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_in_the_middle(root: Path, server: Hub, number: signal.Signals) -> None:
    download = locked()
    trickling(server)
    process = program(root, download)
    wait_for(lambda: begun(root), "the middle of a file")
    process.send_signal(number)
    code = process.wait(20)
    said = process.stderr.read()
    assert code == (130 if number == signal.SIGINT else -number), said
    assert "Traceback" not in said
    assert not (root / TO).exists()
    come = parts(root)[DIGEST]
    assert come >= 20_000
    server.asked.clear()
    get(root, download)
    assert contents(root / TO) == FILES
    assert [a.range for a in server.files_asked("model.safetensors")] == [f"bytes={come}-"]
    assert parts(root) == {}
    untidy(root)


def test_killed_while_it_is_put_together(root: Path, server: Hub) -> None:
    """What it left beside the place is gone after the next fetch."""
    incoming = (root / TO).with_name(".m.incoming")
    (incoming / "sub").mkdir(parents=True)
    (incoming / "sub/half.json").write_bytes(b"{")
    (root / TO).with_name(".m.old").mkdir()
    get(root, locked())
    assert contents(root / TO) == FILES
    untidy(root)


def test_two_processes_download_once(root: Path, server: Hub) -> None:
    """Into two places of one store."""
    trickling(server)
    both = [program(root, locked()), program(root, locked(".recipe/models/n"))]
    assert [process.wait(60) for process in both] == [0, 0]
    assert contents(root / TO) == contents(root / ".recipe/models/n") == FILES
    for path in FILES:
        assert len(server.files_asked(path)) == 1
    untidy(root)


def test_who_waits_goes_on_when_the_other_is_killed(root: Path, server: Hub) -> None:
    trickling(server)
    first = program(root, locked())
    wait_for(lambda: begun(root), "the middle of a file")
    second = program(root, locked(".recipe/models/n"))
    time.sleep(1)
    first.kill()
    first.wait(20)
    assert second.wait(60) == 0
    assert contents(root / ".recipe/models/n") == FILES
    assert not (root / TO).exists()
    assert [a.range is None for a in server.files_asked("model.safetensors")] == [True, False]


def test_two_threads_download_once(root: Path, server: Hub) -> None:
    results: list[list[Download]] = []
    threads = [threading.Thread(target=lambda: results.append(get(root, locked()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, results)) == [0, 1]
    for path in FILES:
        assert len(server.files_asked(path)) == 1
    assert contents(root / TO) == FILES


# A full disk


def full(root: Path) -> str:
    """What is said of a full disk. The place is not there, and nothing is half there."""
    with pytest.raises(RecipeError) as caught:
        ensure(root, [locked()], limits=LIMITS)
    (found,) = caught.value.diagnostics
    assert found.code == "R0510"
    assert "the disk is full" in found.message
    assert "free some space" in found.help
    assert not (root / TO).exists()
    untidy(root)
    return found.message


@pytest.mark.parametrize("limit", [30_000, 90_000])
def test_no_file_may_be_that_large(root: Path, server: Hub, limit: int) -> None:
    """A limit on the size of files stands for the end of the disk, where nothing can be mounted."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        message = full(root)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "store/parts" in message
    assert parts(root)[DIGEST] == limit
    get(root, locked())
    assert contents(root / TO) == FILES
    assert server.files_asked("model.safetensors")[-1].range == f"bytes={limit}-"


@pytest.mark.parametrize(("size", "where"), [("96k", "store/parts"), ("192k", ".recipe/models")])
def test_a_disk_that_is_full(root: Path, server: Hub, size: str, where: str) -> None:
    """While it comes, or while it is put in its place; with more room the next fetch goes on."""
    disk = root / ".recipe"
    disk.mkdir()
    mounted = subprocess.run(("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk), capture_output=True)
    if mounted.returncode:
        pytest.skip("only root on Linux may mount a small disk")
    try:
        assert where in full(root)
        come = parts(root).get(DIGEST, 0)
        subprocess.run(("mount", "-o", "remount,size=1m", disk), check=True)
        server.asked.clear()
        get(root, locked())
        assert contents(root / TO) == FILES
        asked = [a.range for a in server.files_asked("model.safetensors")]
        assert asked == ([f"bytes={come}-"] if come else [])
        untidy(root)
    finally:
        subprocess.run(("umount", "-l", disk), check=True)


def test_a_folder_that_cannot_be_written(root: Path, server: Hub) -> None:
    (root / ".recipe").mkdir()
    (root / ".recipe/models").write_bytes(b"a file where a folder has to be")
    with pytest.raises(RecipeError) as caught:
        ensure(root, [locked()], limits=replace(LIMITS, tries=1))
    (found,) = caught.value.diagnostics
    assert found.code == "R0512"
    assert ".recipe/models" in found.message
