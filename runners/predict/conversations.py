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
KINDS = {"<image>": "image", "<video>": "video"}
DATE = "26 Jul 2024"
"""The day that Llama 3's chat template tells a model when it is not told another; today's would change answers."""


def ask(question: str, images: Sequence[str | Path] = (), videos: Sequence[str | Path] = ()) -> Conversation:
    """A question about pictures and videos, which come first."""
    shown = [*({"type": "image", "path": str(i)} for i in images), *({"type": "video", "path": str(v)} for v in videos)]
    return [{"role": "user", "content": [*shown, {"type": "text", "text": question}]}]


def conversation(row: Mapping[str, Any], folder: Path, *, answered: bool = False) -> Conversation:
    """What a row of a data set asks: its messages up to the answer, or with it. Paths of pictures are relative to `folder`.

    Errors: RecipeError R0630 when tags and pictures do not fit.
    """
    waiting = {kind: iter(row.get(f"{kind}s") or ()) for kind in ("image", "video")}
    messages = list(row["messages"])
    if messages and messages[-1]["role"] == "assistant" and not answered:
        messages.pop()
    turns = [{"role": turn["role"], "content": list(_parts(turn["content"], waiting, folder))} for turn in messages]
    if any(next(rest, None) is not None for rest in waiting.values()):
        raise _mismatch("more pictures or videos than tags that say where they stand")
    return turns


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
            raise _mismatch(f"`{piece}` without a file that belongs there")
        yield {"type": KINDS[piece], "path": str(folder / path)}


def _mismatch(what: str) -> RecipeError:
    help = "name as many files as the messages have `<image>` and `<video>`"
    return RecipeError([Diagnostic("R0630", f"a row has {what}", help)])


def files(asked: Conversation, kind: str) -> list[str]:
    """The paths of a conversation's pictures (`image`) or videos (`video`), in their order."""
    parts = (part for turn in asked for part in turn["content"])
    return [part["path"] for part in parts if part["type"] == kind and "path" in part]


def plain(asked: Conversation) -> Conversation:
    """The same with text as content, for models that read text only. Errors: RecipeError R0630 for pictures."""
    if files(asked, "image") or files(asked, "video"):
        raise RecipeError([Diagnostic("R0630", "this model reads text only, and is asked about a picture")])
    return [{**turn, "content": "".join(part["text"] for part in turn["content"])} for turn in asked]
