"""Questions with solutions as TRL's GRPO takes them: what is asked as `prompt`, pictures, and the columns for rewards.

{"messages": [{"role": "user", "content": "<image>How many?"}], "images": ["images/1.png"], "solution": "3"}
becomes
{"prompt": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "How many?"}]}],
 "images": ["images/1.png"], "solution": "3"}
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runners import trl_rows
from runners.data.rows import Place
from runners.trl_rows import ELSEWHERE, Row
from schema.diagnostics import Diagnostic, RecipeError

KEYS = {"messages", "images", "solution"}


def read(files: Sequence[str], pictures: bool, folder: Path) -> Sequence[Row]:
    """The questions of several files, one after another. Errors: RecipeError R0560 for those TRL cannot ask."""
    found = trl_rows.parsed(files, lambda place, row: _problem(place, row, pictures))
    questions = [question(row, pictures) for row in found]
    return trl_rows.Pictures(questions, folder) if pictures else questions


def _problem(place: Place, row: Mapping[str, Any], pictures: bool) -> Diagnostic | None:
    if "tools" in row or {message["role"] for message in row["messages"]} - trl_rows.TURNS:
        return place.refuse("R0560", "this row calls tools, and TRL samples plain answers only", ELSEWHERE)
    if extra := sorted(row.keys() - KEYS):
        return place.refuse("R0560", f"this row has `{extra[0]}`, which TRL does not know", ELSEWHERE)
    return trl_rows.unseen(place, row, pictures)


def question(row: Mapping[str, Any], pictures: bool) -> Row:
    """One row as TRL takes it."""
    images = {"images": list(row.get("images", ()))} if pictures else {}
    asked = [trl_rows.message(turn, pictures) for turn in row["messages"]]
    return {"prompt": asked, **images, "solution": row["solution"]}


def counter(processor: Any) -> Callable[[Row], int]:
    """How many tokens a question has for a processor or tokenizer, pictures included."""
    from trl.data_utils import prepare_multimodal_messages  # loads torch

    def count(row: Row) -> int:
        asked = row["prompt"]
        if row.get("images"):
            asked = prepare_multimodal_messages(asked, row["images"])
        found = processor.apply_chat_template(asked, add_generation_prompt=True, tokenize=True, return_dict=True)
        ids = found["input_ids"]
        return len(ids[0] if isinstance(ids[0], list) else ids)

    return count


@dataclass(frozen=True, slots=True)
class Limit:
    """How long a question may be, and what draws another one."""

    count: Callable[[Row], int]
    tokens: int
    seed: int


@dataclass(slots=True)
class Fitting(Sequence[Row]):
    """Rows of which one that is too long gives way to another, always the same one; each is measured when asked for."""

    rows: Sequence[Row]
    limit: Limit
    known: dict[int, int] = field(default_factory=dict)
    """Index → the row that stands there."""

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        """Errors: RecipeError R0581 when no question is short enough."""
        if index not in self.known:
            self.known[index] = next(self._fits(index), -1)
        if self.known[index] < 0:
            message = f"no question has at most {self.limit.tokens} tokens"
            help = "write a greater `max_prompt_length`, or a smaller `max_pixels`"
            raise RecipeError([Diagnostic("R0581", message, help)])
        return self.rows[self.known[index]]

    def _fits(self, index: int) -> Iterator[int]:
        return (at for at in self._candidates(index) if self.limit.count(self.rows[at]) <= self.limit.tokens)

    def _candidates(self, index: int) -> Iterator[int]:
        """The row itself, then all rows in an order of its own."""
        yield index
        yield from random.Random(f"{self.limit.seed} {index}").sample(range(len(self.rows)), len(self.rows))
