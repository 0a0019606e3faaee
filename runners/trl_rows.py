"""Prepared rows as TRL takes them: what is asked as `prompt`, the answer that is learnt as `completion`, and pictures.

{"messages": [{"role": "user", "content": "<image>What is it?"}, {"role": "assistant", "content": "cat"}],
 "images": ["images/1.png"]}
becomes
{"prompt": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]}],
 "completion": [{"role": "assistant", "content": [{"type": "text", "text": "cat"}]}], "images": ["images/1.png"]}

TRL masks the loss of a vision-language model by prompt and completion only, so a row has one answer, its last message.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runners.data.rows import IMAGE_TAG, Place
from schema.diagnostics import Diagnostic, RecipeError

Row = dict[str, Any]
SHOWN = 20
TURNS = {"system", "user", "assistant"}
KEYS = {"messages", "images"}
ANSWER = "forty-two"
"""Any answer, to see what a chat template writes behind it."""
ELSEWHERE = "`engine: ms-swift` trains on such rows"


def read(files: Sequence[str], pictures: bool, ending: str = "") -> list[Row]:
    """The rows of several files, one after another; contents as parts where the model takes pictures.

    Args:
        ending: What stands behind each answer (`ending_of`).

    Errors: RecipeError R0560 with the rows that TRL cannot train on as ms-swift does.
    """
    return [example(row, pictures, ending) for row in parsed(files, lambda place, row: _problem(place, row, pictures))]


def parsed(files: Sequence[str], problem: Callable[[Place, Row], Diagnostic | None]) -> list[Row]:
    """The rows of several files as they stand there. Errors: RecipeError with the first problems."""
    found = [(Place(file, number), json.loads(line)) for file in files for number, line in _lines(file)]
    refused = [wrong for place, row in found if (wrong := problem(place, row)) is not None]
    if refused:
        raise RecipeError(refused[:SHOWN])
    return [row for _, row in found]


def _lines(file: str) -> Iterator[tuple[int, bytes]]:
    yield from enumerate(Path(file).read_bytes().splitlines(), 1)


def _problem(place: Place, row: Mapping[str, Any], pictures: bool) -> Diagnostic | None:
    messages = row["messages"]
    roles = {message["role"] for message in messages}
    if roles - TURNS or "tools" in row:
        return place.refuse("R0560", "this row calls tools, and TRL learns answers only", ELSEWHERE)
    if [message["role"] for message in messages].count("assistant") != 1:
        return place.refuse("R0560", "this row has several answers, and TRL learns the last one only", ELSEWHERE)
    if any("loss" in message or "loss_scale" in message for message in messages):
        return place.refuse("R0560", "a message of this row has a loss of its own, which TRL does not know", ELSEWHERE)
    if extra := sorted(row.keys() - KEYS):
        return place.refuse("R0560", f"this row has `{extra[0]}`, which TRL does not know", ELSEWHERE)
    return unseen(place, row, pictures)


def unseen(place: Place, row: Mapping[str, Any], pictures: bool) -> Diagnostic | None:
    """R0560: pictures for a model that reads text."""
    if row.get("images") and not pictures:
        return place.refuse("R0560", "this row has pictures, and the model reads text", "take a model that sees")
    return None


def example(row: Mapping[str, Any], pictures: bool, ending: str = "") -> Row:
    """One row as TRL takes it."""
    *asked, answer = ended(row["messages"], pictures, ending)
    images = {"images": list(row.get("images", ()))} if pictures else {}
    return {"prompt": asked, "completion": [answer], **images}


def ended(turns: Sequence[Mapping[str, Any]], pictures: bool, ending: str) -> Iterator[Row]:
    """The turns as TRL takes them, the answers among them with their end."""
    for turn in turns:
        end = ending if turn["role"] == "assistant" else ""
        yield message({**turn, "content": turn["content"] + end}, pictures)


def ending_of(processor: Any, pictures: bool) -> str:
    """What an answer needs behind it: the end token, where the chat template writes none, as that of LLaVA 1.5.

    Without it a model learns what to answer and never to end. ms-swift's own templates write it.
    """
    tokenizer = getattr(processor, "tokenizer", processor)
    turns = ({"role": "user", "content": "?"}, {"role": "assistant", "content": ANSWER})
    text = processor.apply_chat_template([message(turn, pictures) for turn in turns], tokenize=False)
    behind = text.rpartition(ANSWER)[2]
    return "" if any(token in behind for token in tokenizer.added_tokens_encoder) else tokenizer.eos_token or ""


def message(turn: Mapping[str, Any], pictures: bool) -> Row:
    """One turn as TRL takes it; its content as parts where the model takes pictures."""
    content = turn["content"]
    return {"role": turn["role"], "content": _parts(content) if pictures else content}


def _parts(text: str) -> list[dict[str, str]]:
    """Text and pictures in their order; a tag stands for a picture."""
    first, *others = text.split(IMAGE_TAG)
    parts: list[dict[str, str]] = [{"type": "text", "text": first}] if first or not others else []
    for piece in others:
        parts.append({"type": "image"})
        if piece:
            parts.append({"type": "text", "text": piece})
    return parts


class Pictures(Sequence[Row]):
    """Rows whose pictures are opened when one is asked for. TRL changes what it gets, so each is made anew."""

    def __init__(self, rows: Sequence[Row], folder: Path) -> None:
        self.rows, self.folder = rows, folder

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        row = self.rows[index]
        return row | {"images": [_open(self.folder / path) for path in row["images"]]}


def dataset(rows: Sequence[Row], pictures: bool, folder: str | None) -> Any:
    """Rows of conversations as the trainers take them: pictures, below `folder`, are opened when they are asked for."""
    if pictures:
        return as_dataset(Pictures(rows, Path(folder or "")))
    from datasets import Dataset  # loads pyarrow

    return Dataset.from_list(rows)


def as_dataset(rows: Sequence[Row]) -> Any:
    """Rows as the trainers of the installed TRL take them: from version 1 on only in a data set, which asks for them here."""
    from importlib.metadata import version

    from datasets import Dataset

    if int(version("trl").partition(".")[0]) < 1:
        return rows

    def asked(batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        found = [rows[index] for index in batch["prompt"]]  # a name that trainers keep
        return {name: [row[name] for row in found] for name in found[0]}

    return Dataset.from_dict({"prompt": list(range(len(rows)))}).with_transform(asked)


def _open(path: Path) -> Any:
    from PIL import Image  # loads a library of formats

    with Image.open(path) as image:
        return image.convert("RGB")
