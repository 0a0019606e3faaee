"""A data set's rows answered one batch after another: what is answered is kept, and how far it is is told."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runners.predict import conversations
from runners.predict.conversations import Conversation
from runners.predict.kept import NAME, Kept
from runners.predict.predictor import Candidate, Predictor, check
from schema.files import remove

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
    """The options as arguments of `Predictor.answer`. Errors: RecipeError R0632, before a model is loaded."""
    found = {name: getattr(options, name) for name in HOW}
    check(**{name: value for name, value in found.items() if name not in ("max_length", "seed")})
    return found


def work_option(parser: argparse.ArgumentParser) -> None:
    """The option that says where answers are kept."""
    help = "keeps answers, so that a run that is cut can go on; removed at the end unless it is named here"
    parser.add_argument("--work", type=Path, metavar="FILE", help=help)


@contextmanager
def working(options: argparse.Namespace) -> Iterator[None]:
    """Keep answers beside the result where `--work` says nothing; that file is gone when all went well."""
    named = options.work is not None
    options.work = options.work or options.to / NAME
    yield
    if not named:
        remove(options.work)


def answer_rows(
    predictor: Predictor, rows: Sequence[Any], names: Sequence[str], options: argparse.Namespace
) -> list[list[Candidate]]:
    """The candidates of each row. Those that an earlier run left in the work file are not asked for again."""
    asked = conversations.of_rows(rows, names, options.image_folder)
    return answer_kept(predictor, asked, names, Kept(options.work, asked, vars(options)), **how(options))


def answer_kept(
    predictor: Predictor, asked: Sequence[Conversation], names: Sequence[str], kept: Kept, **how: Any
) -> list[list[Candidate]]:
    """The candidates of each conversation: those that are kept, and the others as they come. `names` are for errors."""
    open_rows = [number for number in range(len(asked)) if number not in kept.found]
    news = News(len(asked), len(kept.found))

    def keep(place: int, candidates: list[Candidate]) -> None:
        kept.add(open_rows[place], candidates)
        news.tell(len(kept.found))

    called = [names[number] for number in open_rows]
    predictor.answer([asked[number] for number in open_rows], names=called, answered=keep, **how)
    return [kept.found[number] for number in range(len(asked))]


class News:
    """A line now and then: how many rows are answered, and how long the others will take."""

    def __init__(self, total: int, before: int) -> None:
        self.total, self.before = total, before
        self.begun = self.said = time.monotonic()
        if before:
            print(f"{before} of {total} rows were answered before", file=sys.stderr, flush=True)

    def tell(self, done: int) -> None:
        now = time.monotonic()
        if now - self.said < NEWS_SECONDS and done < self.total:
            return
        self.said = now
        left = (now - self.begun) / (done - self.before) * (self.total - done)
        print(f"{done} of {self.total} rows answered, {left:.0f} s left", file=sys.stderr, flush=True)
