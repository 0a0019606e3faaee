"""Fetch with the unmodified clients of the hubs, against a server on loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from exec_project import make, wait_for
from hub_server import Hub, served

from runners import fetch, hub
from runners.fetch import Download, downloads, ensure
from schema.diagnostics import RecipeError

FILES = {"config.json": b"{}", "sub/tokenizer.json": b"[1, 2]", "model.safetensors": bytes(range(256)) * 400}
TO = ".recipe/models/m"


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home without tokens and caches."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("HF_HOME", "HF_TOKEN", "HF_HUB_OFFLINE", "MODELSCOPE_API_TOKEN", "MODELSCOPE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Both hubs, with what the tests ask for."""
    state = Hub(
        modelscope={
            ("model", "ours/m"): {**FILES, "m.gguf": b"other weights"},
            ("model", "ours/gated"): FILES,
            ("model", "ours/empty"): {},
            ("model", "ours/outside"): FILES,
            ("dataset", "ours/d"): {"rows.jsonl": b"{}\n", "notes.zip": b"z"},
        },
        huggingface={
            ("model", "theirs/m"): FILES,
            ("model", "ours/gated"): FILES,
            ("model", "theirs/gated"): FILES,
            ("dataset", "theirs/d"): {"rows.jsonl": b"{}\n"},
        },
        gated={"ours/gated", "theirs/gated"},
        listed_outside={"ours/outside"},
    )
    with served(state):
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", state.url)
        monkeypatch.setenv("HF_ENDPOINT", state.url)
        yield state


def model(id: str, hub: str = "modelscope", revision: str | None = None) -> Download:
    return Download("model", id, hub, revision, TO)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def refused(root: Path, download: Download) -> tuple[str, str, str]:
    """Code, message and help of what `ensure` says; nothing is in place then."""
    with pytest.raises(RecipeError) as caught:
        ensure(root, [download])
    assert not (root / download.to).exists()
    (found,) = caught.value.diagnostics
    return found.code, found.message, found.help


@pytest.mark.parametrize(
    ("id", "hub"),
    [("ours/m", "modelscope"), ("theirs/m", "huggingface"), ("theirs/m", "modelscope"), ("ours/m", "huggingface")],
    ids=["modelscope", "huggingface", "only on the other", "only on the other way round"],
)
def test_the_right_bytes_and_nothing_else(tmp_path: Path, server: Hub, id: str, hub: str) -> None:
    assert ensure(tmp_path, [model(id, hub)]) == [model(id, hub)]
    assert contents(tmp_path / TO) == FILES
    assert sorted(path.name for path in (tmp_path / ".recipe/models").iterdir()) == ["m"]


@pytest.mark.parametrize(("id", "hub"), [("ours/d", "modelscope"), ("theirs/d", "huggingface")])
def test_a_data_set(tmp_path: Path, server: Hub, id: str, hub: str) -> None:
    ensure(tmp_path, [Download("dataset", id, hub, None, ".recipe/datasets/d")])
    assert contents(tmp_path / ".recipe/datasets/d")["rows.jsonl"] == b"{}\n"


def test_what_is_there_asks_nobody(tmp_path: Path, server: Hub) -> None:
    (tmp_path / TO).mkdir(parents=True)
    assert ensure(tmp_path, [model("ours/m")]) == []
    assert server.asked == []


def test_a_revision_is_asked_for(tmp_path: Path, server: Hub) -> None:
    ensure(tmp_path, [model("ours/m", revision="v2")])
    assert any("Revision=v2" in line for line in server.asked)


def test_neither_hub_has_it(tmp_path: Path, server: Hub) -> None:
    code, message, help = refused(tmp_path, model("ours/misprnt"))
    assert code == "R0530"
    assert message == f"there is no model ours/misprnt on ModelScope ({server.url}) and Hugging Face ({server.url})"
    assert "misprint" in help


def test_a_gate_is_not_gone_around(tmp_path: Path, server: Hub) -> None:
    code, _, help = refused(tmp_path, model("ours/gated"))
    assert code == "R0531"
    assert f"{server.url}/models/ours/gated" in help
    assert not any("/api/models/" in line for line in server.asked)
    code, _, help = refused(tmp_path, model("theirs/gated", "huggingface"))
    assert code == "R0531"
    assert f"{server.url}/theirs/gated" in help


def test_an_empty_listing_is_no_success(tmp_path: Path, server: Hub) -> None:
    assert refused(tmp_path, model("ours/empty"))[0] == "R0533"


def test_a_listing_that_leaves_the_folder(tmp_path: Path, server: Hub) -> None:
    code, message, _ = refused(tmp_path, model("ours/outside"))
    assert code == "R0533"
    assert "../outside.json" in message


