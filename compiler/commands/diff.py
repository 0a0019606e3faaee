"""recipe diff main..HEAD: what a change of recipes does, before it is merged."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from compiler.diff.compute import compare
from compiler.diff.model import RecipeDiff
from compiler.diff.sides import sides
from schema.console import FINDINGS, AsPage, PageFormat, guarded, report
from schema.exits import Answer

DIFFERENCES = 2
WIDE = 240
"""Columns where nobody looks: a file or a pipe has no width."""


WHAT = typer.Argument(
    metavar="[BASE..HEAD | BASE | A.yaml B.yaml]",
    help="Two git revisions, one revision against the worktree, or two recipe files; the worktree against HEAD when absent.",
)
DETAILED = typer.Option(
    "--detailed-exitcode", help="Exit code 0: no differences, 1: an error, also in how it was called, 2: differences."
)


def diff(
    what: Annotated[list[str] | None, WHAT] = None,
    format: AsPage = PageFormat.TEXT,
    detailed_exitcode: Annotated[bool, DETAILED] = False,
) -> None:
    """Show what a change of recipes does: stages with reasons, fields, options, generated files and risks."""
    base, head = guarded(lambda: sides(what or [], Path().absolute()))
    found = compare(base, head, by_variant=len(what or []) == 2)
    print(_shown(found, format), end="", flush=True)
    if format is PageFormat.TEXT:  # the others have them in their document
        for side in (found.base, found.head):
            report((d for failure in side.failures for d in failure.diagnostics), dict(side.sources))
    if found.failed:
        raise typer.Exit(FINDINGS)
    raise Answer(DIFFERENCES if detailed_exitcode and found.pipelines else 0)


def _shown(found: RecipeDiff, format: PageFormat) -> str:
    """The difference in a format; only the one that is asked for is loaded."""
    if format is PageFormat.JSON:
        from compiler.diff.document import document

        written = json.dumps(document(found), indent=1, ensure_ascii=False) + "\n"
        return written.encode(
            "utf-8", "backslashreplace"
        ).decode()  # a file's name may be no text; JSON has escapes for it
    if format is PageFormat.MARKDOWN:
        from compiler.diff.markdown import markdown

        return markdown(found)
    from compiler.diff.text import text

    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else WIDE
    return text(found, width, terminal and "NO_COLOR" not in os.environ)
