"""The recipes of a project as text: grouped and fitted on a terminal, one line for each in a file or behind a pipe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

GAP = "  "
INDENT = "  "
NARROWEST = 60
"""Columns below which nothing gets narrower any more: the terminal wraps then."""
PLAIN = "plain"
"""What stands for the recipe without a variant."""


@dataclass(frozen=True)
class Row:
    """One instance of a recipe."""

    name: str
    file: str
    what: str
    kinds: str = ""
    """The kinds of its stages but those that every recipe has around them."""
    models: str = ""
    hardware: str = ""
    compiled: str = ""
    smoke: str = ""
    """Whether its smoke test is run, or why not."""
    last_run: str = ""


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """One line for each instance with everything about it, and one above them; no line is folded."""
    head = ("recipe", "kinds", "models", "hardware", "tests", "compiled", "last run")
    cells = [head]
    for row in rows:
        tests = (row.kinds or row.what, row.models, row.hardware, row.smoke, row.compiled, row.last_run)
        cells.append((row.name, *tests))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        yield GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def grouped(rows: Sequence[Row], width: int) -> Iterator[tuple[str, bool]]:
    """The lines for a terminal of so many columns, and whether a line is a heading.

    Lists are folded between their items, and never within one.
    """
    table = {row.name: _cells(row) for row in rows}
    head = (["variant"], ["kinds"], ["models"], ["runs on"], ["status"])
    widths = _widths([head, *table.values()], width)
    yield INDENT + _line([cell[0] for cell in head], widths), True
    for recipe, variants in groupby(rows, key=lambda row: row.name.partition("/")[0]):
        several = list(variants)
        first = several[0]
        described = first.what if "/" not in first.name else ""
        yield "", False
        yield _cut(f"{recipe}{GAP}{described}".rstrip(), width), True
        for row in several:
            if not row.models and not row.kinds and row.what:
                continue  # the heading says what is wrong with it
            folded = [_folded(cell, size) for cell, size in zip(table[row.name], widths, strict=True)]
            for number in range(max(map(len, folded))):
                yield INDENT + _line([cell[number] if number < len(cell) else "" for cell in folded], widths), False
            if reason := why_not(row):
                yield f"{INDENT}{INDENT}{reason}", False


def why_not(row: Row) -> str:
    """Why the tests do not run it, where that is more than a GPU that is missing."""
    reason = row.smoke.removeprefix("not run: ")
    return "" if row.smoke == "run" or reason.startswith("needs ") else row.smoke


def _cells(row: Row) -> tuple[list[str], ...]:
    """The items of each column."""
    variant = row.name.partition("/")[2] or PLAIN
    status = {"run": "tested", "": ""}.get(row.smoke, "not run")
    status = "GPU" if row.smoke.startswith("not run: needs ") else status
    compiled = {"no": "new", "stale": "stale"}.get(row.compiled, "")
    ran = re.search(r"(\d+) of (\d+) stages", row.last_run)
    state = [item for item in (status, compiled, f"ran {ran[1]}/{ran[2]}" if ran else "") if item]
    return (
        [variant],
        row.kinds.split(", "),
        [_short(model) for model in row.models.split(", ")],
        [_gpus(row.hardware)],
        state,
    )


def _short(model: str) -> str:
    """A model without its owner; weights of an image network without what they were trained on."""
    owner, _, name = model.rpartition("/")
    if owner == "tiny":
        return model
    return name.partition(".")[0] if owner == "timm" else name


def _gpus(hardware: str) -> str:
    return hardware.removeprefix("1 × ").replace(" × ", "×").replace(" GPU ", "×").removesuffix(" GPU")


def _widths(cells: Sequence[Sequence[Sequence[str]]], width: int) -> list[int]:
    """The width of each column: all items of a list on one line where that fits, else as few as have to."""
    columns = list(zip(*cells, strict=True))
    natural = [max(len(", ".join(cell)) for cell in column) for column in columns]
    least = [max(_least(cell) for cell in column) for column in columns]
    room = max(width, NARROWEST) - len(INDENT) - len(GAP) * (len(columns) - 1)
    found = list(natural)
    while sum(found) > room and found != least:
        widest = max(
            (place for place in range(len(found)) if found[place] > least[place]), key=lambda p: found[p] - least[p]
        )
        found[widest] -= 1
    return found


def _least(items: Sequence[str]) -> int:
    """The widest item, with the comma behind it."""
    return max((len(item) + (number + 1 < len(items)) for number, item in enumerate(items)), default=0)


def _folded(items: Sequence[str], width: int) -> list[str]:
    folded = [""]
    for number, item in enumerate(items):
        text = item + ("," if number + 1 < len(items) else "")
        joined = f"{folded[-1]} {text}".strip()
        if len(joined) <= width or not folded[-1]:
            folded[-1] = joined
        else:
            folded.append(text)
    return folded


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return GAP.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"
