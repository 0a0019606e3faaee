"""OK-VQA: the official files of questions and of annotators' answers, and the COCO pictures that they are about.

{"questions": [{"image_id": 51606, "question": "What is the hairstyle of the blond called?", "question_id": 516065}, …]}
{"question_types": {"one": "Vehicles and Transportation", …},
 "annotations": [{"image_id": 51606, "question_id": 516065, "question_type": "four", "answer_type": "other",
                  "answers": [{"answer_id": 1, "raw_answer": "pony tail", "answer": "pony tail", …}, … ten in all]}, …]}

Files are found by their names (`runners.readers.okvqa_files`). What stands for a question in
messages is its number in the list, counting from 1.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runners.data.rows import Picture, Place, Read, Row, Source
from runners.readers import okvqa_files
from runners.readers.okvqa_files import Files, Pictures
from schema.diagnostics import Diagnostic, RecipeError

SPLITS: Mapping[str, str] = {"train": "train2014", "validation": "val2014"}
"""Split → the part of COCO that it is about, which is part of all names."""
ANNOTATORS = 10
QUESTION = "{question}"


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of one split. A file of entries is its path, relative to the project, with the entries in it."""

    split: str
    coco: str
    questions: tuple[str, list[Any]]
    annotations: tuple[str, list[Any]]
    types: Mapping[str, Any]
    """Code of a type of question → its name."""
    pictures: set[str]
    """The names of the pictures that its questions are about."""


def read(source: Source) -> Read:
    """The rows of both splits. Errors: RecipeError for files that are missing, or hold another number of questions."""
    if source.prompt is not None and QUESTION not in source.prompt:
        message = f"the prompt leaves out the question: there is no `{QUESTION}` in it"
        raise RecipeError([Diagnostic("R0368", message, f"write `{QUESTION}` where the question of a row belongs")])
    there = okvqa_files.files(source)
    parts: list[Part] = []
    wrong: list[Diagnostic] = []
    for split, coco in SPLITS.items():
        try:
            parts.append(_part(source, there, split, coco))
        except RecipeError as error:
            wrong += error.diagnostics
    wrong += [problem for part in parts for problem in _counts(part, source.dataset.get("counts"))]
    if wrong:
        raise RecipeError(wrong)
    pictures = there.pictures({name for part in parts for name in part.pictures})
    found = [one for part in parts for one in _rows(part, source, pictures)]
    rows = tuple(one for one in found if isinstance(one, Row))
    return Read(rows, tuple(one for one in found if isinstance(one, Diagnostic)))


def _part(source: Source, there: Files, split: str, coco: str) -> Part:
    questions = _entries(there, okvqa_files.QUESTIONS.format(coco), "questions")
    annotations = _entries(there, okvqa_files.ANNOTATIONS.format(coco), "annotations")
    types = annotations[1].get("question_types")
    asked = {entry.get("image_id") for entry in questions[1]["questions"] if isinstance(entry, dict)}
    return Part(
        split,
        coco,
        (questions[0], questions[1]["questions"]),
        (annotations[0], annotations[1]["annotations"]),
        types if isinstance(types, dict) else {},
        {okvqa_files.picture(coco, image) for image in asked if isinstance(image, int)},
    )


def _entries(there: Files, name: str, key: str) -> tuple[str, dict[str, Any]]:
    """A file by its name, and what it holds. Errors: RecipeError R0640 when it is not one file with a list `key`."""
    shown, content = there.document(name)
    try:
        value = json.loads(content)
    except ValueError as error:
        problem = Place(shown).refuse("R0640", f"the file is no JSON: {error}", "download it again")
        raise RecipeError([problem]) from error
    if not isinstance(value, dict) or not isinstance(value.get(key), list):
        raise RecipeError([Place(shown).refuse("R0640", f"the file has no list `{key}`", "take the official file")])
    return shown, value


def _counts(part: Part, expected: Mapping[str, int] | None) -> Iterator[Diagnostic]:
    """R0641: both files have as many entries as the recipe says."""
    wanted = expected[part.split] if expected else None
    for (file, entries), what in ((part.questions, "questions"), (part.annotations, "annotations")):
        if wanted is not None and len(entries) != wanted:
            message = f"the file has {len(entries)} {what}, and {part.split} has {wanted}"
            help = f"take the whole file, or write `counts: {{{part.split}: {len(entries)}}}`, or `counts: null`"
            yield Place(file).refuse("R0641", message, help)


