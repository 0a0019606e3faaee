"""Score predictions.

python -m runners.evaluate --predictions outputs/quickstart/answers/predictions.jsonl --to outputs/quickstart/scores

Written are metrics.json (flat numbers between 0 and 1, and counts), report.json (each class, and the answers in which
no class was found) and confusion.csv (actual and predicted class, one line for each prediction). An answer without a
class is wrong: it lowers accuracy and recall. Averages over classes: macro weighs classes equally, weighted by their
rows, micro counts all rows together; a class that is neither a label nor an answer is in none of them (https://scikit-learn.org/stable/modules/model_evaluation.html).
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runners import cli
from runners.data.rows import Place
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_atomically, write_json

FORMAT = 1
DIGITS = 6
METRICS = ("accuracy", "f1", "precision", "recall")
AVERAGES = ("macro", "micro", "weighted")
UNPARSED = "(none)"
"""Stands for the class of an answer in which no class was found."""
SHOWN = 20  # examples in the report


@dataclass(frozen=True, slots=True)
class Scored:
    """Actual and predicted classes of all rows; a predicted class is UNPARSED or may be none of `classes`."""

    classes: tuple[str, ...]
    actual: tuple[str, ...]
    predicted: tuple[str, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0617 when the predictions cannot be scored."""
    parser = argparse.ArgumentParser(prog="python -m runners.evaluate", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--predictions", type=Path, required=True, metavar="FILE")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    parser.add_argument("--metrics", nargs="+", choices=METRICS, default=list(METRICS))
    parser.add_argument("--classes", type=Path, metavar="FILE", help="class names in their order, as JSON")
    options = parser.parse_args(argv)
    named = json.loads(options.classes.read_bytes()) if options.classes else []
    predictions = _read(options.predictions)
    scored = scores_of(predictions, named)
    options.to.mkdir(parents=True, exist_ok=True)
    metrics = metrics_of(scored, options.metrics)
    write_json(options.to / "metrics.json", metrics)
    write_json(options.to / "report.json", report_of(scored, predictions))
    write_atomically(options.to / "confusion.csv", confusion_of(scored).encode(), durable=False)
    print(", ".join(f"{name} {value:.4g}" for name, value in metrics.items() if "_" not in name))
    return 0


def _read(file: Path) -> list[dict[str, Any]]:
    lines = file.read_bytes().splitlines()
    predictions = [_prediction(line, Place(str(file), number)) for number, line in enumerate(lines, 1)]
    if not predictions:
        raise RecipeError([Diagnostic("R0617", f"{file} has no predictions", "predict a split that has rows")])
    return predictions


def _prediction(line: bytes, place: Place) -> dict[str, Any]:
    try:
        prediction = json.loads(line)
    except ValueError as error:
        raise RecipeError([place.refuse("R0617", f"this line is no JSON: {error}", "predict again")]) from error
    if not isinstance(prediction, dict) or not isinstance(prediction.get("label"), str):
        raise RecipeError([place.refuse("R0617", "this prediction has no label", "predict rows that have labels")])
    return prediction


def scores_of(predictions: Sequence[Mapping[str, Any]], named: Sequence[str]) -> Scored:
    """The classes of predictions; without names, the labels that occur. Errors: RecipeError R0617 for other labels."""
    actual = tuple(str(prediction["label"]) for prediction in predictions)
    predicted = tuple(prediction.get("parsed") or UNPARSED for prediction in predictions)
    classes = tuple(named) or tuple(sorted(set(actual)))
    strange = sorted(set(actual) - set(classes))
    if strange:
        message = f"the label `{strange[0][:80]}` is none of the {len(classes)} classes"
        raise RecipeError([Diagnostic("R0617", message, "predict and score with the same prepared data")])
    return Scored(classes, actual, predicted)


def metrics_of(scored: Scored, wanted: Sequence[str]) -> dict[str, float]:
    """Name → value: accuracy, and each other metric in all averages, as `f1_macro`."""
    from sklearn.metrics import precision_recall_fscore_support as measure

    metrics: dict[str, float] = {"rows": len(scored.actual), "unparsed": scored.predicted.count(UNPARSED)}
    if "accuracy" in wanted:
        right = sum(a == p for a, p in zip(scored.actual, scored.predicted, strict=True))
        metrics["accuracy"] = round(right / len(scored.actual), DIGITS)
    seen = {*scored.actual, *scored.predicted}
    occurring = [name for name in scored.classes if name in seen]
    for average in AVERAGES:
        values = measure(scored.actual, scored.predicted, labels=occurring, average=average, zero_division=0.0)
        for name, value in zip(("precision", "recall", "f1"), values, strict=False):
            if name in wanted:
                metrics[f"{name}_{average}"] = round(float(value), DIGITS)
    return dict(sorted(metrics.items()))


def report_of(scored: Scored, predictions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Each class with its scores, and the answers in which no class was found."""
    from sklearn.metrics import precision_recall_fscore_support as measure

    columns = measure(scored.actual, scored.predicted, labels=scored.classes, average=None, zero_division=0.0)
    names = Counter(scored.predicted)
    unparsed = [p for p, predicted in zip(predictions, scored.predicted, strict=True) if predicted == UNPARSED]
    return {
        "format_version": FORMAT,
        "rows": len(scored.actual),
        "classes": {
            name: {
                "precision": round(float(precision), DIGITS),
                "recall": round(float(recall), DIGITS),
                "f1": round(float(f1), DIGITS),
                "rows": int(rows),
                "predicted": names[name],
            }
            for name, precision, recall, f1, rows in zip(scored.classes, *columns, strict=True)
        },
        "unparsed": {"count": len(unparsed), "first": unparsed[:SHOWN]},
        "other_answers": sum(count for name, count in names.items() if name not in (*scored.classes, UNPARSED)),
    }


def confusion_of(scored: Scored) -> str:
    """Actual and predicted class of each row, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("actual", "predicted"))
    writer.writerows(zip(scored.actual, scored.predicted, strict=True))
    return text.getvalue()


if __name__ == "__main__":
    cli.run(main)
