"""A data set's rows answered one batch after another: what is answered is kept, and how far it is is told."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runners.predict import conversations
from runners.predict.predictor import Candidate, Predictor

HOW = (
    *("beams", "returned", "length_penalty", "max_new_tokens", "max_length"),
    *("batch", "temperature", "top_p", "seed"),
)
"""Options that are arguments of `Predictor.answer`."""
NEWS_SECONDS = 10.0


def generation_options(parser: argparse.ArgumentParser) -> None:
    """Options that say how answers are searched for, and how many are handed over."""
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="rows answered at once")
    parser.add_argument("--beams", type=int, default=1, metavar="N")
    parser.add_argument("--returned", type=int, default=1, metavar="N", help="answers to each row, best first")
    parser.add_argument("--length_penalty", type=float, default=1.0, metavar="P")


def how(options: argparse.Namespace) -> dict[str, Any]:
    """The options as arguments of `Predictor.answer`."""
    return {name: getattr(options, name) for name in HOW}


def answer_rows(predictor: Predictor, rows: Sequence[Any], options: argparse.Namespace) -> list[list[Candidate]]:
    """The candidates of each row. Those that an earlier run left in the work file are not asked for again."""
    known = _known(options.work) if options.work else {}
    open_rows = [number for number in range(len(rows)) if number not in known]
    asked = [conversations.conversation(rows[number], options.image_folder) for number in open_rows]
    news = _News(len(rows), len(known))

    def keep(place: int, candidates: list[Candidate]) -> None:
        known[open_rows[place]] = candidates
        if options.work:
            line = [open_rows[place], [[c.answer, c.score] for c in candidates]]
            with options.work.open("a") as work:
                work.write(json.dumps(line) + "\n")
        news.tell(len(known))

    predictor.answer(asked, answered=keep, **how(options))
    return [known[number] for number in range(len(rows))]


def _known(work: Path) -> dict[int, list[Candidate]]:
    """What an earlier run answered; a last line that was cut is passed over, and ended so that others can follow."""
    if not work.exists():
        return {}
    *lines, rest = work.read_bytes().split(b"\n")
    if rest:
        work.write_bytes(b"".join(line + b"\n" for line in lines))
    found = map(json.loads, lines)
    return {number: [Candidate(answer, score) for answer, score in candidates] for number, candidates in found}


class _News:
    """A line now and then: how many rows are answered, and how long the others will take."""

    def __init__(self, total: int, before: int) -> None:
        self.total, self.before = total, before
        self.begun = self.said = time.monotonic()

    def tell(self, done: int) -> None:
        now = time.monotonic()
        if now - self.said < NEWS_SECONDS and done < self.total:
            return
        self.said = now
        left = (now - self.begun) / (done - self.before) * (self.total - done)
        print(f"{done} of {self.total} rows answered, {left:.0f} s left", file=sys.stderr, flush=True)
