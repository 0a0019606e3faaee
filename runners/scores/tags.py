"""Score predictions with any number of classes.

python -m runners.scores.tags --predictions outputs/tags/test/predictions.jsonl --classes outputs/tags/data/classes.json \\
    --thresholds-from outputs/tags/validation/predictions.jsonl --to outputs/tags/scores

A prediction: {"input": {"prompt": "…", "images": ["1.jpg"]}, "label": ["cat"], "answer": ["cat", "dog"],
"scores": {"cat": 0.9, "dog": 0.6, "cow": 0.1}}. A class counts as found from a probability of its own on: 0.5, or what
gives the best F1 on the rows of `--thresholds-from`, which must not be among those that are scored.

Written are metrics.json (flat numbers), report.json (each class, and all metrics at 0.5) and thresholds.json. Accuracy
counts rows whose classes are all right and no other is found. In the averages over samples a row without classes in which
none is found has precision, recall and F1 of 1, and one with classes in which none is found has 0. Macro averages are over
all classes, of which one that no row has and in none is found counts as 0. Average precision is
the area under the steps of the precision-recall curve
(https://scikit-learn.org/stable/modules/model_evaluation.html#multilabel-ranking-metrics, #precision-recall-f-measure-metrics).
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runners import cli
from runners.data.rows import Place
from runners.scores.thresholds import HALF, Table, best, leaks
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
DIGITS = 6
METRICS = ("accuracy", "f1", "precision", "recall", "map")
AVERAGES = ("macro", "micro", "weighted", "samples")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0653 when thresholds leak, R0654 when predictions cannot be scored."""
    parser = argparse.ArgumentParser(
        prog="python -m runners.scores.tags", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--predictions", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--thresholds-from", type=Path, metavar="FILE", help="predictions that thresholds are chosen on"
    )
    parser.add_argument(
        "--classes", type=Path, required=True, metavar="FILE", help="class names in their order, as JSON"
    )
    parser.add_argument("--metrics", nargs="+", choices=METRICS, default=list(METRICS))
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(argv)
    classes = json.loads(options.classes.read_bytes())
    scored = read(options.predictions, classes)
    thresholds = dict.fromkeys(classes, HALF)
    if options.thresholds_from is not None:
        choosing = read(options.thresholds_from, classes)
        leaks(choosing, scored)
        thresholds = best(choosing)
    options.to.mkdir(parents=True, exist_ok=True)
    metrics = metrics_of(scored, thresholds, options.metrics)
    write_json(options.to / "metrics.json", metrics)
    write_json(options.to / "report.json", report_of(scored, thresholds, options.metrics))
    write_json(options.to / "thresholds.json", thresholds)
    print(", ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
    return 0


def read(file: Path, classes: Sequence[str]) -> Table:
    """Predictions as a table. Errors: RecipeError R0654 with the first line that is no such prediction."""
    import numpy

    lines = [
        _prediction(line, Place(str(file), n), classes) for n, line in enumerate(file.read_bytes().splitlines(), 1)
    ]
    if not lines:
        raise RecipeError([Diagnostic("R0654", f"{file} has no predictions", "predict a split that has rows")])
    actual = numpy.array([[name in line["label"] for name in classes] for line in lines], dtype=bool)
    scores = numpy.array([[line["scores"][name] for name in classes] for line in lines], dtype=float)
    return Table(
        str(file), tuple(classes), [json.dumps(line["input"], sort_keys=True) for line in lines], actual, scores
    )


def _prediction(line: bytes, place: Place, classes: Sequence[str]) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise RecipeError([place.refuse("R0654", f"this line is no JSON: {error}", "predict again")]) from error
    help = "predict rows of `task: tag` with a model that was trained with `multi_label: true`"
    if not isinstance(found, dict) or not isinstance(found.get("label"), list):
        raise RecipeError([place.refuse("R0654", "this prediction has no list of classes as its label", help)])
    scores = found["scores"] if isinstance(found.get("scores"), dict) else {}
    missing = [name for name in classes if name not in scores]
    if missing:
        raise RecipeError([place.refuse("R0654", f"this prediction has no probability of `{missing[0]}`", help)])
    broken = [name for name in classes if not isinstance(scores[name], int | float) or not math.isfinite(scores[name])]
    if broken:
        message = f"the probability of `{broken[0]}` is {scores[broken[0]]}"
        raise RecipeError([place.refuse("R0654", message, "see whether the loss of the training stayed a number")])
    strange = sorted(set(found["label"]) - set(classes))
    if strange:
        message = f"the class `{strange[0]}` is none of the {len(classes)} of the prepared data"
        raise RecipeError([place.refuse("R0654", message, "predict and score with the same prepared data")])
    return found


def metrics_of(table: Table, thresholds: Mapping[str, float], wanted: Sequence[str]) -> dict[str, float]:
    """Name → value: accuracy, precision, recall and F1 in all averages, as `f1_samples`, and average precision.

    `map` is the mean over the classes that some row has; without any row of a class there is no curve.
    """
    from sklearn.metrics import precision_recall_fscore_support as measure

    found = _found(table, thresholds)
    metrics: dict[str, float] = {"rows": len(table.actual)}
    if "accuracy" in wanted:
        metrics["accuracy"] = _round((found == table.actual).all(axis=1).mean())
    for average in AVERAGES:
        if average == "samples":
            values = _of_samples(table, found)
        else:
            values = measure(table.actual, found, average=average, zero_division=0.0)
        for name, value in zip(("precision", "recall", "f1"), values, strict=False):
            if name in wanted:
                metrics[f"{name}_{average}"] = _round(value)
    if "map" in wanted:
        curves = [
            (value, rows) for value, rows in zip(_precisions(table), table.actual.sum(axis=0), strict=True) if rows
        ]
        metrics["map"] = _round(sum(value for value, _ in curves) / len(curves)) if curves else 0.0
        total = sum(rows for _, rows in curves)
        metrics["map_weighted"] = _round(sum(value * rows for value, rows in curves) / total) if curves else 0.0
    return dict(sorted(metrics.items()))


def _of_samples(table: Table, found: NDArray[Any]) -> tuple[float, float, float]:
    """Precision, recall and F1 averaged over rows. An empty row that stays empty is right, which no average of
    scikit-learn's tells from one in which nothing is found."""
    import numpy

    right, has, finds = (table.actual & found).sum(axis=1), table.actual.sum(axis=1), found.sum(axis=1)
    empty = (has + finds == 0).astype(float)
    wholes = ((right, finds), (right, has), (2 * right, has + finds))
    precision, recall, f1 = (
        float(numpy.divide(part, whole, out=empty.copy(), where=whole > 0).mean()) for part, whole in wholes
    )
    return precision, recall, f1


def _precisions(table: Table) -> list[float]:
    """The average precision of each class; 0 where no row has it."""
    from sklearn.metrics import average_precision_score

    columns = zip(table.actual.T, table.scores.T, strict=True)
    return [float(average_precision_score(actual, scores)) if actual.any() else 0.0 for actual, scores in columns]


def _found(table: Table, thresholds: Mapping[str, float]) -> NDArray[Any]:
    """Row × class: whether the class counts as found."""
    return table.scores >= [thresholds[name] for name in table.classes]


def report_of(table: Table, thresholds: Mapping[str, float], wanted: Sequence[str]) -> dict[str, Any]:
    """Each class with its scores and threshold, and what all metrics would be at 0.5."""
    from sklearn.metrics import precision_recall_fscore_support as measure

    found = _found(table, thresholds)
    columns = measure(table.actual, found, average=None, zero_division=0.0)
    rows = zip(table.classes, *columns, _precisions(table), found.sum(axis=0), strict=True)
    return {
        "format_version": FORMAT,
        "rows": len(table.actual),
        "at_half": metrics_of(table, dict.fromkeys(table.classes, HALF), wanted),
        "classes": {
            name: {
                "precision": _round(precision),
                "recall": _round(recall),
                "f1": _round(f1),
                "average_precision": _round(area),
                "threshold": thresholds[name],
                "rows": int(count),
                "predicted": int(predicted),
            }
            for name, precision, recall, f1, count, area, predicted in rows
        },
    }


def _round(value: Any) -> float:
    return round(float(value), DIGITS)


if __name__ == "__main__":
    cli.run(main)
