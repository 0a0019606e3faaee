"""Ask a model the same about every picture in a folder, and lay the answers out on a page to look at.

python -m runners.predict.folder holiday/ --model outputs/animals-lora/train \\
    --prompt "What animal is in the picture?" --to outputs/holiday

Written are predictions.jsonl, as for a data set but without labels, and contact-sheet.html, which needs no other file. A
picture that cannot be read is named and left out. Answers are kept as they come: the same command again goes on where it
was cut, also when there are more pictures by then.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from runners import cli
from runners.data.rows import IMAGE_TAG
from runners.predict.asking import answer_rows, generation_options, how, work_option, working
from runners.predict.dataset import classes_of, loaded, model_options, row_options, told_parser, write
from runners.predict.predictor import Candidate
from runners.predict.sheet import Card, page, thumbnail
from runners.readers.image_folder import SUFFIXES
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_atomically

PAGE = "contact-sheet.html"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0637 for a folder without a picture, and those of `Predictor`."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.to is None:
        parser.error("the following arguments are required: --to")
    how(options)
    options.image_folder = options.folder
    shown, bad = readable(options.folder)
    for name, why in bad:
        print(f"{name} is left out: {why}", file=sys.stderr)
    if not shown:
        what = f"none of its {len(bad)} pictures can be read" if bad else f"it has no {', '.join(sorted(SUFFIXES))}"
        raise RecipeError([Diagnostic("R0637", f"{options.folder} has no pictures: {what}", "name another folder")])
    rows = [_row(options.prompt, options.system, name) for name in shown]
    options.to.mkdir(parents=True, exist_ok=True)
    classes = classes_of(options)
    with working(options):
        found = answer_rows(loaded(options), rows, list(shown), options)
        lines = write(options.to / "predictions.jsonl", rows, found, classes, options.parse, options.returned > 1)
        cards = [_card(*parts) for parts in zip(shown.items(), lines, found, strict=True)]
        write_atomically(options.to / PAGE, page(options.prompt, cards, bad).encode(), durable=False)
    print(f"{len(shown)} pictures answered, {len(bad)} left out: {options.to / PAGE}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = told_parser("runners.predict.folder", __doc__)
    parser.add_argument("folder", type=_folder, metavar="FOLDER", help="pictures, and folders of pictures")
    parser.add_argument("--prompt", required=True, metavar="TEXT", help="what is asked about each picture")
    parser.add_argument("--system", metavar="TEXT", help="what the model is told before")
    model_options(parser)
    row_options(parser)
    generation_options(parser)
    work_option(parser)
    return parser


def _folder(text: str) -> Path:
    if not (path := Path(text)).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return path


def readable(folder: Path) -> tuple[dict[str, bytes], list[tuple[str, str]]]:
    """The thumbnails of all readable pictures below a folder by their paths in it, and the others with the reason."""
    good, bad = {}, []
    for name in sorted(_names(folder)):
        if not name.isprintable():  # bytes that are no text, or characters that no page can show
            bad.append((ascii(name), "its name cannot be written"))
            continue
        try:
            good[name] = thumbnail(folder / name)
        except Exception as error:  # decoders fail in many ways, and each means that no model can see it
            bad.append((name, _reason(error)))
    return good, bad


def _names(folder: Path) -> Iterator[str]:
    for place, _, files in os.walk(folder):
        for file in files:
            if Path(file).suffix.lower() in SUFFIXES and not file.startswith("."):
                yield (Path(place) / file).relative_to(folder).as_posix()


def _reason(error: Exception) -> str:
    if type(error).__name__ == "UnidentifiedImageError":
        return "it is no picture of a known format"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _row(prompt: str, system: str | None, name: str) -> dict[str, Any]:
    """The question about one picture, as `prepare` writes it; the picture comes first unless the prompt says where."""
    asked = prompt if IMAGE_TAG in prompt else IMAGE_TAG + prompt
    told = [{"role": "system", "content": system}] if system else []
    return {"messages": [*told, {"role": "user", "content": asked}], "images": [name], "label": None}


def _card(picture: tuple[str, bytes], line: dict[str, Any], candidates: Sequence[Candidate]) -> Card:
    name, small = picture
    best, *others = candidates
    return Card(name, small, str(line["answer"]), line["parsed"], best.score, [other.answer for other in others])


if __name__ == "__main__":
    cli.run(main)
