"""A difference for people at a terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console  # this file is loaded only when a text is wanted
from rich.table import Table
from rich.text import Text

from compiler.diff.model import FileChange, PipelineDiff, RecipeDiff
from compiler.diff.words import (
    field_change,
    field_name,
    heading,
    option_name,
    place,
    summary,
    values,
    visible,
)

STYLES = {"changed": "yellow", "added": "green", "removed": "red", "moved": "cyan", "follows": "dim"}
DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def text(diff: RecipeDiff, width: int, color: bool = False) -> str:
    """Summary, which recipes do not compile, then each pipeline with its risks, stages, fields, options and files."""
    written = io.StringIO()
    console = Console(
        file=written,
        width=width,
        highlight=False,
        force_terminal=color,
        color_system="standard" if color else None,
    )
    console.print(Text(visible(summary(diff)), "bold"), soft_wrap=True)
    for side in (diff.base, diff.head):
        for failure in side.failures:
            told = f"in {side.name}, {failure.file} does not compile: it is not compared"
            console.print(Text(visible(told), "red"), soft_wrap=True)
    for pipeline in diff.pipelines:
        _pipeline(console, pipeline)
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines()) + "\n"


def _pipeline(console: Console, pipeline: PipelineDiff) -> None:
    console.print()
    told = f"{pipeline.label}  {heading(pipeline)}  {pipeline.file}"
    console.print(Text(visible(told), "bold"), soft_wrap=True)
    if pipeline.like:
        return
    for note in pipeline.notes:
        where = f" ({place(note.place)})" if note.place else ""
        console.print(Text(f"  risk: {visible(note.message + where)}", "yellow"), soft_wrap=True)
    rows = [(s.action, s.name, s.kind, "; ".join(s.reasons)) for s in pipeline.stages]
    _table(console, ("action", "stage", "kind", "reason"), rows)
    fields = [(field_name(f), field_change(f), place(f.place)) for f in pipeline.fields]
    _table(console, ("field", "change", "written at"), fields)
    options = [(o.stage, o.program, option_name(o), values(o)) for o in pipeline.options]
    _table(console, ("stage", "command", "option", "change"), options)
    for file in pipeline.files:
        _file(console, file)


def _table(console: Console, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        return
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell), STYLES.get(row[0], "")) for cell in row))
    console.print()
    console.print(table)


def _file(console: Console, file: FileChange) -> None:
    console.print()
    console.print(Text(visible(file.path), "bold"), soft_wrap=True)
    for line in file.diff.split("\n"):
        console.print(Text(visible(line), DIFF_STYLES.get(line[:1], "")), soft_wrap=True)
