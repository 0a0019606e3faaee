"""The store and its verbs: what is here, whether it is still what it was, what nobody needs."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from compiling import recipe
from hub_project import FILES, TO, alone, contents, filled, get, locked, point_at, untidy
from hub_server import Hub, served

from runners.fetch import Download
from runners.store import Mismatch, Store
from schema.lock import Lock, LockedFile, text_of

ASSET = locked().asset
WEIGHTS = ASSET.files["model.safetensors"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = alone(tmp_path, monkeypatch)
    (root / ".git").mkdir()
    (root / "recipes").mkdir()
    return root


@pytest.fixture
def server(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with served(filled()) as hub:
        point_at(monkeypatch, hub.url)
        yield hub


def lock(root: Path, **models: object) -> None:
    (root / "recipes").mkdir(parents=True, exist_ok=True)
    (root / "recipes/demo.lock").write_text(text_of(Lock(version=1, revision=1, models=models), "demo.yaml"))


def store_of(root: Path) -> Store:
    return Store(root / ".recipe/store")


def ran(root: Path, *arguments: str, code: int = 0) -> dict:
    """A call with --format json."""
    status, out, err = recipe(root, "store", *arguments, "--format", "json")
    assert status == code, err
    return json.loads(out)


# Bytes


def test_bytes_are_kept_once_and_read_back(tmp_path: Path) -> None:
    store = Store(tmp_path)
    sha256 = store.put(b"some bytes")
    assert store.put(b"some bytes") == sha256
    assert store.read(sha256) == b"some bytes"
    assert list(store.blobs()) == [(sha256, 10)]
    assert list(store.parts.iterdir()) == []
    assert store.blob(sha256).stat().st_mode & 0o222 == 0


def test_other_bytes_than_they_are_called_are_thrown_away(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.part("0" * 64, 5, lambda: None) as part:
        part.write(b"other")
        with pytest.raises(Mismatch):
            part.promote()
    assert list(store.blobs()) == []
    assert list(store.parts.iterdir()) == []


def test_what_is_handed_out_is_a_file_of_its_own(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    sha256 = store.put(b"x" * 100_000)
    store.hand_out(sha256, tmp_path / "mine")
    assert (tmp_path / "mine").stat().st_ino != store.blob(sha256).stat().st_ino
    assert (tmp_path / "mine").stat().st_mode & 0o200
    (tmp_path / "mine").write_bytes(b"y")
    assert store.read(sha256) == b"x" * 100_000


def test_a_part_belongs_to_one_at_a_time(tmp_path: Path) -> None:
    store = Store(tmp_path)
    content, seen = b"z" * 1000, []
    sha256 = Store(tmp_path / "other").put(content)

    def write() -> None:
        with store.part(sha256, len(content), lambda: None) as part:
            seen.append(part is not None)
            if part is not None:
                for byte in content:
                    part.write(bytes([byte]))
                part.promote()

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [False] * 7 + [True]
    assert store.read(sha256) == content


def test_a_file_that_changes_while_it_is_adopted(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (tmp_path / "file").write_bytes(b"right")
    wanted = LockedFile(size=5, sha256=Store(tmp_path / "other").put(b"right"))
    assert store.adopt(tmp_path / "file", wanted)
    assert not store.adopt(tmp_path / "file", LockedFile(size=5, sha256="0" * 64))
    assert not store.adopt(tmp_path / "none", LockedFile(size=6, sha256="1" * 64))


# The verb


def test_ls_tells_what_locks_name_and_what_is_here(root: Path, server: Hub) -> None:
    lock(root, **{"ours/m": ASSET})
    assert ran(root, "ls")["assets"][0]["files_here"] == 0
    get(root, locked())
    get(root, Download("dataset", "ours/d", "modelscope", None, ".recipe/datasets/d"))
    found = ran(root, "ls")
    assert [(a["name"], a["files"], a["files_here"]) for a in found["assets"]] == [("ours/m", 4, 4), ("ours/d", 3, 3)]
    assert found["unnamed"] == {"blobs": 0, "bytes": 0}
    _, out, _ = recipe(root, "store", "ls")
    assert "4 of 4       102.5 kB  ours/m" in out


def test_verify_names_what_is_damaged_and_the_next_fetch_gets_it(root: Path, server: Hub) -> None:
    lock(root, **{"ours/m": ASSET})
    get(root, locked())
    assert ran(root, "verify") == {"format_version": 1, "blobs": 4, "damaged": 0}
    blob = store_of(root).blob(WEIGHTS.sha256)
    blob.chmod(0o644)
    with blob.open("r+b") as stream:
        stream.seek(77)
        stream.write(b"?")
    status, _, err = recipe(root, "store", "verify")
    assert status == 1
    assert "R0538" in err
    assert "model.safetensors of ours/m is damaged in the store" in err
    assert not blob.exists()
    shutil.rmtree(root / TO)
    server.asked.clear()
    get(root, locked())
    assert contents(root / TO) == FILES
    assert [asked.file for asked in server.files_asked()] == ["model.safetensors"]
    assert recipe(root, "store", "verify")[0] == 0


def test_gc_removes_what_no_lock_names(root: Path, server: Hub) -> None:
    lock(root, **{"ours/m": ASSET})
    get(root, locked())
    store = store_of(root)
    other = store.put(b"nobody names this")
    (store.parts / ("1" * 64)).write_bytes(b"half")
    (store.parts / WEIGHTS.sha256).write_bytes(b"named, but whole already")
    expected = {"format_version": 1, "blobs": 1, "parts": 2, "damaged": 0, "bytes": 17 + 4 + 24}
    assert ran(root, "gc", "--dry-run") == expected
    assert store.has(other, 17)
    assert ran(root, "gc") == expected
    assert not store.has(other, 17)
    assert list(store.parts.iterdir()) == []
    assert len(list(store.blobs())) == 4
    untidy(root)
    _, out, _ = recipe(root, "store", "gc")
    assert out == "removed 0 blobs, 0 parts and 0 damaged files: 0 bytes\n"


def test_gc_keeps_what_was_fetched_without_a_lock(root: Path, server: Hub) -> None:
    get(root, Download("model", "ours/m", "modelscope", None, TO))
    assert ran(root, "gc")["blobs"] == 0
    shutil.rmtree(root / ".recipe/resolved")
    assert ran(root, "gc")["blobs"] == 4


def test_gc_keeps_parts_that_a_lock_names(root: Path) -> None:
    lock(root, **{"ours/m": ASSET})
    store = store_of(root)
    store.parts.mkdir(parents=True)
    (store.parts / WEIGHTS.sha256).write_bytes(b"the beginning")
    assert ran(root, "gc")["parts"] == 0


def test_gc_finds_locks_of_recipes_elsewhere(root: Path, server: Hub) -> None:
    """By what they were compiled to."""
    lock(root, **{"ours/m": ASSET})
    (root / "recipes/demo.lock").rename(root / "own.lock")
    get(root, locked())
    (root / "pipelines/own").mkdir(parents=True)
    (root / "pipelines/own/manifest.json").write_text('{"recipe": {"file": "own.yaml"}}')
    assert ran(root, "gc")["blobs"] == 0


# A store that projects share


@pytest.fixture
def shared(root: Path, server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another project, whose lock names everything in the store that it shares with `root`."""
    monkeypatch.setenv("RECIPE_STORE", str(tmp_path / "shared"))
    other = tmp_path / "other"
    lock(other, **{"ours/m": ASSET})
    get(other, locked())
    get(root, Download("dataset", "ours/d", "modelscope", None, ".recipe/datasets/d"))
    return other


