"""Rows with two answers: of `chosen` and `rejected` conversations the common beginning, and what contradicts itself.

{"chosen": [{"role": "user", …}, {"role": "assistant", "content": "A."}], "rejected": [{"role": "user", …}, {…}]}
becomes {"messages": [{"role": "user", …}, {"role": "assistant", "content": "A."}], "rejected_response": "B."}
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runners.data.rows import Place, Row
from schema.diagnostics import Diagnostic


def in_messages_form(values: Mapping[str, Any], place: Place) -> Mapping[str, Any] | Diagnostic:
    """The row with `messages` and `rejected_response`, or why it cannot have them."""
    if isinstance(values.get("chosen"), list) and isinstance(values.get("rejected"), list):
        return _joined(values, place)
    rejected = values.get("rejected_response")
    if not isinstance(rejected, str) or not rejected.strip():
        message = "the rejected answer is missing" if rejected is None else "the rejected answer is no text"
        help = 'write "rejected_response": "…", or `chosen` and `rejected` as two lists of messages'
        return place.refuse("R0621", message, help)
    return values


def _joined(values: Mapping[str, Any], place: Place) -> Mapping[str, Any] | Diagnostic:
    asked = values.get("prompt")
    before = list(asked) if isinstance(asked, list) else []
    chosen, rejected = [*before, *values["chosen"]], [*before, *values["rejected"]]
    if not all(isinstance(message, dict) for message in (*chosen, *rejected)) or not chosen or not rejected:
        return place.refuse("R0609", "`chosen` or `rejected` is no list of messages", 'write [{"role": …}, …]')
    if chosen[:-1] != rejected[:-1]:
        message = "`chosen` and `rejected` answer different questions"
        return place.refuse("R0622", message, "both conversations differ in their last message only")
    last = rejected[-1]
    if last.get("role") != "assistant" or not isinstance(last.get("content"), str) or not last["content"].strip():
        return place.refuse("R0621", "the last message of `rejected` is no answer", "let it be an `assistant` message")
    apart = {name: value for name, value in values.items() if name not in ("chosen", "rejected", "prompt")}
    return {**apart, "messages": chosen, "rejected_response": last["content"]}


def check(row: Row) -> Diagnostic | None:
    """What is wrong with the two answers of a row, if anything."""
    if row.answer is None or row.rejected is None:
        missing = "preferred" if row.answer is None else "rejected"
        return row.place.refuse("R0621", f"the {missing} answer is missing", "a preference needs two answers")
    if str(row.answer["content"]).strip() == str(row.rejected["content"]).strip():
        message = "the preferred and the rejected answer are the same"
        return row.place.refuse("R0623", message, "remove the row: it says nothing")
    return None


def reversals(rows: Sequence[Row], repeated: Sequence[Sequence[int]]) -> Iterator[tuple[Diagnostic, Sequence[int]]]:
    """R0624: for each two equal questions where one prefers what the other rejects, a diagnostic and both."""
    for group in repeated:
        seen: dict[str, int] = {}
        for index in group:
            answers = _answers(rows[index])
            other = seen.get(json.dumps(answers[::-1]))
            if other is not None:
                message = f"the answer preferred in {rows[other].place} is rejected in {rows[index].place}"
                spans = (rows[index].place.span("the other way round"), rows[other].place.span("preferred here"))
                yield Diagnostic("R0624", message, "keep the right one", spans), (other, index)
            seen.setdefault(json.dumps(answers), index)


def _answers(row: Row) -> tuple[str, str]:
    assert row.answer is not None and row.rejected is not None  # `check` has refused others
    return str(row.answer["content"]), str(row.rejected["content"])
