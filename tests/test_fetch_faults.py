"""Everything that can go wrong on the way: the right bytes or a clear error, and nothing half done.

Two servers, one for each hub: what is said of a fault holds when only ModelScope has it, and when both have.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
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
    refused,
    untidy,
)  # fmt: skip
from hub_server import Fault, Hub, black_hole, closed_port, served

from runners.fetch import Download, ensure
from runners.store import Store
from schema.diagnostics import RecipeError

RIGHT = "right bytes"
FAULTS = {
    # name: (the fault, when ModelScope has it for good, when both have)
    "drop after 15,000 bytes": (Fault("drop", at=15_000), RIGHT, RIGHT),
    "drop at once": (Fault("drop", at=0), RIGHT, "R0532"),
    "a corrupt byte": (Fault("corrupt", at=77_777), RIGHT, "R0533"),
    "a corrupt byte, then a drop": (Fault("corrupt_and_drop", at=40_000), RIGHT, "R0532"),
    "truncated": (Fault("truncate", at=50_000), RIGHT, "R0533"),
    "an empty body": (Fault("truncate", at=0), RIGHT, "R0533"),
    "more bytes": (Fault("longer", at=10), RIGHT, "R0533"),
    "a Range that is ignored, and a drop": (Fault("ignore_range", at=30_000), RIGHT, "R0532"),
    "a wrong Content-Range": (Fault("wrong_range"), RIGHT, RIGHT),  # it can still be asked for all
    "status 404": (Fault("status", at=404), RIGHT, "R0533"),
    "status 416": (Fault("status", at=416), RIGHT, "R0533"),
    "status 429": (Fault("status", at=429), RIGHT, "R0532"),
    "status 500": (Fault("status", at=500), RIGHT, "R0532"),
    "status 503": (Fault("status", at=503), RIGHT, "R0532"),
    "silence at once": (Fault("stall", at=0), RIGHT, "R0532"),
    "silence after 60,000 bytes": (Fault("stall", at=60_000), RIGHT, RIGHT),
    "a trickle": (Fault("slow", at=20), RIGHT, "R0532"),
    "a redirect to nowhere": (Fault("redirect", to="ftp://example.invalid/x"), RIGHT, "R0533"),
    "a redirect to a port that is none": (Fault("redirect", to="http://127.0.0.1:99999/x"), RIGHT, "R0533"),
    "redirects without end": (Fault("redirect", to=""), RIGHT, "R0533"),
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return alone(tmp_path, monkeypatch)


@pytest.fixture
def hubs(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Hub, Hub]]:
    """ModelScope and Hugging Face, each on a server of its own."""
    with ExitStack() as stack:
        both = (stack.enter_context(served(filled())), stack.enter_context(served(filled())))
        point_at(monkeypatch, both[0].url, both[1].url)
        yield both


def faulty(hub: Hub, fault: Fault, times: int = 1 << 30) -> None:
    to = fault.to or f"{hub.url}/api/v1/models/ours/m/repo?FilePath=model.safetensors&Revision=master"
    hub.faults.append(replace(fault, times=times, to=to))


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_passes(root: Path, hubs: tuple[Hub, Hub], name: str) -> None:
    """Once, on the hub that is asked first."""
    download = locked()
    faulty(hubs[0], FAULTS[name][0], times=1)
    get(root, download)
    assert contents(root / TO) == FILES
    untidy(root)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_one_hub(root: Path, hubs: tuple[Hub, Hub], name: str) -> None:
    download = locked()
    faulty(hubs[0], FAULTS[name][0])
    get(root, download)
    assert contents(root / TO) == FILES
    assert parts(root) == {}
    untidy(root)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_all(root: Path, hubs: tuple[Hub, Hub], name: str) -> None:
    """Then it is said of each, and later, when they are well, the fetch succeeds."""
    download = locked()
    for hub in hubs:
        faulty(hub, FAULTS[name][0])
    if FAULTS[name][2] == RIGHT:
        get(root, download)
    else:
        found = refused(root, download)
        assert found.code == FAULTS[name][2]
        assert "model.safetensors of ours/m" in found.message
        assert hubs[0].url in found.message
        assert hubs[1].url in found.message
        for hub in hubs:
            hub.faults.clear()
        get(root, download)
    assert contents(root / TO) == FILES
    untidy(root)


def test_another_source_goes_on_with_the_same_part(root: Path, hubs: tuple[Hub, Hub]) -> None:
    download = locked()
    modelscope, huggingface = hubs
    modelscope.faults = [Fault("drop", at=60_000, times=1), Fault("status", at=500)]
    get(root, download)
    assert [a.range for a in huggingface.files_asked("model.safetensors")] == ["bytes=60000-"]
    assert contents(root / TO) == FILES


def test_a_bad_beginning_is_not_blamed_on_who_goes_on(root: Path, hubs: tuple[Hub, Hub]) -> None:
    """The part is thrown away, and the same source is asked for all of it."""
    download = locked()
    modelscope, huggingface = hubs
    modelscope.faults = [Fault("corrupt_and_drop", at=40_000, times=1), Fault("status", at=500)]
    get(root, download)
    assert [a.range for a in huggingface.files_asked("model.safetensors")] == ["bytes=45000-", None]
    assert contents(root / TO) == FILES


@pytest.mark.parametrize("kind", ["a closed port", "a black hole", "status 502 for all"])
def test_a_hub_that_is_down_is_asked_no_more(
    root: Path, hubs: tuple[Hub, Hub], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """For the rest of the run, which another download belongs to."""
    download = locked()
    rows = locked(".recipe/datasets/d", "dataset")
    with black_hole() as hole:
        if kind == "status 502 for all":
            hubs[0].status = 502
        else:
            monkeypatch.setenv("MODELSCOPE_ENDPOINT", hole if kind == "a black hole" else closed_port())
        hubs[0].asked.clear()
        ensure(root, [download], limits=LIMITS)
        asked = len(hubs[0].asked), hole.connections
        shutil.rmtree(root / ".recipe")
        ensure(root, [download, rows], limits=LIMITS)
        assert len(hubs[0].asked) <= 2 * asked[0]
        assert hole.connections - asked[1] <= len(FILES)  # one of each at once, and none of the rows
        assert (hole.connections > 0) == (kind == "a black hole")
    assert contents(root / TO) == FILES


def test_nobody_answers(root: Path, hubs: tuple[Hub, Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    download = locked()
    with black_hole() as hole:
        point_at(monkeypatch, f"{hole}/ms", closed_port().replace("//", "//me:hidden@"))
        found = refused(root, download)
        assert 0 < hole.connections <= len(FILES)
    assert found.code == "R0532"
    assert "does not answer in time" in found.message
    assert "hidden" not in f"{found}"
    point_at(monkeypatch, hubs[0].url, hubs[1].url)
    get(root, download)
    assert contents(root / TO) == FILES


def test_a_hub_that_ignores_the_commit(root: Path, hubs: tuple[Hub, Hub]) -> None:
    """It gives what it has now; that is not what is locked, so the other one is asked."""
    download = locked()
    newer = {**FILES, "model.safetensors": WEIGHTS[::-1]}
    repo = hubs[0].modelscope["model", "ours/m"]
    repo.commits["9" * 40] = newer
    hubs[0].listing.add("ignored-revision")
    get(root, download)
    assert contents(root / TO) == FILES
    assert hubs[1].files_asked("model.safetensors")


def test_the_branch_moved_on_and_the_lock_did_not(root: Path, hubs: tuple[Hub, Hub]) -> None:
    download = locked()
    repo = hubs[0].modelscope["model", "ours/m"]
    repo.commits["9" * 40] = {**FILES, "config.json": b"[]"}
    repo.refs["master"] = "9" * 40
    get(root, download)
    assert contents(root / TO) == FILES
    assert not hubs[1].files_asked()


def test_only_sources_of_the_lock_are_asked(root: Path, hubs: tuple[Hub, Hub]) -> None:
    download = locked()
    alone = download.asset.model_copy(update={"sources": {"huggingface": download.asset.sources["huggingface"]}})
    hubs[0].asked.clear()
    get(root, replace(download, asset=alone))
    assert hubs[0].asked == []
    assert contents(root / TO) == FILES


# Gates


def gated(hub: Hub, which: str) -> None:
    (hub.modelscope if which == "modelscope" else hub.huggingface)["model", "ours/m"].gated = True


def test_a_gate_is_not_gone_around(root: Path, hubs: tuple[Hub, Hub]) -> None:
    download = locked()
    gated(hubs[0], "modelscope")
    hubs[1].asked.clear()
    found = refused(root, download)
    assert found.code == "R0531"
    assert f"visit {hubs[0].url}/models/ours/m" in found.help
    assert "MODELSCOPE_API_TOKEN" in found.help
    assert hubs[1].asked == []


def test_a_mirror_that_refuses_is_followed_by_its_own_hub_alone(
    root: Path, hubs: tuple[Hub, Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    download = locked()
    with served(filled()) as mirror:
        monkeypatch.setenv("RECIPE_MIRRORS", f"huggingface={mirror.url}")
        gated(mirror, "huggingface")
        hubs[0].asked.clear()
        get(root, download)
        assert contents(root / TO) == FILES
        assert mirror.files_asked()
        assert hubs[0].asked == []
        shutil.rmtree(root / ".recipe")
        gated(hubs[1], "huggingface")
        found = refused(root, download)
    assert found.code == "R0531"
    assert f"visit {hubs[1].url}/ours/m" in found.help
    assert hubs[0].asked == []


def test_a_mirror_that_refuses_while_its_hub_is_down(
    root: Path, hubs: tuple[Hub, Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else is asked, also not for a file that has begun, where another mirror gave bytes that do not fit."""
    download = locked()
    store = Store(root / ".recipe/store")
    store.parts.mkdir(parents=True)
    (store.parts / download.asset.files["model.safetensors"].sha256).write_bytes(WEIGHTS[:60_000])
    with served(filled()) as bad, served(filled()) as mirror:
        bad.faults = [Fault("wrong_range")]
        gated(mirror, "huggingface")
        monkeypatch.setenv("RECIPE_MIRRORS", f"huggingface={bad.url},huggingface={mirror.url}")
        monkeypatch.setenv("HF_ENDPOINT", closed_port())
        found = refused(root, download)
    assert found.code == "R0531"
    assert "a mirror is sent no token" in found.help
    assert hubs[0].asked == []


