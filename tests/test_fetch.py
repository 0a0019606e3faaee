"""Fetch: what is locked stands in its place, exactly; what is there is verified; what is damaged is put right."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from exec_project import make
from hub_project import (
    FILES,
    LIMITS,
    ROWS,
    TO,
    alone,
    contents,
    filled,
    get,
    locked,
    point_at,
    refused,
    resolved,
    untidy,
)  # fmt: skip
from hub_server import Hub, closed_port, served

from runners import building
from runners.fetch import Download, downloads, ensure
from runners.store import Store
from schema.diagnostics import RecipeError
from schema.lock import Asset, Lock, LockedFile, digest_of, text_of


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return alone(tmp_path, monkeypatch)


@pytest.fixture
def server(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with served(filled()) as hub:
        point_at(monkeypatch, hub.url)
        yield hub


def unlocked(id: str = "ours/m", hub: str = "modelscope", kind: str = "model", to: str = TO) -> Download:
    return Download(kind, id, hub, None, to)


def test_what_is_locked_and_nothing_else(root: Path, server: Hub) -> None:
    download = locked()
    assert get(root, download) == [download]
    assert contents(root / TO) == FILES
    untidy(root)


def test_a_data_set_with_its_pictures(root: Path, server: Hub) -> None:
    download = locked(".recipe/datasets/d", "dataset")
    get(root, download)
    assert contents(root / ".recipe/datasets/d") == ROWS


def test_a_place_may_carry_any_name(root: Path, server: Hub) -> None:
    download = locked(".recipe/models/of-any/0123abcd")
    get(root, download)
    assert contents(root / ".recipe/models/of-any/0123abcd") == FILES


def test_what_stands_there_asks_nobody(root: Path, server: Hub) -> None:
    download = locked()
    get(root, download)
    server.asked.clear()
    assert get(root, download) == []
    assert server.asked == []


def test_the_store_comes_first(root: Path, server: Hub) -> None:
    download = locked()
    get(root, download)
    shutil.rmtree(root / TO)
    server.asked.clear()
    assert get(root, download) == [download]
    assert server.asked == []
    assert contents(root / TO) == FILES


DAMAGE = {
    "another byte": lambda place: (place / "model.safetensors").write_bytes(b"x" + FILES["model.safetensors"][1:]),
    "a file more": lambda place: (place / "extra.json").write_bytes(b"{}"),
    "a file less": lambda place: (place / "config.json").unlink(),
    "a cut file": lambda place: (place / "model.safetensors").write_bytes(b"short"),
    "no folder": lambda place: (shutil.rmtree(place), place.write_bytes(b"a file")),
}


@pytest.mark.parametrize("stored", [True, False], ids=["from the store", "from the hubs"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_place_is_put_right(root: Path, server: Hub, damage: str, stored: bool) -> None:
    download = locked()
    get(root, download)
    DAMAGE[damage](root / TO)
    if not stored:
        shutil.rmtree(root / ".recipe/store")
    assert get(root, download) == [download]
    assert contents(root / TO) == FILES
    untidy(root)


def test_intact_files_of_a_damaged_place_are_kept(root: Path, server: Hub) -> None:
    """Also where the store is gone: only what is damaged is downloaded."""
    download = locked()
    get(root, download)
    shutil.rmtree(root / ".recipe/store")
    (root / TO / "config.json").write_bytes(b"{]")
    server.asked.clear()
    get(root, download)
    assert [a.file for a in server.files_asked()] == ["config.json"]


def test_damaged_bytes_of_the_store_are_not_handed_out(root: Path, server: Hub) -> None:
    download = locked()
    get(root, download)
    shutil.rmtree(root / TO)
    store = Store(root / ".recipe/store")
    blob = store.blob(download.asset.files["model.safetensors"].sha256)
    blob.chmod(0o644)
    blob.write_bytes(b"x" + FILES["model.safetensors"][1:])
    get(root, download)
    assert contents(root / TO) == FILES
    untidy(root)
    assert [path.name for path in (store.folder / "damaged").iterdir()] == [blob.name]


def test_what_a_program_writes_to_its_place_stays_there(root: Path, server: Hub) -> None:
    """No hard links: the bytes of the store are nobody's to change."""
    download = locked()
    get(root, download)
    with (root / TO / "model.safetensors").open("r+b") as stream:
        stream.write(b"changed")
    untidy(root)


