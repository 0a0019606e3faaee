"""recipe runs 5ef53d: what ran, found by the beginning of any of its digests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from runners.events import duration
from runners.runs import SHOWN, Run, all_runs, find
from schema.console import AsFormat, Format, guarded
from schema.load import project_root

FORMAT_VERSION = 1
TOLD = (
    "started", "ended", "elapsed", "exit", "recipe_hash", "key", "own", "action", "resumed_from", "machine", "git",
)  # fmt: skip
"""Fields of a record that the JSON form has; the others stand in the record itself."""
HEAD = ("recipe", "stage", "ended (UTC)", "took", "key", "recipe hash", "resumed")


def runs(
    prefix: Annotated[
        str | None, typer.Argument(help="The beginning of a recipe hash, a stage key, an own digest or an action.")
    ] = None,
    format: AsFormat = Format.TEXT,
) -> None:
    """List what ran to its end in this project, newest first, or find it by the beginning of a digest."""
    root, as_json = project_root(Path("recipes", "any.yaml")), format is Format.JSON
    if prefix is None:
        _tell(all_runs(root), as_json)
        return
    matches = guarded(lambda: find(root, prefix))
    alone = {match.run.file for match in matches if match.alone}
    if not as_json:
        print(f"{matches[0].kind} {matches[0].digest}")
    _tell([match.run for match in matches], as_json, alone)
    if alone and not as_json:
        print(
            "* ran before, for another recipe hash or stage key; it stands, for the launch and the bytes it read are the same"
        )


def _tell(found: list[Run], as_json: bool, alone: Iterable[str] = ()) -> None:
    if as_json:
        document = {"format_version": FORMAT_VERSION, "runs": [_document(run, run.file in alone) for run in found]}
        print(json.dumps(document, indent=1, ensure_ascii=False))
    elif found:
        print(_table([HEAD, *(_row(run, run.file in alone) for run in found)]))
    else:
        print("nothing ran to its end here yet; `recipe run RECIPE` runs a recipe")


def _document(run: Run, alone: bool) -> dict[str, Any]:
    told = {name: run.record.get(name) for name in TOLD}
    return {"recipe": run.recipe, "stage": run.stage, **told, "left_alone": alone, "record": run.file}


def _row(run: Run, alone: bool) -> tuple[str, ...]:
    record = run.record
    resumed = record.get("resumed_from") or ()
    return (
        run.recipe,
        run.stage + ("*" if alone else ""),
        f"{datetime.fromisoformat(record['ended']).astimezone(UTC):%Y-%m-%d %H:%M}",
        duration(record["elapsed"]),
        record["key"][:SHOWN],
        record["recipe_hash"][:SHOWN],
        f"from step {', '.join(map(str, resumed))}" if resumed else "",
    )


def _table(rows: list[tuple[str, ...]]) -> str:
    """Columns as wide as their widest cell, and not cut to a terminal: digests are copied from here."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
