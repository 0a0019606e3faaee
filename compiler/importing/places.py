"""What a command names — models, data sets, folders — as entries of a recipe."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

from compiler.importing.left import Given
from schema.models import place_of
from schema.signature import find_model

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+\Z")
_MODELS = ".recipe/models/"
_KINDS = {".jsonl": "jsonl", ".json": "jsonl", ".csv": "csv", ".parquet": "parquet"}


def normal(path: str) -> str:
    """A path without `./` in front and `/` behind."""
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    return path.rstrip("/") or path


def model_entry(text: str) -> dict[str, str]:
    """The entry of `models` for what a command names: an id, a folder of fetched models, or a folder of the project."""
    if text.startswith(_MODELS):
        folder, _, revision = text.removeprefix(_MODELS).partition("@")
        spec = {"id": folder.replace("--", "/", 1), **({"revision": revision.replace("--", "/")} if revision else {})}
        if place_of(spec["id"], spec.get("revision")) == text.removeprefix(_MODELS):
            return spec
    if HUB_ID.match(text) and not text.startswith(".") and not _exists(text):
        return {"id": text}
    name = PurePosixPath(text).name or "model"
    registered = find_model(name)
    id_ = (registered[0].modelscope or registered[0].id) if registered else f"local/{name}"
    if PurePosixPath(text).is_absolute() or _outside(text):
        return {"id": id_ if registered else name}
    return {"id": id_, "path": text}


def dataset_entry(hub: str | None, name: str, given: Given) -> dict[str, Any] | None:
    """The entry of `datasets` for what a command names; None for what recipes cannot read."""
    spec: dict[str, Any]
    path = normal(name)
    suffix = PurePosixPath(path).suffix.lower()
    if hub is None and (suffix in _KINDS or _exists(path) or path.startswith("/") or given.written.endswith("_dir")):
        if _outside(path) or not path:
            return None
        kind = _KINDS.get(suffix, "image-folder")
        spec = {"kind": kind, "path": path}
        if path.startswith("/"):
            spec["external"] = True
        return spec | ({"columns": {}} if kind == "csv" else {})
    if HUB_ID.match(name) and name not in (".", ".."):
        spec = {"kind": "hub", "id": name}
        return spec | ({"hub": "huggingface"} if (hub or "").lower() == "hf" else {})
    return None


def _outside(path: str) -> bool:
    return ".." in PurePosixPath(path).parts or "://" in path or "\\" in path or "\0" in path


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False
