"""Helpers of the tests that download: a home without tokens, short time limits, what stands where."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hub_faults import sha256_of
from hub_server import Hub

from runners import fetch, resolve
from runners.fetch import Download, ensure
from runners.hubs.http import Limits
from schema.diagnostics import Diagnostic, RecipeError
from schema.lock import Asset, LockedFile, Source, digest_of

LIMITS = Limits(connect=5, read=2.5, window=2, crawl=2000, tries=2, pause=0.01, progress=1000)
"""Short, yet longer than a busy machine keeps a server of its own waiting."""
WEIGHTS = bytes(range(256)) * 400
FILES = {
    "config.json": b'{"model_type": "tiny"}',
    "tokenizer_config.json": b'{"chat_template": "{{ messages }}"}',
    "sub/tokenizer.json": b"[1, 2]",
    "model.safetensors": WEIGHTS,
}
BESIDE = {"README.md": b"# A model", "m.gguf": b"other weights", "pytorch_model.bin": b"pickled"}
ROWS = {"rows.jsonl": b"{}\n", "pictures/1.png": b"not really", "data/rows.parquet": b"PAR1" * 50}
TO = ".recipe/models/m"
VARIABLES = (
    *("HF_HOME", "HF_TOKEN", "HF_TOKEN_PATH", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT", "XDG_CACHE_HOME"),
    *(
        "MODELSCOPE_API_TOKEN",
        "MODELSCOPE_HOME",
        "MODELSCOPE_ENDPOINT",
        "RECIPE_MIRRORS",
        "RECIPE_HUBS",
        "RECIPE_STORE",
    ),
)


def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without tokens, caches and settings; an empty project."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def point_at(monkeypatch: pytest.MonkeyPatch, modelscope: str, huggingface: str | None = None) -> None:
    """Let the hubs be there, and nobody anywhere else."""
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", modelscope)
    monkeypatch.setenv("HF_ENDPOINT", huggingface or modelscope)


def filled() -> Hub:
    """A server whose hubs have the same model and data set under the same id, and what belongs to each alone."""
    hub = Hub()
    hub.add("modelscope", "model", "ours/m", {**FILES, "configuration.json": b"{}", **BESIDE})
    hub.add("huggingface", "model", "ours/m", {**FILES, ".gitattributes": b"*", **BESIDE, "README.md": b"# Other"})
    hub.add("modelscope", "dataset", "ours/d", {**ROWS, "README.md": b"# Rows"})
    hub.add("huggingface", "dataset", "ours/d", {**ROWS, ".gitattributes": b"*"})
    return hub


def resolved(root: Path, id: str = "ours/m", first: str = "modelscope", kind: str = "model") -> Asset:
    """What a name is now, as `recipe lock` asks."""
    ids = {"modelscope": id, "huggingface": id}
    return resolve.resolve(root, kind, ids, None, first, limits=LIMITS).asset


def locked(to: str = TO, kind: str = "model") -> Download:
    """A download of what `filled` serves, as a lock has it; test_resolve.py shows that resolving gives just this."""
    id, files = ("ours/m", FILES) if kind == "model" else ("ours/d", ROWS)
    hub = filled()
    sources = {
        "modelscope": Source(repo=id, requested="master", commit=next(iter(hub.modelscope[kind, id].commits))),
        "huggingface": Source(repo=id, requested="main", commit=next(iter(hub.huggingface[kind, id].commits))),
    }
    entries = {path: LockedFile(size=len(content), sha256=sha256_of(content)) for path, content in files.items()}
    template = sha256_of(b"{{ messages }}") if kind == "model" else None
    asset = Asset(sha256=digest_of(entries), chat_template=template, sources=sources, files=entries)
    return Download(kind, id, "modelscope", None, to, asset)


def get(root: Path, download: Download, **options: bool) -> list[Download]:
    return ensure(root, [download], limits=LIMITS, **options)


def refused(root: Path, download: Download, **options: bool) -> Diagnostic:
    """What `ensure` says; nothing is in place then."""
    with pytest.raises(RecipeError) as caught:
        get(root, download, **options)
    assert not (root / download.to).exists()
    untidy(root)
    (found,) = caught.value.diagnostics
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def untidy(root: Path) -> None:
    """Nothing is half there: no folder on its way, and every blob is what it is called."""
    below = root / ".recipe"
    places = [*(below / "models").glob(".*"), *(below / "datasets").glob(".*")]
    assert places == []
    for blob in (below / "store" / "blobs").rglob("*"):
        assert blob.is_dir() or blob.name == fetch.of_file(blob)
    assert {path.name for path in root.iterdir()} <= {".recipe", "machine.yaml", "recipes", "pipelines", ".git"}


def parts(root: Path) -> dict[str, int]:
    """sha256 → bytes of everything that has begun. Others may go on meanwhile: what is done is no part any more."""
    begun = {}
    for path in (root / ".recipe/store/parts").glob("*"):
        with suppress(FileNotFoundError):
            begun[path.name] = path.stat().st_size
    return begun


def program(root: Path, download: Download, **environment: str) -> subprocess.Popen[str]:
    """A fetch in a process of its own."""
    asset = download.asset.model_dump_json() if download.asset else "null"
    code = (
        "import sys\nfrom pathlib import Path\nfrom runners.fetch import Download, ensure\nfrom schema.lock import Asset\n"
        "from schema.diagnostics import RecipeError\nfrom hub_project import LIMITS\n"
        f"asset = None if {asset!r} == 'null' else Asset.model_validate_json({asset!r})\n"
        f"wanted = Download({download.kind!r}, {download.id!r}, {download.hub!r}, None, {download.to!r}, asset)\n"
        f"try: ensure(Path({str(root)!r}), [wanted], limits=LIMITS)\n"
        "except KeyboardInterrupt: sys.exit(130)\n"
        "except RecipeError as error: sys.exit('; '.join(d.code + ' ' + d.message for d in error.diagnostics))\n"
    )
    return subprocess.Popen(
        (sys.executable, "-c", code),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
