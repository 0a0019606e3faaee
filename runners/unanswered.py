"""Rows that an engine has not answered yet, so that a run that was cut asks the rest.

python -m runners.unanswered --data validation.jsonl --raw "$RECIPE_OUT/kept/raw.jsonl" --every 1000 --to "$RECIPE_OUT/rest.jsonl"

The engine answers blocks of so many rows in the order of the data, and adds a block to its file when all of it is
answered. Whole blocks are kept: the rest then shares the batches that it has in a run that was not cut. A block is left
for the engine in any case, which cannot be asked nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runners import answers, cli
from schema.diagnostics import RecipeError
from schema.files import write_atomically


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m runners.unanswered", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="all rows")
    parser.add_argument("--raw", type=Path, required=True, metavar="FILE", help="what the engine answered, if anything")
    parser.add_argument("--classes", type=Path, metavar="FILE", help="class names in their order, as JSON")
    parser.add_argument("--every", type=int, required=True, metavar="N", help="rows of a block")
    parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="for the rows that are left")
    options = parser.parse_args(argv)
    classes = json.loads(options.classes.read_bytes()) if options.classes else []
    rows = options.data.read_bytes().splitlines(keepends=True)
    kept = _kept(rows, _lines(options.raw), options.every, classes)
    if kept:
        print(f"{len(kept)} of {len(rows)} rows were answered before", file=sys.stderr)
    options.raw.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(options.raw, b"".join(kept), durable=False)
    write_atomically(options.to, b"".join(rows[len(kept) :]), durable=False)
    return 0


def _lines(file: Path) -> list[bytes]:
    """The whole lines of a file; a last one that was cut is none."""
    found = file.read_bytes().splitlines(keepends=True) if file.is_file() else []
    return [line for line in found if line.endswith(b"\n")]


def _kept(rows: Sequence[bytes], raw: Sequence[bytes], every: int, classes: Sequence[str]) -> Sequence[bytes]:
    """The answers to whole blocks at the begin of the data; none where they are answers to something else."""
    count = min(len(raw), len(rows) - 1) // every * every
    try:
        list(answers.predictions(_read(rows[:count]), _read(raw[:count]), classes, "none"))
    except (RecipeError, ValueError):
        print("what was answered before does not fit the data: starting anew", file=sys.stderr)
        return ()
    return raw[:count]


def _read(lines: Sequence[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


if __name__ == "__main__":
    cli.run(main)
