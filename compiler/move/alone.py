"""Nothing runs while a recipe is moved: the locks of its stages, of DVC and of other moves are held."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil

from compiler.move.names import Move
from compiler.render import MANIFEST
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import read_json

LOCKS = Path(".recipe", "locks")
DVC = Path(".dvc", "tmp")


@contextmanager
def alone(root: Path, move: Move, dry: bool) -> Iterator[None]:
    """Hold everything that a run of the recipe would have to hold; `dry` makes no file for that.

    Raises:
        RecipeError: R0443 a stage of it runs, or DVC or another move is at work.
    """
    _refuse_dvc(root, move)
    with ExitStack() as held:
        for path, what in _locks(root, move):
            if not dry:
                path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() or not dry:
                held.enter_context(_locked(path, what))
        yield


def _locks(root: Path, move: Move) -> Iterator[tuple[Path, str]]:
    yield root / LOCKS / "mv.lock", "another `recipe mv` is at work"
    if (root / DVC).is_dir():
        yield root / DVC / "lock", "DVC is at work in this project"
    for key, title in sorted(_keys(root, move).items()):
        yield root / LOCKS / f"{key}.lock", f"{title} is being run"


def _keys(root: Path, move: Move) -> dict[str, str]:
    """Key → title of each compiled stage: what `recipe exec` locks. Stages of two instances may share one."""
    folders = {Path("pipelines", move.old), Path("pipelines", move.new)}
    manifests = [m for f in folders for m in (root / f, *(root / f).glob("*/"))]
    found: dict[str, str] = {}
    for folder in manifests:
        document: Any = read_json(folder / MANIFEST)
        stages = document.get("stages") if isinstance(document, dict) else None
        for name, stage in stages.items() if isinstance(stages, dict) else ():
            if isinstance(stage, dict) and "key" in stage:
                title = (folder / name).relative_to(root / "pipelines").as_posix()
                found[Path(str(stage["key"])).name] = title
    return found


@contextmanager
def _locked(path: Path, what: str) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(what) from None
        yield
    finally:
        os.close(descriptor)


def _refuse_dvc(root: Path, move: Move) -> None:
    """While a stage's command runs, DVC holds no lock but lists the paths that it will write."""
    listed: Any = read_json(root / DVC / "rwlock")
    writes = listed.get("write") if isinstance(listed, dict) else None
    folders = [root / folder for pair in move.folders for folder in pair]
    for path, holder in writes.items() if isinstance(writes, dict) else ():
        process = holder.get("pid") if isinstance(holder, dict) else None
        runs = isinstance(process, int) and psutil.pid_exists(process)
        if runs and any(Path(path).is_relative_to(folder) for folder in folders):
            raise _busy(f"DVC is at work on {os.path.relpath(path, root)}: process {process}")


def _busy(what: str) -> RecipeError:
    help = "wait for its end, or stop it with Ctrl-C where it runs; then call this again"
    return RecipeError([Diagnostic("R0443", what, help)])
