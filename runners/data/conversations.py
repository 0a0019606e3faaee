"""The form of conversations: roles and their order, text, tools, and a tag for each picture.

ms-swift drops unknown keys of a message in silence, and rows that it cannot use; here both are told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from runners.data.rows import IMAGE_TAG, Message, Row
from schema.diagnostics import Diagnostic

START = "the beginning"
TOOL = {"tool", "tool_response"}
FOLLOWS = {
    START: {"system", "user"},
    "system": {"user"},
    "user": {"assistant", "tool_call"},
    "tool_call": {"tool_call", *TOOL},
    "tool": {"assistant", "tool_call", *TOOL},
    "tool_response": {"assistant", "tool_call", *TOOL},
    "assistant": {"user", "tool_call", *TOOL},
}
"""Role → the roles that may follow it."""
KEYS = {"role", "content", "loss", "loss_scale"}
ASKING = {"user", *TOOL}  # roles that an answer can follow
MAY_BE_EMPTY = {"system", "user", *TOOL}


def check(row: Row, task: str) -> Diagnostic | None:
    """What is wrong with a row's conversation, if anything."""
    messages = (*row.messages, *((row.answer,) if row.answer else ()))
    for code, problems in (
        ("R0609", _form(messages, row, task)),
        ("R0610", _tags(row)),
        ("R0611", _json(messages, row)),
    ):
        if (problem := next(iter(problems), None)) is not None:
            return row.place.refuse(code, *problem)
    return None


def _form(messages: tuple[Message, ...], row: Row, task: str) -> Iterator[tuple[str, str]]:
    before = START
    for number, message in enumerate(messages, 1):
        if (problem := _message(message, number)) is not None:
            yield problem
            return
        role = message["role"]
        if role not in FOLLOWS[before]:
            yield f"message {number} has the role `{role}` after {before}", f"here belongs {_either(FOLLOWS[before])}"
            return
        before = role
    if not row.messages or row.messages[-1]["role"] not in ASKING:
        yield "nobody asks anything: the last message before the answer is not the user's", "add a `user` message"
    elif task == "generate" and row.answer is None and row.label is None:
        yield (
            f"the conversation ends with the role `{before}`: there is no answer to learn",
            "add an `assistant` message",
        )
    elif task == "solve" and row.answer is None and row.label is None:
        yield "the question has no solution that answers could be held against", 'write "solution": "…"'


def _message(message: Message, number: int) -> tuple[str, str] | None:
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str) or role not in FOLLOWS or role == START:
        return f"message {number} has the role {role!r}", f"write {_either(set(FOLLOWS) - {START})}"
    if not isinstance(content, str):
        return f"the content of message {number} is no text", f"write text, and `{IMAGE_TAG}` where a picture belongs"
    if not content and role not in MAY_BE_EMPTY:
        return f"message {number}, the {role}'s, is empty", "write what the model shall answer"
    extra = sorted(set(message) - KEYS - ({"name"} if role in TOOL else set()))
    if extra:
        help = "write calls of tools as messages with the role `tool_call`" if "tool_calls" in extra else "remove it"
        return f"message {number} has the key `{extra[0]}`, which the engine drops in silence", help
    return None


def _tags(row: Row) -> Iterator[tuple[str, str]]:
    tags = sum(str(message["content"]).count(IMAGE_TAG) for message in row.messages)
    if tags != len(row.pictures):
        yield (
            f"the conversation has {tags} `{IMAGE_TAG}` and the row {len(row.pictures)} pictures",
            f"write `{IMAGE_TAG}` once for each picture, where it belongs",
        )
    if row.answer is not None and IMAGE_TAG in row.answer["content"]:
        yield f"the answer has an `{IMAGE_TAG}`", "a picture belongs into what the model is asked"


def _json(messages: tuple[Message, ...], row: Row) -> Iterator[tuple[str, str]]:
    if row.tools is not None and not isinstance(_parsed(row.tools), list):
        yield "`tools` is no JSON list of tools", 'write [{"type": "function", "function": {"name": …}}]'
    for number, message in enumerate(messages, 1):
        if message["role"] == "tool_call" and not isinstance(_parsed(message["content"]), dict):
            yield f"message {number} calls a tool but is no JSON object", 'write {"name": …, "arguments": {…}}'


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _either(roles: Iterable[str]) -> str:
    return " or ".join(f"`{role}`" for role in sorted(roles))
