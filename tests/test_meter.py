"""How much has come: bars on a terminal, lines elsewhere, nothing for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_project import FILES, LIMITS, TO, alone, contents, filled, locked, point_at, refused
from hub_server import Fault, Hub, served
from terminal import on_terminal

from runners import meter
from runners.fetch import ensure


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return alone(tmp_path, monkeypatch)


@pytest.fixture
def server(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with served(filled()) as hub:
        hub.faults = [Fault("slow", at=9000, times=1)]
        point_at(monkeypatch, hub.url)
        yield hub


def test_bars_on_a_terminal(root: Path, server: Hub) -> None:
    """One for the file that is coming, one for all."""
    code = f"from pathlib import Path; from hub_project import *; get(Path({str(root)!r}), locked())"
    ended, text = on_terminal(sys.executable, "-c", code, PYTHONPATH=os.pathsep.join(sys.path), COLUMNS="100")
    assert ended == 0, text
    assert contents(root / TO) == FILES
    assert "model.safetensors" in text
    assert "/102.4 kB" in text
    assert "102.5/102.5 kB" in text


def test_lines_elsewhere(
    root: Path, server: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(meter, "NEWS_SECONDS", 0.1)
    ensure(root, [locked()], limits=LIMITS)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "fetching ours/m: 4 files, 102.5 kB"
    assert len(lines) > 2
    assert all(line.startswith("ours/m: ") and line.endswith(" of 102.5 kB") for line in lines[1:])


def test_nothing_for_programs(
    root: Path, server: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(meter, "NEWS_SECONDS", 0.1)
    ensure(root, [locked()], quiet=True, limits=LIMITS)
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("proxy", ["socks5://me:hidden@127.0.0.1:9", "me:hidden@127.0.0.1"])
def test_a_proxy_that_cannot_be_used(root: Path, server: Hub, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """What is said holds no password of it."""
    for name in ("HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", proxy)
    found = refused(root, locked())
    assert found.code == "R0532"
    assert "hidden" not in f"{found}"
