"""A chat as a person writes it, checked: what is no message, no part or no file is named before a model answers.

[{"role": "user", "content": [{"type": "image", "path": "cat.jpg"}, {"type": "text", "text": "What is it?"}]}]

The file of a picture stands under `path`; `image`, `url` and the `image_url` of OpenAI's protocol are read as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from runners.predict.conversations import Conversation
from schema.diagnostics import Diagnostic, RecipeError

SHOWN = {"image": "image", "image_url": "image", "video": "video", "video_url": "video"}
"""Type of a part → what it shows."""
A_CHAT = 'write a list like [{"role": "user", "content": "Who are you?"}]'
A_PART = 'write a part like {"type": "image", "path": "cat.jpg"}'


def chat(told: Any, name: str, *, answered: bool = False) -> Conversation:
    """The messages, with parts as contents. Errors: RecipeError R0635 with the first that is none; `name` tells which chat.

    The last one is a question, unless the chat may be answered already.
    """
    try:
        if not isinstance(told, list) or not told:
            raise _Wrong("it has no list of messages", A_CHAT)
        turns = [_turn(turn, f"message {number}") for number, turn in enumerate(told, 1)]
        if turns[-1]["role"] == "assistant" and not answered:
            raise _Wrong("it ends with an answer", "end with what is asked")
    except _Wrong as wrong:
        what, help = wrong.args
        raise RecipeError([Diagnostic("R0635", f"{name} is no chat to answer: {what}", help)]) from None
    return turns


class _Wrong(Exception):
    """What is wrong, and what to write instead."""


def _turn(turn: Any, place: str) -> dict[str, Any]:
    role = turn.get("role") if isinstance(turn, Mapping) else None
    if not isinstance(role, str) or not role:
        raise _Wrong(f"{place} has no `role`", A_CHAT)
    content = turn.get("content")
    if isinstance(content, str):
        return {**turn, "content": [{"type": "text", "text": content}]}
    if not isinstance(content, Sequence) or not content:
        raise _Wrong(f"{place} has no `content`", A_CHAT)
    return {**turn, "content": [_part(part, f"part {number} of {place}") for number, part in enumerate(content, 1)]}


def _part(part: Any, place: str) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind == "text" and isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    if kind not in SHOWN:
        raise _Wrong(f"{place} is no text, picture or video", A_PART)
    named = next((part[key] for key in ("path", kind, "url") if key in part), None)
    if isinstance(named, Mapping):
        named = named.get("url")
    if not isinstance(named, str | Path) or not str(named):
        raise _Wrong(f"{place} names no file", A_PART)
    return {"type": SHOWN[kind], "path": _path(str(named), place)}


def _path(named: str, place: str) -> str:
    """A path, or what stands in the address of a file."""
    if not named.startswith(("file:", "http:", "https:", "data:")):
        return named
    address = urlsplit(named)
    if address.scheme != "file":
        raise _Wrong(f"{place} is no file of this machine", "save it, and name its file as `path`")
    return unquote(address.path)
