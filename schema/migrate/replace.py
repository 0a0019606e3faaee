"""Several files get new texts together: all of them, or none.

A journal, `.recipe/migrate.json`, holds the old and the new texts while files are replaced one by one, in the order they are
given in: those that say a version last. A write that fails puts the old texts back. After a kill the next `recipe migrate`
finishes what was begun; until then a recipe that waits for its turn still says its old version, so nothing compiles it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from schema.diagnostics import Diagnostic, RecipeError, Span
from schema.files import read_json, remove, write_atomically, write_json

JOURNAL = Path(".recipe", "migrate.json")
FORMAT_VERSION = 1
_BOM = "\ufeff"
Texts = Mapping[str, tuple[str, str]]
"""File, relative to the root of the project → its old and its new text."""


def replace_all(root: Path, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Give files their new texts.

    Raises:
        RecipeError: R0725, a file is not what it was when it was read; R0726, one cannot be written. All have their old texts.
    """
    texts = {_relative(root, name): _whole(name, before[name], text) for name, text in after.items()}
    journal = root / JOURNAL
    try:
        journal.parent.mkdir(exist_ok=True)
        write_json(journal, {"format_version": FORMAT_VERSION, "files": [[n, *both] for n, both in texts.items()]})
        _write(root, texts)
    except OSError as error:
        _put_back(root, texts)
        raise RecipeError([_unwritable(error)]) from None
    remove(journal)


def unfinished(root: Path) -> Texts:
    """What a migration that was cut off had begun to write; nothing when there was none."""
    found = read_json(root / JOURNAL)
    if not isinstance(found, dict) or found.get("format_version") != FORMAT_VERSION:
        return {}
    return {name: (old, new) for name, old, new in found["files"]}


def finish(root: Path, texts: Texts) -> None:
    """Write the rest of what a migration had begun.

    Raises:
        RecipeError: R0725, a file was changed since; R0726, one cannot be written. Nothing is lost, and it can be tried again.
    """
    changed = [name for name, both in texts.items() if _read(root / name) not in both]
    if changed:
        help = f"bring {'it' if len(changed) == 1 else 'them'} back with git, or remove {JOURNAL} to leave all files as they are"
        message = f"a migration was cut off, and {', '.join(changed)} changed since"
        raise RecipeError([Diagnostic("R0725", message, help, tuple(Span(name, 1, 1, 1, 1) for name in changed))])
    try:
        _write(root, texts)
        for name in texts:
            for partial in (root / name).parent.glob(f".{Path(name).name}.*.partial"):
                partial.unlink(missing_ok=True)
    except OSError as error:
        raise RecipeError([_unwritable(error)]) from None
    remove(root / JOURNAL)


def _relative(root: Path, name: str) -> str:
    return Path(os.path.relpath(os.path.realpath(name), root)).as_posix()


def _whole(name: str, old: str, new: str) -> tuple[str, str]:
    """Texts with the mark at the beginning that reading leaves out, where the file has one."""
    found = _read(Path(name))
    if found.removeprefix(_BOM) != old:
        help = "migrate again"
        raise RecipeError(
            [Diagnostic("R0725", f"{name} changed while it was migrated", help, (Span(name, 1, 1, 1, 1),))]
        )
    mark = _BOM if found.startswith(_BOM) else ""
    return mark + old, mark + new


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return "\0"  # no text of a recipe


def _write(root: Path, texts: Texts) -> None:
    for name, (_, new) in texts.items():
        if _read(root / name) != new:
            _write_one(root / name, new)


def _write_one(path: Path, text: str) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    write_atomically(path, text.encode())
    path.chmod(mode)


def _put_back(root: Path, texts: Texts) -> None:
    """Old texts again; where even that fails, the journal stays, and the next call goes on from it."""
    with contextlib.suppress(OSError):
        for name, (old, new) in texts.items():
            if _read(root / name) == new:
                _write_one(root / name, old)
        remove(root / JOURNAL)


def _unwritable(error: OSError) -> Diagnostic:
    message = f"{error.filename or 'a file'} cannot be written: {(error.strerror or str(error)).lower()}"
    return Diagnostic("R0726", message, "make room or access, and migrate again; each file is old or new, none is half")
