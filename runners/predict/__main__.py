"""Ask a model from the shell.

a data set:    python -m runners.predict --model DIR --data validation.jsonl --to DIR
a chat:        python -m runners.predict --model DIR --chat messages.json
a picture:     python -m runners.predict --model DIR --image cat.jpg --question "What is it?"
several best:  … --beams 4 --returned 4 --length_penalty 1.0

A chat is a list of {"role", "content"}; contents are text, or parts like {"type": "image", "path": "cat.jpg"}. `--image` and
`--video` may be given several times, or not at all; a model that knows no videos sees up to 16 frames as pictures. Answers
go to standard output, with `--format json` as JSON. A data set's answers are kept as they come: the same command again goes
on where it was cut.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from runners import cli
from runners.predict import chats, media
from runners.predict.asking import answer_rows, generation_options, how, work_option, working
from runners.predict.conversations import Conversation, ask
from runners.predict.dataset import classes_of, loaded, model_options, names, read, row_options, told_parser, write
from runners.predict.predictor import Candidate
from schema.diagnostics import Diagnostic, RecipeError


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0573, R0630 to R0635, R0639, R0693."""
    parser = _parser()
    options = parser.parse_args(argv)
    if (options.data is not None) != (options.to is not None):
        parser.error("--data and --to belong together")
    if (options.image or options.video) and options.question is None:
        parser.error("--image and --video belong to a --question")
    searched = how(options)
    if options.data is None:
        asked = _asked(options)
        _show(loaded(options).answer([asked], **searched)[0], options)
        return 0
    rows = read(options.data)
    options.to.mkdir(parents=True, exist_ok=True)
    with working(options):
        found = answer_rows(loaded(options), rows, names(options.data, rows), options)
        write(options.to / "predictions.jsonl", rows, found, classes_of(options), options.parse, options.returned > 1)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = told_parser("runners.predict", __doc__)
    model_options(parser)
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--data", type=Path, metavar="FILE", help="prepared rows, one a line")
    asked.add_argument("--chat", type=Path, metavar="FILE", help="a list of messages, as JSON")
    asked.add_argument("--question", type=_text, metavar="TEXT")
    parser.add_argument("--image", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--video", type=Path, action="append", default=[], metavar="FILE")
    row_options(parser)
    generation_options(parser)
    work_option(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text")
    return parser


def _text(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("there is no text")
    return text


def _asked(options: argparse.Namespace) -> Conversation:
    """The chat, or the question about pictures. Errors: RecipeError R0634, R0635, before a model is loaded."""
    if options.question is not None:
        asked = ask(options.question, options.image, options.video)
    else:
        try:
            asked = chats.chat(json.loads(options.chat.read_bytes()), str(options.chat))
        except ValueError as error:
            raise RecipeError([Diagnostic("R0635", f"{options.chat} is no JSON: {error}", chats.A_CHAT)]) from error
    media.sizes([asked])
    return asked


def _show(candidates: Sequence[Candidate], options: argparse.Namespace) -> None:
    if options.format == "json":
        print(json.dumps([{"answer": c.answer, "score": c.score} for c in candidates], ensure_ascii=False))
        return
    for candidate in candidates:
        print(f"{candidate.score:.4f}  {candidate.answer}" if len(candidates) > 1 else candidate.answer)


if __name__ == "__main__":
    cli.run(main)
