"""recipe store ls: what was downloaded, for all recipes."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schema.console import AsFormat, Format, fail, guarded
from schema.load import project_root

if TYPE_CHECKING:
    from runners.keeping import Removed, Uses
    from runners.store import Store

FORMAT_VERSION = 1


class Action(StrEnum):
    """What is done with the store."""

    LS = "ls"
    VERIFY = "verify"
    GC = "gc"


def store(
    action: Annotated[Action, typer.Argument(help="List, read everything again, or remove what no lock names.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="gc: only tell what would be removed.")] = False,
    forget: Annotated[Path | None, typer.Option(help="gc: a project that is gone for good.")] = None,
    format: AsFormat = Format.TEXT,
) -> None:
    """Look after the downloads that all recipes share: list them, verify them, remove what nobody needs."""
    if (dry_run or forget) and action is not Action.GC:
        fail(f"`recipe store {action}` has no --{'dry-run' if dry_run else 'forget'}; `recipe store gc` has")
    root, as_json = project_root(Path("recipes", "any.yaml")), format is Format.JSON
    from runners import keeping  # lists of files, and the forms of locks

    found = guarded(lambda: keeping.store_of(root))
    match action:
        case Action.LS:
            _list(found, keeping.uses(root, found), as_json)
        case Action.VERIFY:
            blobs = guarded(lambda: keeping.verify(root, found))
            _tell({"blobs": blobs, "damaged": 0}, f"{blobs} blobs in {found.folder}, all as they were", as_json)
        case Action.GC:
            if forget is not None and not found.forget(forget):
                fail(f"{forget} is not on the register of {found.folder}")
            removed = guarded(lambda: keeping.gc(root, found, dry_run))
            _tell(_document(removed), _line(removed, dry_run), as_json)


def _tell(document: dict[str, object], line: str, as_json: bool) -> None:
    print(json.dumps({"format_version": FORMAT_VERSION, **document}, indent=1) if as_json else line)


def _document(removed: Removed) -> dict[str, object]:
    return {"blobs": removed.blobs, "parts": removed.parts, "damaged": removed.damaged, "bytes": removed.size}


def _line(removed: Removed, dry_run: bool) -> str:
    verb = "would remove" if dry_run else "removed"
    what = f"{removed.blobs} blobs, {removed.parts} parts and {removed.damaged} damaged files"
    return f"{verb} {what}: {removed.size} bytes"


def _list(store: Store, uses: Uses, as_json: bool) -> None:
    """What the store has of what each project names, and what it has beside that."""
    here = dict(store.blobs())
    rows = [
        {
            "project": str(named.project),
            "name": named.name,
            "files": len(named.asset.files),
            "files_here": sum(file.sha256 in here for file in named.asset.files.values()),
            "bytes": named.asset.size,
        }
        for named in uses.named
    ]
    others = {sha256: size for sha256, size in here.items() if sha256 not in uses.digests}
    rest = {
        "store": str(store.folder),
        "bytes": sum(here.values()),
        "unnamed": {"blobs": len(others), "bytes": sum(others.values())},
        "parts": {p.name: p.stat().st_size for p in sorted(store.parts.glob("*"))},
        "doubts": [{"project": str(project) if project else None, "reason": reason} for project, reason in uses.doubts],
        "damaged": [path.name for path in sorted((store.folder / "damaged").glob("*"))],
    }
    if as_json:
        print(json.dumps({"format_version": FORMAT_VERSION, **rest, "assets": rows}, indent=1))
    else:
        _show(store, uses, rest, rows)


def _show(store: Store, uses: Uses, rest: dict, rows: list[dict]) -> None:  # type: ignore[type-arg]
    from runners.meter import size

    print(f"{store.folder}: {size(rest['bytes'])}")
    many = len({row["project"] for row in rows}) > 1
    for row in rows:
        where = f"  {row['project']}" if many else ""
        print(f"{row['files_here']:>6} of {row['files']:<5} {size(row['bytes']):>10}  {row['name']}{where}")
    for what, count, total in (
        ("blobs that no lock names", rest["unnamed"]["blobs"], rest["unnamed"]["bytes"]),
        ("parts of what is still to come", len(rest["parts"]), sum(rest["parts"].values())),
    ):
        if count:
            print(f"{count:>6} {what}, {size(total)}")
    if rest["damaged"]:
        print(f"{len(rest['damaged']):>6} damaged files, moved away")
    for project, reason in uses.doubts:
        print(f"{project or 'the register'}: {reason}", file=sys.stderr)
