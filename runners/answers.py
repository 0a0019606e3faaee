"""From what an engine answered to predictions.

swift infer writes, for generated text and for a classification head:
{"response": "It is a cat.", "labels": "cat", "messages": […], "images": [{"bytes": null, "path": "1.jpg"}], …}
{"response": 4, "labels": 4, "logprobs": {"content": [{"top_logprobs": [{"index": 4, "logprob": -0.01}, …]}]}, …}
{"response": [0, 4], "labels": [4], "logprobs": …}           with any number of classes, each with a probability of its own
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from runners.data.rows import IMAGE_TAG
from schema.diagnostics import Diagnostic, RecipeError

DIGITS = 6

Parse = Callable[[str], str | None]


def parser(how: str, classes: Sequence[str]) -> Parse:
    """How an answer becomes a class: `label` looks for a class name, `exact` takes it whole, `none` leaves it."""
    if how == "exact":
        return str.strip
    if how == "none" or not classes:
        return lambda answer: None
    by_name = {name.casefold(): name for name in classes}
    # Longer names first: "big cat" is not also "cat".
    names = "|".join(re.escape(name) for name in sorted(by_name, key=lambda name: (-len(name), name)))
    words = re.compile(rf"(?<!\w)(?:{names})(?!\w)")
    return lambda answer: _label(answer.strip().casefold(), by_name, words)


def _label(answer: str, by_name: Mapping[str, str], words: re.Pattern[str]) -> str | None:
    """The class that an answer is, or the only one that it names."""
    if answer in by_name:
        return by_name[answer]
    named = set(words.findall(answer))
    return by_name[named.pop()] if len(named) == 1 else None


def predictions(
    data: Sequence[Mapping[str, Any]], raw: Sequence[Mapping[str, Any]], classes: Sequence[str], how: str
) -> Iterator[dict[str, Any]]:
    """A prediction for each row of the data, in its order. Errors: RecipeError R0615 when they do not fit."""
    parse = parser(how, classes)
    try:
        for row, answered in zip(data, _matched(data, raw), strict=True):
            yield _prediction(row, answered, classes, parse)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise _mismatch(f"an answer has another form than this version of the engine writes: {error!r}") from error


def _matched(data: Sequence[Mapping[str, Any]], raw: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The answer to each row: several processes answer in another order."""
    if len(data) != len(raw):
        raise _mismatch(f"the data has {len(data)} rows and the engine gave {len(raw)} answers")
    waiting: defaultdict[str, deque[Mapping[str, Any]]] = defaultdict(deque)
    for answered in raw:
        waiting[_key(answered)].append(answered)
    matched = []
    for number, row in enumerate(data, 1):
        if not (answers := waiting[_key(row)]):
            raise _mismatch(f"row {number} of the data has no answer, and another row has one too many")
        matched.append(answers.popleft())
    return matched


def _mismatch(message: str) -> RecipeError:
    help = "the engine left rows out or added to an older file: see its log, then run the stage again with `--force`"
    return RecipeError([Diagnostic("R0615", message, help)])


def _key(row: Mapping[str, Any]) -> str:
    """What the model was asked, in a form that data and answers share."""
    asked = [message["content"] for message in row["messages"] if message["role"] == "user"]
    return json.dumps([asked, list(_images(row))])


def _images(row: Mapping[str, Any]) -> Iterable[str]:
    for image in row.get("images") or ():
        yield image["path"] if isinstance(image, dict) else image


def _prediction(
    row: Mapping[str, Any], answered: Mapping[str, Any], classes: Sequence[str], parse: Parse
) -> dict[str, Any]:
    response = answered["response"]
    users = [message["content"] for message in row["messages"] if message["role"] == "user"]
    shown = {"prompt": _said(users[-1]).replace(IMAGE_TAG, ""), "images": list(_images(row))}
    if isinstance(response, list):
        return {"input": shown, **_tags(row["label"], answered, classes)}
    if isinstance(response, int):
        name = _name(response, classes)
        scores = _scores(answered.get("logprobs"), classes)
        return {"input": shown, "label": _name(row["label"], classes), "answer": name, "parsed": name, **scores}
    last = row["messages"][-1]
    label = last["content"] if last["role"] == "assistant" else None
    return {"input": shown, "label": label, "answer": response, "parsed": parse(str(response)), **_kept(row)}


def _said(content: str | Sequence[Mapping[str, Any]]) -> str:
    """The text of a message, whose content may be parts."""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _kept(row: Mapping[str, Any]) -> dict[str, Any]:
    """What rows of visual questions bring for scores: the question's number and types, and several people's answers."""
    found = {key: row[key] for key in ("question_id", "question_type", "answer_type") if key in row}
    return found | ({"gold": row["answers"]} if "answers" in row else {})


def _tags(label: Sequence[int], answered: Mapping[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    """What was told and found of any number of classes."""
    named = [_name(index, classes) for index in answered["response"]]
    found = {"label": [_name(index, classes) for index in label], "answer": named, "parsed": named}
    return {**found, **_scores(answered.get("logprobs"), classes)}


def _name(index: int, classes: Sequence[str]) -> str:
    if not 0 <= index < len(classes):
        raise _mismatch(f"the model chose class {index}, and the data has {len(classes)} classes")
    return classes[index]


def _scores(logprobs: Any, classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """The probability of each class, if the engine gave them."""
    if not logprobs:
        return {}
    listed = logprobs["content"][0]["top_logprobs"]
    return {"scores": {_name(c["index"], classes): round(math.exp(c["logprob"]), DIGITS) for c in listed}}