def test_an_expired_token(
    root: Path, hubs: tuple[Hub, Hub], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    download = locked()
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "a-secret-that-expired")
    found = refused(root, download)
    assert found.code == "R0531"
    assert "does not accept the token of MODELSCOPE_API_TOKEN" in found.message
    assert "a-secret" not in f"{found}{capfd.readouterr()}"
    assert not [p for p in root.rglob("*") if p.is_file() and b"a-secret" in p.read_bytes()]
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", hubs[0].token)
    get(root, download)
    assert contents(root / TO) == FILES
    assert not [p for p in root.rglob("*") if p.is_file() and hubs[0].token.encode() in p.read_bytes()]


# A store that has half of a file


def test_rubbish_in_a_part(root: Path, hubs: tuple[Hub, Hub]) -> None:
    download = locked()
    store = Store(root / ".recipe/store")
    store.parts.mkdir(parents=True)
    for name, rubbish in {"model.safetensors": b"x" * 200_000, "config.json": b"y" * 10}.items():
        (store.parts / download.asset.files[name].sha256).write_bytes(rubbish)
    get(root, download)
    assert contents(root / TO) == FILES
    assert parts(root) == {}


def test_a_part_that_only_has_to_be_verified(root: Path, hubs: tuple[Hub, Hub]) -> None:
    """Killed between the last byte and its promotion."""
    download = locked()
    store = Store(root / ".recipe/store")
    store.parts.mkdir(parents=True)
    (store.parts / download.asset.files["model.safetensors"].sha256).write_bytes(WEIGHTS)
    hubs[0].asked.clear()
    get(root, download)
    assert contents(root / TO) == FILES
    assert not hubs[0].files_asked("model.safetensors")


def test_a_file_without_bytes(root: Path, hubs: tuple[Hub, Hub]) -> None:
    files = {**FILES, "special_tokens_map.json": b"", "__init__.py": b""}
    hubs[0].add("modelscope", "model", "ours/hollow", files)
    get(root, Download("model", "ours/hollow", "modelscope", None, TO))
    assert contents(root / TO) == files


def test_stopping(root: Path, hubs: tuple[Hub, Hub]) -> None:
    """Whoever wants us to stop is heard at once, whatever a hub does; the next fetch goes on."""

    class Enough(Exception):
        """Somebody wants us to stop."""

    download = locked()
    hubs[0].faults = [Fault("stall", at=60_000, times=1)]
    began = time.monotonic()

    def tick() -> None:
        if 60_000 in parts(root).values():
            raise Enough

    with pytest.raises(Enough):
        ensure(root, [download], tick, limits=replace(LIMITS, read=30))
    assert time.monotonic() - began < 10
    assert not (root / TO).exists()
    hubs[0].over.set()
    with pytest.raises(RecipeError):
        get(root, download, offline=True)
    get(root, download)
    assert contents(root / TO) == FILES
    assert "bytes=60000-" in [a.range for a in hubs[0].files_asked("model.safetensors")]
