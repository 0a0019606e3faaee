"""Ask a model from the shell.

a data set:    python -m runners.predict --model DIR --data validation.jsonl --to DIR
a chat:        python -m runners.predict --model DIR --chat messages.json
a picture:     python -m runners.predict --model DIR --image cat.jpg --question "What is it?"
several best:  … --beams 4 --returned 4 --length_penalty 1.0

A chat is a list of {"role", "content"}; contents are text, or parts like {"type": "image", "path": "cat.jpg"}. `--image` and
`--video` may be given several times, or not at all. Answers go to standard output, with `--format json` as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runners import cli
from runners.predict import conversations
from runners.predict.conversations import Conversation, ask
from runners.predict.dataset import classes_of, loaded, model_options, read, row_options, write
from runners.predict.predictor import Candidate, Predictor
from schema.diagnostics import Diagnostic, RecipeError

NEWS_SECONDS = 10.0


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0630 to R0635."""
    parser = _parser()
    options = parser.parse_args(argv)
    if (options.data is not None) != (options.to is not None):
        parser.error("--data and --to belong together")
    predictor = loaded(options)
    if options.data is None:
        _show(predictor.answer([_asked(options)], **_how(options))[0], options)
        return 0
    rows = read(options.data)
    found = answer_rows(predictor, rows, options)
    options.to.mkdir(parents=True, exist_ok=True)
    write(options.to / "predictions.jsonl", rows, found, classes_of(options), options.parse, options.returned > 1)
    return 0


def _parser() -> argparse.ArgumentParser:
    summary, _, more = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m runners.predict",
        description=summary,
        epilog=more,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    model_options(parser)
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--data", type=Path, metavar="FILE", help="prepared rows, one a line")
    asked.add_argument("--chat", type=Path, metavar="FILE", help="a list of messages, as JSON")
    asked.add_argument("--question", metavar="TEXT")
    parser.add_argument("--image", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--video", type=Path, action="append", default=[], metavar="FILE")
    row_options(parser)
    generation_options(parser)
    parser.add_argument("--work", type=Path, metavar="FILE", help="keeps answers, so that a run that is cut can go on")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    return parser


def generation_options(parser: argparse.ArgumentParser) -> None:
    """Options that say how answers are searched for, and how many are handed over."""
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="rows answered at once")
    parser.add_argument("--beams", type=int, default=1, metavar="N")
    parser.add_argument("--returned", type=int, default=1, metavar="N", help="answers to each row, best first")
    parser.add_argument("--length_penalty", type=float, default=1.0, metavar="P")


def _how(options: argparse.Namespace) -> dict[str, Any]:
    names = (
        "beams",
        "returned",
        "length_penalty",
        "max_new_tokens",
        "max_length",
        "batch",
        "temperature",
        "top_p",
        "seed",
    )
    return {name: getattr(options, name) for name in names}


def _asked(options: argparse.Namespace) -> Conversation:
    """The chat, or the question about pictures. Errors: RecipeError R0634, R0635."""
    missing = [path for path in (*options.image, *options.video) if not path.is_file()]
    if missing:
        raise RecipeError([Diagnostic("R0634", f"there is no file {path}", "correct the path") for path in missing])
    if options.question is not None:
        return ask(options.question, options.image, options.video)
    try:
        chat = json.loads(options.chat.read_bytes())
        return [{"role": turn["role"], "content": turn["content"]} for turn in chat]
    except (ValueError, KeyError, TypeError) as error:
        help = 'write a list like [{"role": "user", "content": "Who are you?"}]'
        raise RecipeError([Diagnostic("R0635", f"{options.chat} is no chat: {error!r}", help)]) from error


def _show(candidates: Sequence[Candidate], options: argparse.Namespace) -> None:
    if options.format == "json":
        print(json.dumps([{"answer": c.answer, "score": c.score} for c in candidates], ensure_ascii=False))
        return
    for candidate in candidates:
        print(f"{candidate.score:.4f}  {candidate.answer}" if len(candidates) > 1 else candidate.answer)


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

    predictor.answer(asked, answered=keep, **_how(options))
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


if __name__ == "__main__":
    cli.run(main)
