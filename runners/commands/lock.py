"""recipe lock recipes/animals-lora.yaml: write down which bytes its names stand for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from runners.locking import Locking, Resolve, Watch, stale, unknown
from schema.console import (
    FINDINGS,
    AsFindings,
    FindingFormat,
    chosen,
    complete_recipe,
    fail,
    guarded,
    load_one,
    located,
    report,
)
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_atomically
from schema.load import Loaded
from schema.lock import REVISION, Asset, lock_of, text_of
from schema.lock_moves import Moved, files_told, moved
from schema.models import Hub

FORMAT_VERSION = 1
WHAT = typer.Argument(
    metavar="[FILE… | --upgrade [NAME…]]",
    help="Recipes; all of recipes/ when none is named. With --upgrade, names whose pins move; all when none is named.",
    autocompletion=complete_recipe,
)
CHECK = typer.Option("--check", help="Write nothing, ask no hub; exit code 1 when a lock is missing or stale.")
UPGRADE = typer.Option("--upgrade", help="Move pins to what their names stand for today.")


def lock(
    what: Annotated[list[str] | None, WHAT] = None,
    check: Annotated[bool, CHECK] = False,
    upgrade: Annotated[bool, UPGRADE] = False,
    format: AsFindings = FindingFormat.TEXT,
) -> None:
    """Pin the models, data sets and files of recipes to bytes, in recipes/NAME.lock."""
    files, names = _told_apart(what or [], upgrade)
    loaded = [load_one(file) for file in chosen(files)]
    for one in loaded:
        guarded(lambda: _link_data(one))  # noqa: B023
    with _watched() as watch:
        lockings = [Locking(one, _resolver(one), _upgraded(upgrade, names), watch) for one in loaded]
        if strange := unknown(names, lockings):
            fail(f"no recipe here names {', '.join(f'`{name}`' for name in strange)}")
        if check:
            found = [diagnostic for locking in lockings for diagnostic in stale(locking)]
        else:
            written = [_write(locking) for locking in lockings]
    if check:
        _checked(found, format)
        return
    _tell([(locking, moves) for locking, (moves, _) in zip(lockings, written, strict=True)], format)
    annotated = FindingFormat.TEXT if format is FindingFormat.JSON else format  # standard output has its document
    _end([diagnostic for _, wrong in written for diagnostic in wrong], annotated)


def _told_apart(what: Sequence[str], upgrade: bool) -> tuple[list[Path], list[str]]:
    """Recipe files, and names to upgrade: what is no file."""
    files = [Path(word) for word in what if not upgrade or located(Path(word)).is_file()]
    return files, [word for word in what if Path(word) not in files]


def _upgraded(upgrade: bool, names: Sequence[str]) -> frozenset[str] | None:
    return None if upgrade and not names else frozenset(names)


def _link_data(loaded: Loaded) -> None:
    """Put data in its place where machine.yaml says that it lies elsewhere."""
    from runners.machine import link_data
    from schema.machine import load_machine

    link_data(loaded.root, load_machine(loaded.root))


def _resolver(loaded: Loaded) -> Resolve:
    """What asks the hubs, loaded when the first name has to be resolved. Tells of hubs that have other bytes."""

    def resolve(kind: str, ids: Mapping[Hub, str], revision: str | None, first: Hub) -> Asset:
        from runners import resolve as hubs

        found = hubs.resolve(loaded.root, kind, {str(hub): id for hub, id in ids.items()}, revision, first)
        for left_out in found.left_out:
            print(f"{ids[first]}: {hubs.told(left_out)}, so it is no source", file=sys.stderr)
        return found.asset

    return resolve


def _write(locking: Locking) -> tuple[list[Moved], list[Diagnostic]]:
    """Write the lock of one recipe, if a fact has moved; what moved, and what could not be pinned."""
    loaded = locking.loaded
    if locking.kept.revision > REVISION:
        message = (
            f"{lock_of(Path(loaded.file))} is of revision {locking.kept.revision}, and this program knows {REVISION}"
        )
        newer = Diagnostic("R0707", message, "use the program that wrote it: this one would lose what it does not know")
        guarded(lambda: _refuse(newer))
    new, wrong = locking.lock()
    before = loaded.lock.lock if loaded.lock else None
    place = loaded.root / lock_of(Path(loaded.file))
    if before != new:
        write_atomically(place, text_of(new, loaded.file).encode())
    return list(moved(before, new)), wrong


def _refuse(diagnostic: Diagnostic) -> None:
    raise RecipeError([diagnostic])


def _tell(written: Sequence[tuple[Locking, list[Moved]]], format: FindingFormat) -> None:
    if format is FindingFormat.JSON:
        locks = [{"lock": _name(locking), "moved": [asdict(move) for move in moves]} for locking, moves in written]
        print(json.dumps({"format_version": FORMAT_VERSION, "locks": locks}, indent=1, ensure_ascii=False))
        return
    for locking, moves in written:
        print("\n".join([f"{_name(locking)}  {'' if moves else 'unchanged'}".rstrip(), *map(_line, moves)]))


def _name(locking: Locking) -> str:
    return lock_of(Path(locking.loaded.file)).as_posix()


def _line(move: Moved) -> str:
    if move.before and move.after:
        files = f"  ({files_told(move)})" if move.files else ""
        return f"  ~ {move.name}  {move.before} → {move.after}{files}"
    return f"  + {move.name}  {move.after}" if move.after else f"  - {move.name}"


def _end(found: Sequence[Diagnostic], format: FindingFormat) -> None:
    """Show findings with the lines of recipes and locks; the end of the program where one is an error."""
    sources: dict[str, str] = {}
    for span in (span for diagnostic in found for span in diagnostic.spans):
        if span.file not in sources and Path(span.file).is_file():
            sources[span.file] = Path(span.file).read_text("utf-8")
    report(found, sources, format)
    if any(diagnostic.severity == "error" for diagnostic in found):
        raise typer.Exit(FINDINGS)


def _checked(found: Sequence[Diagnostic], format: FindingFormat) -> None:
    """What `--check` has found; people are told when it is nothing."""
    _end(found, format)
    if format is FindingFormat.TEXT:
        print("locks are up to date")


@contextmanager
def _watched() -> Iterator[Watch]:
    """A bar for each path of local data, where somebody looks."""
    if not sys.stderr.isatty():
        yield Watch()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:

        def begin(path: str, size: int) -> None:
            progress.add_task(path, total=size)

        def read(size: int) -> None:
            progress.advance(progress.task_ids[-1], size)

        yield Watch(begin, read)
