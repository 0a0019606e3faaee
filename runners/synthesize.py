"""Rows to learn from, made of a model's own answers: it writes how each follows from the picture, and what holds is kept.

python -m runners.synthesize --model DIR --predictions predictions.jsonl --data train.jsonl --config paths.synthesize.json \\
  --held_out validation.jsonl --to DIR

Written are train.jsonl (the new rows), paths.jsonl (every path with what became of it) and report.json (counts and
examples). Which paths hold is decided in `runners.relation_paths`, without the model.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runners import cli, relation_paths
from runners.data import pictures
from runners.data.rows import IMAGE_TAG, Place
from runners.predict import conversations, media
from runners.predict.asking import answer_kept, work_option
from runners.predict.dataset import loaded, model_options
from runners.predict.kept import Kept
from runners.relation_paths import Judged, Written
from runners.vqa import normalized
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_atomically, write_json

FORMAT = 1
SHOWN = 5
"""Paths of each fate in the report, and refused rows in an error."""

Row = Mapping[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0573, R0690 to R0692, R0694, and those of `Predictor`."""
    options = _parse(argv)
    config = json.loads(options.config.read_bytes())
    rows = _by_question(options.data, "answers")
    candidates = _by_question(options.predictions, "candidates")
    compared = {}
    if options.held_out is not None:
        held_out = _read(options.held_out, "question_id", "messages")
        compared = {"held_out": apart(rows, held_out, options)}
    asked = list(_asked(rows, candidates, config["prompt"]))
    if not asked:
        message = f"{options.predictions} has no answer to a question of {options.data}"
        raise RecipeError([Diagnostic("R0694", message, "predict the rows of `data`, with `returned: 2` or more")])
    texts = _written(options, config, asked)
    written = [
        Written(question, answer, score, text) for (question, answer, score, _), text in zip(asked, texts, strict=True)
    ]
    gold = {question: row["answers"] for question, row in rows.items()}
    judged = relation_paths.judge(
        written, gold, per_question=config["per_question"], max_relations=config["max_relations"]
    )
    new = [_lesson(rows[path.written.question], path, config) for path in judged if path.reason == "kept"]
    options.to.mkdir(parents=True, exist_ok=True)
    report = report_of(judged, rows) | compared
    write_json(options.to / "report.json", report)
    _write_lines(options.to / "paths.jsonl", map(_told, judged))
    if not new:
        print(json.dumps(report["first"], indent=1, ensure_ascii=False))
        listed = ", ".join(f"{reason} {count}" for reason, count in report["paths"].items() if count)
        help = "the first of each are above; change `prompt`, or train the model on a few paths first"
        raise RecipeError([Diagnostic("R0692", f"none of {len(judged)} paths holds: {listed}", help)])
    _write_lines(options.to / "train.jsonl", new)
    print(", ".join(f"{reason} {count}" for reason, count in report["paths"].items()))
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m runners.synthesize", description=(__doc__ or "").partition("\n")[0]
    )
    model_options(parser)
    parser.add_argument("--predictions", type=Path, required=True, metavar="FILE", help="several answers to each row")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="the rows that were answered")
    parser.add_argument("--image_folder", type=Path, default=Path(), metavar="DIR", help="rows' pictures lie below it")
    parser.add_argument("--held_out", type=Path, metavar="FILE", help="rows whose questions may not be among them")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="templates and limits, as JSON")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    work_option(parser)
    return parser.parse_args(argv)


def _written(
    options: argparse.Namespace, config: Mapping[str, Any], asked: Sequence[tuple[str, str, float, Row]]
) -> list[str]:
    """What the model writes for each answer."""
    names = [f"question {question}" for question, *_ in asked]
    told = conversations.of_rows([row for *_, row in asked], names, options.image_folder)
    how = {"max_new_tokens": config["max_new_tokens"]}
    kept = Kept(options.work, told, {**vars(options), **how})
    found = answer_kept(loaded(options), told, names, kept, batch=config["batch"], **how)
    return [candidates[0].answer for candidates in found]


def _read(file: Path, *fields: str) -> list[Row]:
    """The rows of a file. Errors: RecipeError R0690 with those that lack one of these fields, R0573 when there are none."""
    rows = [json.loads(line) for line in file.read_bytes().splitlines()]
    if not rows:
        raise RecipeError([Diagnostic("R0573", f"{file} has no rows", "name a file that has some")])
    refused = [
        Place(str(file), number).refuse("R0690", f"this row has no `{field}`", "prepare a data set of `kind: okvqa`")
        for number, row in enumerate(rows, 1)
        for field in fields
        if field not in row
    ]
    if refused:
        raise RecipeError(refused[:SHOWN])
    return rows


def _by_question(file: Path, field: str) -> dict[str, Row]:
    """The rows of a file by their questions. Errors: RecipeError R0690, also for a question that comes twice."""
    found: dict[str, Row] = {}
    for number, row in enumerate(_read(file, "question_id", field), 1):
        if _id(row) in found:
            help = "give each question a `question_id` of its own"
            raise RecipeError([Place(str(file), number).refuse("R0690", f"question {_id(row)} came before", help)])
        found[_id(row)] = row
    return found