def _rows(part: Part, source: Source, pictures: Pictures) -> Iterator[Row | Diagnostic]:
    """A row or what is wrong, for each question; and for each annotation that belongs to none."""
    file, entries = part.annotations
    annotated: dict[Any, tuple[int, Mapping[str, Any]]] = {}
    for number, entry in enumerate(entries, 1):
        problem = _malformed(entry, ("question_id", "image_id"), Place(file, number))
        if problem is None and entry["question_id"] in annotated:
            problem = _twice(Place(file, number), entry["question_id"], annotated[entry["question_id"]][0])
        if problem is not None:
            yield problem
            continue
        annotated[entry["question_id"]] = (number, entry)
    asked: dict[Any, int] = {}
    for number, entry in enumerate(part.questions[1], 1):
        yield _row(part, source, pictures, number, entry, asked, annotated)
    for id, (number, _) in annotated.items():
        if id not in asked:
            message = f"the annotation has the question_id {id}, which no question has"
            yield Place(file, number).refuse("R0643", message, f"it belongs into the other split, or {_SKIP}")


_SKIP = "write `on_bad: skip`"


def _malformed(entry: Any, needed: Sequence[str], place: Place) -> Diagnostic | None:
    lacking = next((key for key in needed if not isinstance(entry, dict) or entry.get(key) in (None, "")), None)
    texts = isinstance(entry.get("question", ""), str) if lacking is None else False
    if texts and isinstance(entry["image_id"], int) and isinstance(entry["question_id"], int | str):
        return None
    what = f"has no `{lacking}`" if lacking else "has a number that is none, or a question that is no text"
    return place.refuse("R0646", f"entry {place.line} of the list {what}", f"take the official file, or {_SKIP}")


def _twice(place: Place, id: Any, first: int) -> Diagnostic:
    message = f"entries {first} and {place.line} of the list have the same question_id {id}"
    return place.refuse("R0645", message, f"remove one of them, or {_SKIP}")


def _row(
    part: Part,
    source: Source,
    pictures: Pictures,
    number: int,
    entry: Any,
    asked: dict[Any, int],
    annotated: Mapping[Any, tuple[int, Mapping[str, Any]]],
) -> Row | Diagnostic:
    place = Place(part.questions[0], number)
    if (problem := _malformed(entry, ("question_id", "image_id", "question"), place)) is not None:
        return problem
    id = entry["question_id"]
    if id in asked:
        return _twice(place, id, asked[id])
    asked[id] = number
    if id not in annotated:
        return place.refuse("R0643", f"question {id} has no annotation", f"take both official files, or {_SKIP}")
    where, annotation = annotated[id]
    answers = _answers(annotation, source.dataset.get("answers", "answer"), Place(part.annotations[0], where))
    if isinstance(answers, Diagnostic):
        return answers
    picture = _picture(part, pictures, entry["image_id"], annotation["image_id"], place)
    if isinstance(picture, Diagnostic):
        return picture
    return Row(
        place,
        source.asks(_question(source, entry["question"]), None, 1),
        {"role": "assistant", "content": _commonest(answers)},
        (picture,),
        split=part.split,
        more={
            "question_id": id,
            "question_text": entry["question"].strip(),
            "answers": answers,
            **_types(part, annotation),
        },
    )


def _question(source: Source, question: str) -> str:
    return (source.prompt or QUESTION).replace(QUESTION, question.strip())


def _answers(annotation: Mapping[str, Any], form: str, place: Place) -> list[str] | Diagnostic:
    """What the annotators answered. R0644 where that is not ten texts."""
    given = annotation.get("answers")
    texts = [answer.get(form) for answer in given if isinstance(answer, dict)] if isinstance(given, list) else []
    whole = [text.strip() for text in texts if isinstance(text, str) and text.strip()]
    if len(whole) == ANNOTATORS and isinstance(given, list) and len(given) == ANNOTATORS:
        return whole
    message = f"question {annotation['question_id']} has {len(whole)} texts `{form}`, and {ANNOTATORS} people answered"
    return place.refuse("R0644", message, f"take the official file, or {_SKIP}")


def _commonest(answers: Sequence[str]) -> str:
    """The answer that most gave; between equals, the one that stands first."""
    return Counter(answers).most_common(1)[0][0]


def _picture(part: Part, pictures: Pictures, image: int, annotated: Any, place: Place) -> Picture | Diagnostic:
    if annotated != image:
        message = f"the question is about image {image}, and its annotation about image {annotated}"
        return place.refuse("R0643", message, f"take both official files, or {_SKIP}")
    found = pictures(okvqa_files.picture(part.coco, image))
    if isinstance(found, Picture):
        return found
    return place.refuse("R0642", found, f"put COCO's {part.coco} pictures there, at any depth, or {_SKIP}")


def _types(part: Part, annotation: Mapping[str, Any]) -> dict[str, str]:
    """The types of question and answer, where they are told; that of a question by its name, where the file has names."""
    kind, answer = annotation.get("question_type"), annotation.get("answer_type")
    found = {"question_type": str(part.types.get(kind, kind))} if kind is not None else {}
    return found | ({"answer_type": str(answer)} if answer is not None else {})
