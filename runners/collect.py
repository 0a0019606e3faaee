"""Gather what an engine wrote into what a stage hands over, the same bytes for the same result.

python -m runners.collect checkpoint --from "$RECIPE_OUT/checkpoints" --to "$RECIPE_OUT/result" --select last
python -m runners.collect model --from "$RECIPE_OUT/merged" --to "$RECIPE_OUT/result"
python -m runners.collect predictions --raw "$RECIPE_OUT/raw.jsonl" --data validation.jsonl --to "$RECIPE_OUT/result"
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runners import answers, cli, curve, scrub
from runners.data.rows import Place
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import read_json, write_atomically, write_json

CHECKPOINT = re.compile(r"checkpoint-(\d+)")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError when the engine's results are not whole."""
    parser = argparse.ArgumentParser(prog="python -m runners.collect", description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("checkpoint", "model"):
        command = commands.add_parser(name)
        command.add_argument("--from", dest="source", type=Path, required=True, metavar="DIR")
        command.add_argument("--to", type=Path, required=True, metavar="DIR")
        if name == "checkpoint":
            command.add_argument("--select", choices=("last", "best"), default="last")
            command.add_argument("--evaluation", type=Path, metavar="FILE", help="for what evaluations measured")
    command = commands.add_parser("predictions")
    command.add_argument("--raw", type=Path, required=True, metavar="FILE", help="what the engine answered")
    command.add_argument("--data", type=Path, required=True, metavar="FILE", help="what it was asked")
    command.add_argument(
        "--classes", type=Path, metavar="FILE", help="class names in the order of their labels, as JSON"
    )
    command.add_argument("--parse", choices=("label", "exact", "none"), default="label")
    command.add_argument("--to", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(argv)
    options.to.mkdir(parents=True, exist_ok=True)
    if options.command == "checkpoint":
        checkpoint(options.source, options.to, options.select, options.evaluation)
    elif options.command == "model":
        model(options.source, options.to)
    else:
        predictions(options.raw, options.data, options.classes, options.parse, options.to)
    return 0


def checkpoint(source: Path, to: Path, select: str, evaluation: Path | None) -> None:
    """Write model/, metrics.json and curves of a training. Errors: RecipeError R0616 when it left no checkpoint."""
    complete = {int(match[1]): path for path in _folders(source) if (match := CHECKPOINT.fullmatch(path.name))}
    states = {step: state for step, path in complete.items() if (state := read_json(path / "trainer_state.json"))}
    if not states:
        raise _unusable(f"there is no complete checkpoint in {source}")
    last = max(states)
    chosen = last if select == "last" else _best(states[last])
    if chosen not in states:
        raise _unusable(f"the best checkpoint, of step {chosen}, is no longer in {source}")
    points = curve.points(states[last]["log_history"])
    scrub.take_over(complete[chosen], to / "model", Path.cwd())
    curve.write(points, to / "curve.csv", evaluation)
    write_json(to / "metrics.json", curve.summary(points, chosen))


def _folders(source: Path) -> list[Path]:
    return [path for path in source.iterdir() if path.is_dir()] if source.is_dir() else []


def _best(state: dict[str, Any]) -> int:
    match = CHECKPOINT.fullmatch(Path(state.get("best_model_checkpoint") or "").name)
    if match is None:
        raise _unusable("the trainer names no best checkpoint: it was never evaluated")
    return int(match[1])


def _unusable(message: str) -> RecipeError:
    help = "see the end of the engine's log; `recipe run --force` trains from the beginning"
    return RecipeError([Diagnostic("R0616", message, help)])


def model(source: Path, to: Path) -> None:
    """Write model/ from a folder that an engine exported. Errors: RecipeError R0616 when it holds no model."""
    if not (source / "config.json").is_file():
        raise _unusable(f"there is no model in {source}")
    scrub.take_over(source, to / "model", Path.cwd())


def predictions(raw: Path, data: Path, classes: Path | None, parse: str, to: Path) -> None:
    """Write predictions.jsonl. Errors: RecipeError when the answers do not belong to the data."""
    names = json.loads(classes.read_bytes()) if classes else []
    lines = answers.predictions(_rows(data), _rows(raw), names, parse)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    write_atomically(to / "predictions.jsonl", text.encode(), durable=False)


def _rows(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        raise RecipeError([Diagnostic("R0615", f"{file} is not there", "see the end of the engine's log")])
    return [_row(line, Place(str(file), number)) for number, line in enumerate(file.read_bytes().splitlines(), 1)]


def _row(line: bytes, place: Place) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise RecipeError([place.refuse("R0615", "this line is no JSON object", "run the stage again with `--force`")])
    return row


if __name__ == "__main__":
    cli.run(main)
