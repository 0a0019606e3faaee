"""Rows with two answers as TRL's DPO takes them: what is asked as `prompt`, the answers as `chosen` and `rejected`.

{"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "A cat."}], "rejected_response": "Me."}
becomes
{"prompt": [{"role": "user", "content": "Who?"}], "chosen": [{"role": "assistant", "content": "A cat."}],
 "rejected": [{"role": "assistant", "content": "Me."}]}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runners import trl_rows
from runners.data.rows import Place
from runners.trl_rows import ELSEWHERE, Row
from schema.diagnostics import Diagnostic

REJECTED = "rejected_response"
KEYS = {"messages", "images", REJECTED}


def read(files: Sequence[str], pictures: bool, ending: str = "") -> list[Row]:
    """The pairs of several files, one after another, `ending` behind each answer. Errors: RecipeError R0560."""
    return [
        pair(row, pictures, ending) for row in trl_rows.parsed(files, lambda place, row: _problem(place, row, pictures))
    ]


def _problem(place: Place, row: Mapping[str, Any], pictures: bool) -> Diagnostic | None:
    if "tools" in row or {message["role"] for message in row["messages"]} - trl_rows.TURNS:
        return place.refuse("R0560", "this row calls tools, and TRL compares plain answers only", ELSEWHERE)
    if extra := sorted(row.keys() - KEYS):
        return place.refuse("R0560", f"this row has `{extra[0]}`, which TRL does not know", ELSEWHERE)
    return trl_rows.unseen(place, row, pictures)


def pair(row: Mapping[str, Any], pictures: bool, ending: str = "") -> Row:
    """One row as TRL takes it."""
    refused = {"role": "assistant", "content": row[REJECTED]}
    *asked, chosen, rejected = trl_rows.ended((*row["messages"], refused), pictures, ending)
    images = {"images": list(row.get("images", ()))} if pictures else {}
    return {"prompt": asked, "chosen": [chosen], "rejected": [rejected], **images}


def length(tokenized: Mapping[str, Any]) -> int:
    """The tokens of the question and the longer answer, of a row as TRL's trainer keeps it.

    >>> length({"prompt_ids": [1, 2], "chosen_ids": [3], "rejected_ids": [4, 5]})
    4
    """
    return len(tokenized["prompt_ids"]) + max(len(tokenized["chosen_ids"]), len(tokenized["rejected_ids"]))
