"""The server of these tests is faithful: the unmodified clients of both hubs download from it, as processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_project import BESIDE, FILES, ROWS, contents, filled
from hub_server import Fault, Hub, served

MODELSCOPE = """
import sys
from modelscope_hub import HubApi
HubApi().download_repo(sys.argv[1], sys.argv[2], revision=sys.argv[3] or None, local_dir=sys.argv[4])
"""
HUGGINGFACE = """
import sys
from huggingface_hub import snapshot_download
snapshot_download(sys.argv[1], repo_type=sys.argv[2], revision=sys.argv[3] or None, local_dir=sys.argv[4])
"""
CLIENTS = {"modelscope": MODELSCOPE, "huggingface": HUGGINGFACE}


@pytest.fixture
def server() -> Iterator[Hub]:
    with served(filled()) as hub:
        yield hub


def client(
    hub: Hub, which: str, id: str, kind: str, to: Path, revision: str = "", **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a client with a fresh home and both endpoints set: they are read when it is imported."""
    home = to.parent / "home"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "MODELSCOPE_ENDPOINT": hub.url,
        "HF_ENDPOINT": hub.url,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        **more,
    }
    command = (sys.executable, "-c", CLIENTS[which], id, kind, revision, str(to))
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def got(folder: Path) -> dict[str, bytes]:
    """What was downloaded, without the notes of the clients."""
    return {path: content for path, content in contents(folder).items() if not path.startswith((".cache", "._", ".ms"))}


@pytest.mark.parametrize("storage", [False, True], ids=["direct", "with a storage"])
@pytest.mark.parametrize("which", CLIENTS)
def test_a_model(tmp_path: Path, server: Hub, which: str, storage: bool) -> None:
    server.storage = storage
    done = client(server, which, "ours/m", "model", tmp_path / "m")
    assert done.returncode == 0, done.stderr
    wanted = {**FILES, **BESIDE}
    found = got(tmp_path / "m")
    assert {path: found.get(path) for path in FILES} == FILES
    assert found.keys() >= wanted.keys()
    assert any(asked.storage for asked in server.asked) == storage


@pytest.mark.parametrize("which", CLIENTS)
def test_a_data_set(tmp_path: Path, server: Hub, which: str) -> None:
    done = client(server, which, "ours/d", "dataset", tmp_path / "d")
    assert done.returncode == 0, done.stderr
    assert {path: got(tmp_path / "d").get(path) for path in ROWS} == ROWS


@pytest.mark.parametrize(("which", "variable"), [("modelscope", "MODELSCOPE_API_TOKEN"), ("huggingface", "HF_TOKEN")])
def test_a_gate_opens_for_a_token(tmp_path: Path, server: Hub, which: str, variable: str) -> None:
    server.add(which, "model", "ours/gated", FILES, gated=True)
    assert client(server, which, "ours/gated", "model", tmp_path / "no").returncode != 0
    done = client(server, which, "ours/gated", "model", tmp_path / "m", **{variable: server.token})
    assert done.returncode == 0, done.stderr
    assert got(tmp_path / "m").items() >= FILES.items()


def test_a_client_goes_on_after_a_cut(tmp_path: Path, server: Hub) -> None:
    """Range, 206 and Content-Range are as the client of ModelScope expects them."""
    server.faults = [Fault("drop", at=40_000, times=1)]
    done = client(server, "modelscope", "ours/m", "model", tmp_path / "m")
    assert done.returncode == 0, done.stderr
    assert got(tmp_path / "m").items() >= FILES.items()
    assert any(asked.range for asked in server.files_asked("model.safetensors"))