def test_gc_keeps_what_another_project_names(root: Path, shared: Path) -> None:
    assert ran(root, "gc")["blobs"] == 0
    lock(shared)
    assert ran(root, "gc")["blobs"] == 4


DOUBTS = {
    "the project is gone": (lambda other: shutil.rmtree(other), "is not there"),
    "its lock is broken": (lambda other: (other / "recipes/demo.lock").write_text("a: ["), "is not known"),
    "its lock is newer": (
        lambda other: (other / "recipes/demo.lock").write_text("version: 99\nrevision: 1\n"),
        "is not known",
    ),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_gc_removes_nothing_when_in_doubt(root: Path, shared: Path, tmp_path: Path, name: str) -> None:
    damage, said = DOUBTS[name]
    damage(shared)
    blobs = list(Store(tmp_path / "shared").blobs())
    status, _, err = recipe(root, "store", "gc")
    assert status == 1
    assert "R0537" in err
    assert said in err
    assert f"--forget {shared}" in err
    assert list(Store(tmp_path / "shared").blobs()) == blobs
    assert ran(root, "gc", "--forget", str(shared))["blobs"] == 4


def test_gc_and_a_register_that_is_damaged(root: Path, shared: Path, tmp_path: Path) -> None:
    for entry in (tmp_path / "shared/projects").iterdir():
        entry.write_text("{")
    status, _, err = recipe(root, "store", "gc")
    assert status == 1
    assert "R0537" in err


def test_gc_waits_for_nobody(root: Path, shared: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "shared").in_use(lambda: None):
        status, _, err = recipe(root, "store", "gc")
    assert status == 1
    assert "somebody is fetching" in err
    with Store(tmp_path / "shared").alone() as alone, Store(tmp_path / "shared").alone() as twice:
        assert (alone, twice) == (True, False)


def test_gc_of_a_store_inside_another_project(
    root: Path, server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project that it lies in counts without being registered."""
    lock(root, **{"ours/m": ASSET})
    get(root, locked())
    other = tmp_path / "other"
    (other / ".git").mkdir(parents=True)
    monkeypatch.setenv("RECIPE_STORE", str(root / ".recipe/store"))
    assert ran(other, "gc")["blobs"] == 0


def test_options_that_make_no_sense(root: Path) -> None:
    assert recipe(root, "store", "ls", "--dry-run")[0] == 2
    assert recipe(root, "store", "verify", "--forget", "x")[0] == 2
    assert recipe(root, "store", "gc", "--forget", "/nowhere")[0] == 2
    assert recipe(root, "store", "mend")[0] == 2


# recipe fetch

RECIPE = """\
version: 1
name: demo
models: {base: {id: ours/m, type: qwen2_vl, template: qwen2_vl, dtype: float32}}
datasets: {digits: {kind: digits, split: {validation: 0.2}}}
hardware: {gpus: 0}
stages:
  data: {kind: prepare, dataset: digits}
  train: {kind: sft, model: base, data: data.train}
"""


@pytest.fixture
def compiled(root: Path) -> Path:
    (root / "recipes/demo.yaml").write_text(RECIPE)
    assert recipe(root, "compile", "recipes/demo.yaml")[0] == 0
    return root


def place(root: Path) -> Path:
    (entry,) = json.loads((root / "pipelines/demo/manifest.json").read_text())["downloads"]
    return root / entry["to"]


def test_fetch_says_what_it_did(compiled: Path, server: Hub) -> None:
    status, out, err = recipe(compiled, "fetch", "demo")
    assert status == 0, err
    assert out == f"ours/m: fetched to {place(compiled).relative_to(compiled)}\n"
    assert contents(place(compiled)) == FILES
    assert recipe(compiled, "fetch", "demo")[1].startswith("ours/m: already in ")
    server.asked.clear()
    (place(compiled) / "config.json").write_bytes(b"")
    status, out, _ = recipe(compiled, "fetch", "demo", "--offline", "--format", "json")
    assert status == 0
    (told,) = json.loads(out)["downloads"]
    assert (told["state"], told["pinned"], told["sha256"]) == ("fetched", False, ASSET.sha256)
    assert server.asked == []


def test_fetch_for_programs_when_it_fails(compiled: Path, server: Hub) -> None:
    server.modelscope.clear()
    server.huggingface.clear()
    status, out, err = recipe(compiled, "fetch", "demo", "--format", "json")
    assert status == 1
    document = json.loads(out)
    assert [told["state"] for told in document["downloads"]] == ["missing"]
    assert "R0530" in out
    assert "R0530" in err


def test_fetch_with_a_lock_that_was_not_compiled(compiled: Path, server: Hub) -> None:
    """Only a compiler that knows of locks writes their digests into the manifest."""
    manifest = compiled / "pipelines/demo/manifest.json"
    content = json.loads(manifest.read_text())
    content["downloads"][0]["sha256"] = "0" * 64
    manifest.write_text(json.dumps(content))
    status, _, err = recipe(compiled, "fetch", "demo")
    assert status == 1
    assert "R0535" in err
    content["downloads"][0]["sha256"] = ASSET.sha256
    manifest.write_text(json.dumps(content))
    lock(compiled, **{"ours/m": ASSET})
    assert recipe(compiled, "fetch", "demo")[0] == 0
    assert contents(place(compiled)) == FILES
