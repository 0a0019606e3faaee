"""Score answers by how well they agree with those of several people.

python -m runners.scores.agreement --predictions outputs/okvqa/answers/predictions.jsonl --to outputs/okvqa/scores

A prediction: {"question_id": 516065, "input": {…}, "answer": "a pony tail", "gold": ["pony tail", "pony", …],
"question_type": "People and Everyday life", "answer_type": "other"}. Written are metrics.json (vqa_accuracy between 0 and 1,
as `runners.vqa` defines it, and counts) and report.json (the same for each type of question and of answer that is told,
and the first answers that nobody gave).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runners import cli
from runners.data.rows import Place
from runners.vqa import agreement, normalized
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_json

FORMAT = 1
DIGITS = 6
METRIC = "vqa_accuracy"
SHOWN = 20  # examples in the report

Prediction = Mapping[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0647 when predictions have no answers to agree with."""
    parser = argparse.ArgumentParser(
        prog="python -m runners.scores.agreement", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--predictions", type=Path, required=True, metavar="FILE")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(argv)
    predictions = read(options.predictions)
    scores = [agreement(prediction["answer"], prediction["gold"]) for prediction in predictions]
    options.to.mkdir(parents=True, exist_ok=True)
    metrics = metrics_of(predictions, scores)
    write_json(options.to / "metrics.json", metrics)
    write_json(options.to / "report.json", report_of(predictions, scores))
    print(", ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
    return 0


def read(file: Path) -> list[dict[str, Any]]:
    """The predictions. Errors: RecipeError R0647 with the first line that is none."""
    lines = file.read_bytes().splitlines()
    if not lines:
        raise RecipeError([Diagnostic("R0647", f"{file} has no predictions", "predict a split that has rows")])
    return [_prediction(line, Place(str(file), number)) for number, line in enumerate(lines, 1)]


def _prediction(line: bytes, place: Place) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise RecipeError([place.refuse("R0647", f"this line is no JSON: {error}", "predict again")]) from error
    gold = found.get("gold") if isinstance(found, dict) else None
    if not isinstance(gold, list) or not gold or not all(isinstance(answer, str) for answer in gold):
        message = "this prediction has no list `gold` of people's answers"
        raise RecipeError([place.refuse("R0647", message, "predict rows of a data set of `kind: okvqa`")])
    if not isinstance(found.get("answer"), str):
        raise RecipeError([place.refuse("R0647", "the answer of this prediction is no text", "predict again")])
    return dict(found)


def metrics_of(predictions: Sequence[Prediction], scores: Sequence[float]) -> dict[str, float]:
    """The mean over all questions, how many there are, and how many got no answer."""
    unanswered = sum(not normalized(prediction["answer"]) for prediction in predictions)
    return {"rows": len(scores), "unanswered": unanswered, METRIC: _mean(scores)}


def report_of(predictions: Sequence[Prediction], scores: Sequence[float]) -> dict[str, Any]:
    """The mean for each type of question and of answer that the data tells, and the first answers nobody gave."""
    wrong = [prediction for prediction, score in zip(predictions, scores, strict=True) if score == 0]
    return {
        "format_version": FORMAT,
        "rows": len(scores),
        METRIC: _mean(scores),
        "question_types": _by_type("question_type", predictions, scores),
        "answer_types": _by_type("answer_type", predictions, scores),
        "wrong": {"count": len(wrong), "first": [_shown(prediction) for prediction in wrong[:SHOWN]]},
    }


def _by_type(key: str, predictions: Sequence[Prediction], scores: Sequence[float]) -> dict[str, dict[str, float]]:
    groups: dict[str, list[float]] = {}
    for prediction, score in zip(predictions, scores, strict=True):
        if prediction.get(key) is not None:
            groups.setdefault(str(prediction[key]), []).append(score)
    return {name: {METRIC: _mean(group), "rows": len(group)} for name, group in sorted(groups.items())}


def _shown(prediction: Prediction) -> dict[str, Any]:
    return {key: prediction[key] for key in ("question_id", "input", "answer", "gold") if key in prediction}


def _mean(scores: Sequence[float]) -> float:
    return round(sum(scores) / len(scores), DIGITS)


if __name__ == "__main__":
    cli.run(main)
