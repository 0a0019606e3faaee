"""Files to disk: each replaced atomically, those of stages that are gone taken away, the manifest last.

A crash leaves files that are each old or new. The manifest's digests then tell that they do not belong together.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from compiler import dvclock
from compiler.render import MANIFEST

LOCK = dvclock.NAME
"""Where DVC records what it has run, beside the `dvc.yaml`."""


def write(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Bring a folder to these files; the names that changed.

    Raises:
        OSError: the folder cannot be written; nothing is half written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    gone = stale_names(folder, files)
    changed = [name for name, text in files.items() if name != MANIFEST and replace_file(folder / name, text)]
    for name in gone:  # before the manifest that no longer names them
        (folder / name).unlink(missing_ok=True)
    changed += [MANIFEST] if replace_file(folder / MANIFEST, files[MANIFEST]) else []
    return changed + gone


def differences(folder: Path, files: Mapping[str, str]) -> list[str]:
    """The names of files that are missing, have other bytes, or should be gone."""
    return [name for name, text in files.items() if _read(folder / name) != text.encode()] + stale_names(folder, files)


def stale_names(folder: Path, files: Iterable[str]) -> list[str]:
    """What an earlier compilation left in a folder and this one does not write."""
    earlier = _read(folder / MANIFEST)
    try:
        named = json.loads(earlier)["files"] if earlier else {}
    except (ValueError, KeyError, TypeError):
        named = {}
    known = set(files)
    return sorted(
        name
        for name in named
        if name not in known and "/" not in name and "\\" not in name and (folder / name).is_file()
    )


def replace_file(path: Path, text: str) -> bool:
    """Give a file this text, unless it has it; whether it changed."""
    data = text.encode()
    if _read(path) == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return True


def remove_leftovers(folder: Path) -> None:
    """Take away what a compilation that was killed had begun to write."""
    if not (partials := list(folder.glob(".*.partial"))):
        return
    from psutil import pid_exists  # only after a kill

    for partial in partials:
        writer = partial.name.split(".")[-2]
        if not (writer.isdecimal() and pid_exists(int(writer))):
            partial.unlink(missing_ok=True)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def clash(folder: Path, recipe: str) -> str | None:
    """The other recipe that was compiled into a pipeline's folder, or None."""
    owner = _recipe_of(folder)
    return None if owner == recipe else owner


def abandoned(root: Path, recipe: str, pipelines: list[str]) -> list[str]:
    """Folders below `pipelines/` that were compiled from this recipe and are no instance of it any more."""
    manifests = sorted((root / "pipelines").glob(f"*/{MANIFEST}")) + sorted(
        (root / "pipelines").glob(f"*/*/{MANIFEST}")
    )
    folders = (path.parent for path in manifests)
    names = (f.relative_to(root).as_posix() for f in folders if _recipe_of(f) == recipe)
    return [name for name in names if name not in pipelines]


def prune_lock(folder: Path, stages: Collection[str]) -> list[str]:
    """Take entries of stages that are gone out of DVC's record of what ran, where there is one; their names.

    A record that is none is left for DVC to complain about.
    """
    try:
        recorded = dvclock.parse((_read(folder / LOCK) or b"").decode())
    except ValueError:
        return []
    gone = [name for name in recorded.stages if name not in stages]
    if gone:
        replace_file(folder / LOCK, recorded.only(stages).text())
    return gone


def remove_pipeline(folder: Path) -> None:
    """Take away what was compiled into a folder, and the folder if nothing else is in it."""
    for name in [*stale_names(folder, ()), LOCK, MANIFEST]:
        (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _recipe_of(folder: Path) -> str | None:
    try:
        return str(json.loads(_read(folder / MANIFEST) or b"{}")["recipe"]["file"])
    except (ValueError, KeyError, TypeError):
        return None
