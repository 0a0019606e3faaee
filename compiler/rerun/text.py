"""A plan of runs as text: what people read in a terminal, in color, or in a file, without."""

from __future__ import annotations

import io
from collections.abc import Iterator

from compiler.diff.words import visible
from compiler.rerun.model import Action, Outlook, PipelineOutlook
from compiler.rerun.words import summary, why

STYLES: dict[Action, str] = {
    "run": "yellow",
    "moved": "cyan",
    "conditional": "magenta",
    "blocked": "red",
    "reuse": "dim",
}
UNCOMPILED = "not compiled as it stands; judged as if it were"


def text(outlook: Outlook) -> str:
    """A summary line, then each pipeline with a line for each stage and reason. Plain: files and pipes have no width."""
    return "\n".join([summary(outlook), *(line for p in outlook.pipelines for line in _pipeline(p))]) + "\n"


def _pipeline(pipeline: PipelineOutlook) -> Iterator[str]:
    yield ""
    yield heading(pipeline)
    width = max((len(decision.stage) for decision in pipeline.decisions), default=0)
    for decision in pipeline.decisions:
        head = f"  {decision.stage:{width}}  {decision.action:11}  "
        for number, line in enumerate(why(decision)):
            yield (head if number == 0 else " " * len(head)) + visible(line)


def heading(pipeline: PipelineOutlook) -> str:
    """`animals-lora  recipes/animals-lora.yaml`."""
    note = "" if pipeline.compiled else f"  ({UNCOMPILED})"
    return visible(f"{pipeline.label}  {pipeline.file}{note}")


def tables(outlook: Outlook, width: int, color: bool) -> str:
    """The same as tables that fit a terminal."""
    from rich.console import Console  # only here: a pipe needs no tables, and rich takes its time to load
    from rich.table import Table
    from rich.text import Text

    written = io.StringIO()
    console = Console(file=written, width=width, highlight=False, force_terminal=color, no_color=not color)
    console.print(Text(summary(outlook), "bold"), soft_wrap=True)
    for pipeline in outlook.pipelines:
        table = Table("stage", "action", "why", box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
        for decision in pipeline.decisions:
            cells = (decision.stage, decision.action, visible_lines(why(decision)))
            table.add_row(*(Text(cell, STYLES[decision.action]) for cell in cells))
        console.print()
        console.print(Text(heading(pipeline), "bold"), soft_wrap=True)
        console.print(table)
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines()) + "\n"


def visible_lines(lines: list[str]) -> str:
    """Lines of one cell."""
    return "\n".join(map(visible, lines))