def test_other_bytes_than_listed(tmp_path: Path, server: Hub) -> None:
    """The client of Hugging Face takes them; then a good server mends it."""
    server.corrupted.add("model.safetensors")
    code, message, _ = refused(tmp_path, model("theirs/m", "huggingface"))
    assert code == "R0533"
    assert "model.safetensors has other bytes" in message
    server.corrupted.clear()
    ensure(tmp_path, [model("theirs/m", "huggingface")])
    assert contents(tmp_path / TO) == FILES


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setenv("HF_ENDPOINT", f"http://me:hidden@{address}")
    code, message, _ = refused(tmp_path, model("theirs/m", "huggingface"))
    assert code == "R0532"
    assert f"Hugging Face at http://{address} cannot be reached" in message
    assert "hidden" not in message


def test_the_machine_file_names_the_endpoint(tmp_path: Path, server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_ENDPOINT")
    (tmp_path / "machine.yaml").write_text(f"endpoints: {{huggingface: '{server.url}/'}}\n")
    ensure(tmp_path, [model("theirs/m", "huggingface")])
    assert contents(tmp_path / TO) == FILES


def test_two_at_once_download_once(tmp_path: Path, server: Hub) -> None:
    results: list[list[Download]] = []
    threads = [threading.Thread(target=lambda: results.append(ensure(tmp_path, [model("ours/m")]))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, results)) == [0, 1]
    assert sum("FilePath=config.json" in line for line in server.asked) == 1


def test_stopping_ends_the_client(tmp_path: Path, server: Hub) -> None:
    class Enough(Exception):
        """Somebody wants us to stop."""

    def tick() -> None:
        raise Enough

    with pytest.raises(Enough):
        ensure(tmp_path, [model("ours/m")], tick)
    assert not (tmp_path / TO).exists()
    ensure(tmp_path, [model("ours/m")])
    assert contents(tmp_path / TO) == FILES


def test_exec_fetches_what_a_stage_misses(tmp_path: Path, server: Hub) -> None:
    script = 'mkdir -p "$RECIPE_OUT/result/model"; cp .recipe/models/m/config.json "$RECIPE_OUT/result/model/"\n'
    script += 'echo {{}} > "$RECIPE_OUT/result/metrics.json"\n'
    project = make(tmp_path, script=script, inputs={"model": TO})
    manifest = project.root / "pipelines/demo/manifest.json"
    entry = {"kind": "model", "id": "ours/m", "hub": "modelscope", "revision": None, "to": TO}
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"downloads": [entry]}))
    done = project.run()
    assert done.returncode == 0, done.stderr
    assert "fetching ours/m from ModelScope" in done.stderr
    assert contents(project.root / TO) == FILES


def test_ctrl_c(tmp_path: Path) -> None:
    """The verb ends with its client, while the server lets it wait."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        program = f"""import sys; from pathlib import Path; from runners.fetch import *
try: ensure(Path({str(tmp_path)!r}), [Download("model", "a/b", "modelscope", None, {TO!r})])
except KeyboardInterrupt: sys.exit(130)"""
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            (sys.executable, "-c", program), env={**os.environ, "MODELSCOPE_ENDPOINT": url}, stderr=subprocess.DEVNULL
        )
        connection, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        connection.settimeout(20)
        wait_for(lambda: _closed(connection), "the end of the client")
        connection.close()


def _closed(connection: socket.socket) -> bool:
    """Whether the other end is gone; what it has sent is read away."""
    try:
        return connection.recv(65536) == b""
    except ConnectionError:
        return True


def test_downloads_stay_below_recipe() -> None:
    with pytest.raises(RecipeError):
        downloads(
            [{"kind": "model", "id": "a/b", "hub": "modelscope", "revision": None, "to": ".recipe/models/../../x"}]
        )


def test_no_token_in_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_averysecretword")
    assert hub._without_secrets("401 for hf_averysecretword\nmore") == "401 for ***"


def test_a_tiny_model_of_no_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, message, help = refused(tmp_path, model("tiny/giant"))
    assert code == "R0534"
    assert "tiny/giant could not be built" in message
    assert ".recipe/logs/fetch/m.log" in help


def test_a_tiny_model_is_built_by_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch: what the module is told, and that its folder is the place."""
    seen: list[tuple[str, ...]] = []

    def run(job: fetch._Job, command: tuple[str, ...], environment: object, show: bool) -> tuple[int, str]:
        seen.append(command)
        job.place.mkdir()
        return 0, ""

    monkeypatch.setattr(fetch, "_run", run)
    ensure(tmp_path, [model("tiny/qwen2.5-vl")])
    assert seen[0][:5] == ("runners.tiny_model", "--family", "qwen2_5_vl", "--seed", "0")