# Without a lock


@pytest.mark.parametrize("hub", ["modelscope", "huggingface"])
def test_without_a_lock_it_is_what_the_hub_has_now(
    root: Path, server: Hub, hub: str, capsys: pytest.CaptureFixture[str]
) -> None:
    get(root, unlocked(hub=hub))
    assert contents(root / TO) == FILES
    assert "ours/m is not pinned" in capsys.readouterr().err
    (root / TO / "config.json").write_bytes(b"[]")
    assert get(root, unlocked(), offline=True) == [unlocked()]
    assert contents(root / TO) == FILES


def test_without_a_lock_the_other_hub_may_have_it(root: Path, server: Hub) -> None:
    server.add("huggingface", "model", "theirs/m", FILES)
    get(root, unlocked("theirs/m"))
    assert contents(root / TO) == FILES


def test_a_place_of_unknown_origin_is_left_alone(root: Path, server: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    (root / TO).mkdir(parents=True)
    assert get(root, unlocked()) == []
    assert server.asked == []
    assert "no lock says what it has to be" in capsys.readouterr().err


def test_neither_hub_has_it(root: Path, server: Hub) -> None:
    found = refused(root, unlocked("ours/misprnt"))
    assert found.code == "R0530"
    expected = f"there is no model ours/misprnt on ModelScope ({server.url}) and Hugging Face ({server.url})"
    assert found.message == expected
    assert "misprint" in found.help


# Offline


def test_offline_asks_nobody(root: Path, server: Hub) -> None:
    download = locked()
    get(root, download)
    shutil.rmtree(root / TO)
    server.asked.clear()
    assert get(root, download, offline=True) == [download]
    assert get(root, download, offline=True) == []
    assert contents(root / TO) == FILES
    assert server.asked == []


def test_offline_says_what_is_missing(root: Path, server: Hub) -> None:
    download = locked()
    found = refused(root, download, offline=True)
    assert found.code == "R0536"
    assert "config.json and 3 more files of ours/m are not in the store" in found.message
    assert refused(root, unlocked(), offline=True).code == "R0536"


def test_offline_notices_a_file_too_many(root: Path, server: Hub) -> None:
    download = locked()
    get(root, download)
    (root / TO / "extra.py").write_bytes(b"")
    assert get(root, download, offline=True) == [download]
    assert not (root / TO / "extra.py").exists()


# The lock and the manifest

ENTRY = {"kind": "model", "id": "ours/m", "hub": "modelscope", "revision": None, "to": TO}
ONE = {"a.json": LockedFile(size=2, sha256="44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")}
ASSET = Asset(
    sha256=digest_of(ONE), sources={"modelscope": {"repo": "o/m", "requested": "master", "commit": "c" * 40}}, files=ONE
)


def test_the_lock_says_what_a_download_is() -> None:
    lock = Lock(version=1, revision=1, models={"ours/m": ASSET, "ours/m@v1": ASSET})
    (found,) = downloads([ENTRY | {"sha256": ASSET.sha256}], lock)
    assert found.asset == ASSET
    (found,) = downloads([ENTRY | {"sha256": ASSET.sha256, "revision": "v1"}], lock)
    assert found.asset == ASSET
    (found,) = downloads([ENTRY | {"id": "tiny/qwen2-vl"}], lock)
    assert found.asset is None


@pytest.mark.parametrize(
    ("sha256", "lock", "says"),
    [
        ("0" * 64, Lock(version=1, revision=1, models={"ours/m": ASSET}), "with another lock"),
        ("0" * 64, None, "with another lock"),
        (ASSET.sha256, Lock(version=1, revision=1, datasets={"ours/m": ASSET}), "with another lock"),
        (None, Lock(version=1, revision=1, models={"ours/m": ASSET}), "before it was locked"),
    ],
)
def test_another_lock_than_was_compiled(sha256: str | None, lock: Lock | None, says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        downloads([ENTRY | ({"sha256": sha256} if sha256 else {})], lock)
    (found,) = caught.value.diagnostics
    assert found.code == "R0535"
    assert says in found.message
    assert "recipe compile" in found.help


def test_downloads_stay_below_recipe() -> None:
    with pytest.raises(RecipeError):
        downloads([ENTRY | {"to": ".recipe/models/../../x"}])


def test_exec_fetches_what_a_stage_misses(tmp_path: Path, server: Hub) -> None:
    """By the recipe's lock."""
    script = 'mkdir -p "$RECIPE_OUT/result/model"; cp .recipe/models/m/config.json "$RECIPE_OUT/result/model/"\n'
    script += 'echo {{}} > "$RECIPE_OUT/result/metrics.json"\n'
    project = make(tmp_path / "demo", script=script, inputs={"model": TO})
    asset = resolved(project.root)
    manifest = project.root / "pipelines/demo/manifest.json"
    content = json.loads(manifest.read_text())
    lock = (project.root / content["recipe"]["file"]).with_suffix(".lock")
    lock.parent.mkdir(exist_ok=True)
    lock.write_text(text_of(Lock(version=1, revision=1, models={"ours/m": asset}), "demo.yaml"))
    manifest.write_text(json.dumps(content | {"downloads": [ENTRY | {"sha256": asset.sha256}]}))
    done = project.run()
    assert done.returncode == 0, done.stderr
    assert "fetching ours/m: 4 files, 102.5 kB" in done.stderr
    assert contents(project.root / TO) == FILES


# More than one


def test_what_fails_does_not_hold_up_the_others(root: Path, server: Hub) -> None:
    good = locked()
    bad = unlocked("ours/misprnt", to=".recipe/models/bad")
    with pytest.raises(RecipeError) as caught:
        ensure(root, [bad, good], limits=LIMITS)
    assert [d.code for d in caught.value.diagnostics] == ["R0530"]
    assert contents(root / TO) == FILES


def test_projects_may_share_a_store(root: Path, server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    download = locked()
    monkeypatch.setenv("RECIPE_STORE", str(tmp_path / "shared"))
    get(root, download)
    other = tmp_path / "other"
    other.mkdir()
    (other / "machine.yaml").write_text(f"store: {tmp_path / 'shared'}\n")
    monkeypatch.delenv("RECIPE_STORE")
    server.asked.clear()
    get(other, download)
    assert server.asked == []
    assert contents(other / TO) == FILES
    assert not (other / ".recipe/store").exists()
    assert Store(tmp_path / "shared").projects() == sorted(
        [root, other], key=lambda p: Store(tmp_path / "shared")._entry(p)
    )


# Tiny models


def test_a_tiny_model_of_no_family(root: Path) -> None:
    found = refused(root, unlocked("tiny/giant"))
    assert found.code == "R0534"
    assert "tiny/giant could not be built" in found.message
    assert ".recipe/logs/fetch/m.log" in found.help


def test_a_tiny_model_is_built_by_its_module(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch: what the module is told, and that its folder is the place, whatever that is called."""
    seen: list[tuple[str, ...]] = []

    def run(root: Path, command: tuple[str, ...], *more: object) -> int:
        seen.append(command)
        (root / ".recipe/models/abc").mkdir()
        return 0

    monkeypatch.setattr(building, "_run", run)
    point_at(monkeypatch, closed_port())
    download = unlocked("tiny/qwen2.5-vl", to=".recipe/models/abc")
    assert ensure(root, [download]) == [download]
    assert ensure(root, [download]) == []
    assert [command[:5] for command in seen] == [("runners.tiny_model", "--family", "qwen2_5_vl", "--seed", "0")]
    assert not (root / ".recipe/store").exists()
