"""What a model is asked, in the form that transformers' processors take: contents are parts, pictures stand in them.

{"messages": [{"role": "user", "content": "<image>What is it?"}], "images": ["images/1.png"]}
becomes
[{"role": "user", "content": [{"type": "image", "path": "images/1.png"}, {"type": "text", "text": "What is it?"}]}]
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from schema.diagnostics import Diagnostic, RecipeError

Conversation = list[dict[str, Any]]
TAG = re.compile(r"(<image>|<video>)")
FITTING = (
    'write rows like {"messages": [{"role": "user", "content": "<image>What is it?"}], "images": ["cat.jpg"]}, '
    "with as many files as the messages have `<image>` and `<video>`"
)
KINDS = {"<image>": "image", "<video>": "video"}
DATE = "26 Jul 2024"
"""The day that Llama 3's chat template tells a model when it is not told another; today's would change answers."""


def ask(question: str, images: Sequence[str | Path] = (), videos: Sequence[str | Path] = ()) -> Conversation:
    """A question about pictures and videos, which come first."""
    shown = [*({"type": "image", "path": str(i)} for i in images), *({"type": "video", "path": str(v)} for v in videos)]
    return [{"role": "user", "content": [*shown, {"type": "text", "text": question}]}]


def conversation(row: Mapping[str, Any], folder: Path, *, answered: bool = False, name: str = "a row") -> Conversation:
    """What a row of a data set asks: its messages up to the answer, or with it. Paths of pictures are relative to `folder`.

    Errors: RecipeError R0630 when tags and pictures do not fit; `name` tells which row.
    """
    messages = list(row["messages"])
    try:
        _check(row)
        waiting = {kind: iter(row.get(f"{kind}s") or ()) for kind in ("image", "video")}
        if messages and messages[-1]["role"] == "assistant" and not answered:
            messages.pop()
        turns = [{"role": turn["role"], "content": list(_parts(turn["content"], waiting, folder))} for turn in messages]
        if any(next(rest, None) is not None for rest in waiting.values()):
            raise _Mismatch("more pictures or videos than tags that say where they stand")
    except _Mismatch as wrong:
        raise RecipeError([Diagnostic("R0630", f"{name} has {wrong}", FITTING)]) from None
    return turns


def of_rows(rows: Sequence[Mapping[str, Any]], names: Sequence[str], folder: Path) -> list[Conversation]:
    """What rows ask. Errors: as `conversation`."""
    return [conversation(row, folder, name=name) for row, name in zip(rows, names, strict=True)]


class _Mismatch(Exception):
    """What keeps a row from being asked."""


def _check(row: Mapping[str, Any]) -> None:
    for turn in row["messages"]:
        if not isinstance(turn, Mapping) or not isinstance(turn.get("role"), str):
            raise _Mismatch("a message without `role`")
        if not isinstance(turn.get("content"), str | list):
            raise _Mismatch("a message without `content`")
    if all(turn["role"] != "user" for turn in row["messages"]):
        raise _Mismatch("no message of a user")
    for key in ("images", "videos"):
        if not isinstance(row.get(key) or [], list):
            raise _Mismatch(f"`{key}` that are no list")


def _parts(
    content: str | Sequence[Mapping[str, Any]], waiting: Mapping[str, Iterator[str]], folder: Path
) -> Iterator[Any]:
    if not isinstance(content, str):
        yield from content
        return
    for piece in filter(None, TAG.split(content)):
        if piece not in KINDS:
            yield {"type": "text", "text": piece}
            continue
        path = next(waiting[KINDS[piece]], None)
        if path is None:
            raise _Mismatch(f"`{piece}` without a file that belongs there")
        yield {"type": KINDS[piece], "path": str(folder / path)}


def files(asked: Conversation, kind: str) -> list[str]:
    """The paths of a conversation's pictures (`image`) or videos (`video`), in their order."""
    parts = (part for turn in asked for part in turn["content"])
    return [part["path"] for part in parts if part["type"] == kind and "path" in part]


def plain(asked: Conversation, name: str) -> Conversation:
    """The same with text as content, for models that read text only. Errors: RecipeError R0630 for pictures."""
    if files(asked, "image") or files(asked, "video"):
        message = f"this model reads text only, and {name} shows a picture or video"
        raise RecipeError([Diagnostic("R0630", message, "ask a model that sees, or ask without pictures")])
    return [{**turn, "content": "".join(part["text"] for part in turn["content"])} for turn in asked]
