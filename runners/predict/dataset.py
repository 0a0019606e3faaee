"""A data set as questions, and its answers as predictions; the options that programs share who ask and answer it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runners import answers
from runners.data.rows import Place
from runners.predict import conversations
from runners.predict.predictor import Candidate, Predictor
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_atomically


def told_parser(module: str, text: str | None) -> argparse.ArgumentParser:
    """A parser of `python -m MODULE` whose help is the module's docstring: the first paragraph above, the others below."""
    summary, _, more = (text or "").partition("\n\n")
    form = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(prog=f"python -m {module}", description=summary, epilog=more, formatter_class=form)


def model_options(parser: argparse.ArgumentParser) -> None:
    """Options that say which model answers."""
    help = "a model, an adapter, or what a stage handed over"
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help=help)
    parser.add_argument("--adapter", type=Path, metavar="DIR", help="an adapter of this model")
    parser.add_argument("--dtype", default="auto", choices=("auto", "float32", "bfloat16", "float16"))
    parser.add_argument("--attention", choices=("eager", "sdpa", "flash_attention_2", "flash_attention_3"))
    parser.add_argument("--max_pixels", type=int, metavar="N")
    parser.add_argument("--min_pixels", type=int, metavar="N")


def loaded(options: argparse.Namespace) -> Predictor:
    """The model that `model_options` name. Errors: RecipeError R0631, R0639."""
    model, adapter = named(options.model, options.adapter)
    return Predictor(
        model,
        adapter,
        dtype=options.dtype,
        attention=options.attention,
        max_pixels=options.max_pixels,
        min_pixels=options.min_pixels,
    )


def named(model: Path, adapter: Path | None) -> tuple[Path, Path | None]:
    """The folders of the model and its adapter. An adapter that stands for itself says which model it belongs to.

    Errors: RecipeError R0639 when there is no such folder; a name that is none would be looked for on a hub.
    """
    if not (model / "config.json").is_file() and (model / "model").is_dir():  # the folder of a stage
        model = model / "model"
    if adapter is None and (model / "adapter_config.json").is_file():
        config = json.loads((model / "adapter_config.json").read_bytes())
        model, adapter = Path(config["base_model_name_or_path"]), model
    for folder in filter(None, (model, adapter)):
        if not folder.is_dir():
            message = f"there is no folder {folder}" + (
                f", to which {adapter} belongs" if folder == model and adapter else ""
            )
            help = "start in the project's root, and run the stage that hands it over, or `recipe fetch`"
            raise RecipeError([Diagnostic("R0639", message, help)])
    return model, adapter


def row_options(parser: argparse.ArgumentParser) -> None:
    """Options that say what becomes of the answers to a data set, and how long and how free answers are."""
    parser.add_argument("--image_folder", type=Path, default=Path(), metavar="DIR", help="rows' pictures lie below it")
    parser.add_argument("--classes", type=Path, metavar="FILE", help="class names in their order, as JSON")
    parser.add_argument("--parse", choices=("label", "exact", "none"), default="label")
    parser.add_argument("--to", type=Path, metavar="DIR")
    parser.add_argument("--max_new_tokens", type=int, default=64, metavar="N")
    parser.add_argument("--max_length", type=int, metavar="N", help="tokens of a question and its answer")
    parser.add_argument("--temperature", type=float, default=0.0, metavar="T")
    parser.add_argument("--top_p", type=float, default=1.0, metavar="P")
    parser.add_argument("--seed", type=int, default=0, metavar="N")


def read(file: Path) -> list[dict[str, Any]]:
    """The rows of a data set. Errors: RecipeError R0630 with the first line that is none, R0573 when there is no line."""
    rows = []
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not isinstance(row.get("messages"), list):
            message = "this line is no row with `messages`"
            raise RecipeError([Place(str(file), number).refuse("R0630", message, conversations.FITTING)])
        rows.append(row)
    if not rows:
        raise RecipeError([Diagnostic("R0573", f"{file} has no rows", "name a file that has some")])
    return rows


def names(file: Path, rows: Sequence[Any]) -> list[str]:
    """What the rows of a file are called in errors."""
    return [f"row {number} of {file}" for number in range(1, len(rows) + 1)]


def write(
    file: Path,
    rows: Sequence[Any],
    found: Sequence[Sequence[Candidate]],
    classes: Sequence[str],
    parse: str,
    several: bool,
) -> list[dict[str, Any]]:
    """Write predictions in the order of the rows; with `several`, the candidates of each. Returned are the predictions."""
    raw = [row | {"response": candidates[0].answer} for row, candidates in zip(rows, found, strict=True)]
    lines = list(answers.predictions(rows, raw, classes, parse))
    text = ""
    for line, candidates in zip(lines, found, strict=True):
        listed = [{"answer": candidate.answer, "score": candidate.score} for candidate in candidates]
        text += json.dumps({**line, **({"candidates": listed} if several else {})}, ensure_ascii=False) + "\n"
    write_atomically(file, text.encode(), durable=False)
    return lines


def classes_of(options: argparse.Namespace) -> list[str]:
    """The class names of `row_options`, if there are any."""
    return json.loads(options.classes.read_bytes()) if options.classes else []