def _id(row: Row) -> str:
    return str(row["question_id"])


def apart(rows: Mapping[str, Row], held_out: Sequence[Row], options: argparse.Namespace) -> dict[str, int]:
    """How many rows were compared with those that are held out, and how closely.

    Errors: RecipeError R0691 when a question is learnt from and held out, under whatever number: one that has the same
    text, but for capitals, articles and punctuation, and the same pictures, pixel for pixel.
    """
    texts = {normalized(_question(row)) for row in held_out} & {normalized(_question(row)) for row in rows.values()}
    contents = _Contents(options.image_folder)
    learnt = {contents.of(row): number for number, row in rows.items() if normalized(_question(row)) in texts}
    both = []
    for row in held_out:
        same = _id(row) if _id(row) in rows else None
        if same is None and normalized(_question(row)) in texts:
            same = learnt.get(contents.of(row))
        if same is not None:
            both.append(same if same == _id(row) else f"{same}, there under the number {_id(row)}")
    if both:
        count = f"{len(both)} questions stand" if len(both) > 1 else "1 question stands"
        message = f"{count} in {options.data} and in {options.held_out}, the first is {both[0]}"
        raise RecipeError([Diagnostic("R0691", message, "split the data so that each question is in one of them")])
    return {"rows": len(held_out), "same_texts": len(texts), "pictures_compared": len(contents.digests), "in_both": 0}


class _Contents:
    """What tells questions apart beside their numbers; each picture is decoded once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.digests: dict[str, str] = {}

    def of(self, row: Row) -> tuple[str, ...]:
        return (normalized(_question(row)), *map(self._digest, row.get("images") or ()))

    def _digest(self, picture: str) -> str:
        if picture not in self.digests:
            try:
                self.digests[picture] = pictures.fingerprint(self.folder / picture)
            except Exception as error:  # decoders fail in many ways
                raise RecipeError([media.unreadable(str(self.folder / picture), "picture", error)]) from error
        return self.digests[picture]


def _asked(
    rows: Mapping[str, Row], predictions: Mapping[str, Row], prompt: str
) -> Iterator[tuple[str, str, float, Row]]:
    """Question, answer, score and a row that asks for the path, for each different answer to each row."""
    for question, row in rows.items():
        seen: set[str] = set()
        for candidate in predictions[question]["candidates"] if question in predictions else ():
            answer = candidate["answer"].strip()
            if answer and answer.casefold() not in seen:
                seen.add(answer.casefold())
                text = _filled(prompt, question=_question(row), answer=answer)
                yield question, answer, candidate["score"], _about(row, text)


def _question(row: Row) -> str:
    """What is asked: the question alone where the row has it, else all that its user says without the places of pictures."""
    if "question_text" in row:
        return str(row["question_text"])
    users = [message["content"] for message in row["messages"] if message["role"] == "user"]
    return str(users[-1]).replace(IMAGE_TAG, "").strip()


def _filled(template: str, **values: str) -> str:
    """The template with `{name}` replaced, once for each place: values that look like places stay as they are."""
    pieces = template
    marks = {name: f"\0{number}\0" for number, name in enumerate(values)}
    for name, mark in marks.items():
        pieces = pieces.replace(f"{{{name}}}", mark)
    for name, mark in marks.items():
        pieces = pieces.replace(mark, values[name])
    return pieces


def _about(row: Row, text: str) -> dict[str, Any]:
    """A row that asks something else about the same pictures, after the same system message."""
    images = row.get("images") or []
    system = [dict(message) for message in row["messages"] if message["role"] == "system"]
    return {"messages": [*system, {"role": "user", "content": IMAGE_TAG * len(images) + text}], "images": images}


def _lesson(row: Row, path: Judged, config: Mapping[str, Any]) -> dict[str, Any]:
    """A row that teaches a path."""
    answer = path.path.rpartition(" -> ")[2]
    question = _question(row)
    lesson = _about(row, _filled(config["ask"], question=question))
    taught = _filled(config["teach"], path=path.path, answer=answer, question=question)
    lesson["messages"].append({"role": "assistant", "content": taught})
    return lesson | {"question_id": row["question_id"]}


def _told(path: Judged) -> dict[str, Any]:
    written = path.written
    about = {"question_id": written.question, "answer": written.answer, "score": written.score}
    return about | {"text": written.text, "path": path.path, "outcome": path.reason}


def report_of(judged: Sequence[Judged], rows: Mapping[str, Row]) -> dict[str, Any]:
    """What became of the paths: how many of each fate with the meaning of its name, the first ones, and who has any."""
    first: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in judged:
        if len(first[path.reason]) < SHOWN:
            first[path.reason].append(_told(path))
    return {
        "format_version": FORMAT,
        "questions": len(rows),
        "questions_with_paths": len({path.written.question for path in judged if path.reason == "kept"}),
        "paths": relation_paths.counts(judged),
        "meaning": dict(relation_paths.REASONS),
        "first": dict(first),
    }


def _write_lines(file: Path, rows: Iterator[Row] | Sequence[Row]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_atomically(file, text.encode(), durable=False)


if __name__ == "__main__":
    cli.run(main)
