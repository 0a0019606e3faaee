"""Score what a student found in pictures: python -m runners.distill.score --predictions FILE --classes FILE --to DIR

Boxes: mean average precision at an overlap of one half, and over ten overlaps (COCO, by torchmetrics and pycocotools).
Pixels: mean intersection over union, and mean Dice, of the classes that occur. Written are metrics.json and report.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runners import cli
from runners.data.rows import Place
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_json

FORMAT = 1
DIGITS = 6

Line = Mapping[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0683 when these are no predictions of boxes or pixels."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--predictions", type=Path, required=True, metavar="FILE")
    parser.add_argument("--classes", type=Path, required=True, metavar="FILE")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(argv)
    lines = _read(options.predictions)
    classes = json.loads(options.classes.read_bytes())
    metrics, each = (of_pixels if "counts" in lines[0] else of_boxes)(lines, classes)
    metrics = {"rows": len(lines), **metrics}
    options.to.mkdir(parents=True, exist_ok=True)
    write_json(options.to / "metrics.json", metrics)
    write_json(options.to / "report.json", {"format_version": FORMAT, "rows": len(lines), "classes": each})
    print(", ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
    return 0


def _read(file: Path) -> list[Line]:
    lines = [json.loads(line) for line in file.read_bytes().splitlines()]
    for number, line in enumerate(lines, 1):
        if "counts" not in line and not isinstance(line.get("scores"), list):
            message = "this is no prediction of boxes or pixels"
            raise RecipeError([Place(str(file), number).refuse("R0683", message, "predict with such a student")])
    if not lines:
        raise RecipeError([Diagnostic("R0683", f"{file} has no predictions", "predict a split that has rows")])
    return lines


def of_boxes(lines: Sequence[Line], classes: Sequence[str]) -> tuple[dict[str, float], dict[str, Any]]:
    """The scores, and the average precision of each class; null where there is nothing of it to find."""
    from runners.distill.tasks.detection import precision

    numbers = {name: number for number, name in enumerate(classes)}
    found = [_things(line["scores"], numbers) for line in lines]
    wanted = [_things(line["label"], numbers) for line in lines]
    metrics, by_class = precision(found, wanted)
    each = {
        name: {
            "map50_95": by_class.get(number),
            "wanted": sum(things["labels"].count(number) for things in wanted),
            "found": sum(things["labels"].count(number) for things in found),
        }
        for name, number in numbers.items()
    }
    return metrics, each


def _things(things: Sequence[Line], numbers: Mapping[str, int]) -> dict[str, list[Any]]:
    return {
        "boxes": [thing["box"] for thing in things],
        "labels": [numbers[thing["class"]] for thing in things],
        "scores": [thing.get("score", 1.0) for thing in things],
    }


def of_pixels(lines: Sequence[Line], classes: Sequence[str]) -> tuple[dict[str, float], dict[str, Any]]:
    """The scores, and those of each class; null where it does not occur."""
    size = range(len(classes))
    counts = [[sum(line["counts"][i][j] for line in lines) for j in size] for i in size]
    each: dict[str, Any] = {}
    for i, name in enumerate(classes):
        common, wanted, said = counts[i][i], sum(counts[i]), sum(row[i] for row in counts)
        present = wanted + said > 0
        each[name] = {
            "iou": round(common / (wanted + said - common), DIGITS) if present else None,
            "dice": round(2 * common / (wanted + said), DIGITS) if present else None,
            "wanted": wanted,
            "found": said,
        }
    return {"miou": _mean(each, "iou"), "dice": _mean(each, "dice")}, each


def _mean(each: Mapping[str, Line], name: str) -> float:
    values = [one[name] for one in each.values() if one[name] is not None]
    mean: float = sum(values) / max(len(values), 1)
    return round(mean, DIGITS)


if __name__ == "__main__":
    cli.run(main)
