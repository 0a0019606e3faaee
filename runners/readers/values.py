"""From the values of one row of a table to a row: by the columns that the recipe names, or in messages form.

{"messages": [{"role": "user", "content": "<image>What is it?"}, {"role": "assistant", "content": "A cat."}],
 "images": ["1.jpg"]}
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, time
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from uuid import UUID

from runners.data import pairs, preferences, tags
from runners.data.rows import Message, Picture, Place, Row, Source
from runners.readers import made
from schema.diagnostics import Diagnostic, RecipeError

MESSAGES_FORM = {"messages", "images", "image", "label", "tools", "id"}
OF_TASK = {
    "solve": {"solution"},
    "prefer": {"rejected_response", "chosen", "rejected", "prompt"},
    "embed": {"positive", "negatives"},
}
"""Task → the columns that it reads besides, where rows are in messages form."""
ROLES = ("prompt", "answer", "rejected", "label", "positive", "negatives", "image", "system")
ONLY_OF = {"rejected": "prefer", "positive": "embed", "negatives": "embed"}
"""Role → the only task that reads it."""
LISTS = {"tag": ("label",), "embed": ("negatives",)}
"""Task → the roles whose values are lists."""
UNANSWERED = ("classify", "tag", "embed")
"""Tasks whose rows have no answer."""
WANTED = {"classify": ("label",), "tag": ("label",), "prefer": ("answer", "rejected"), "embed": ("positive",)}
"""Task → the roles that it needs; any other needs an answer or a label."""


@dataclass(frozen=True, slots=True)
class Table:
    """How the rows of one file are read."""

    source: Source
    beside: Path
    """The folder of the file: paths of pictures are looked for there first."""
    columns: Mapping[str, str]
    """Role → column, for the roles that the recipe names; empty for messages form."""

    @classmethod
    def of(cls, source: Source, file: Path) -> Table:
        """The table of a data set that may have `columns`."""
        named = source.dataset.get("columns") or {}
        return cls(source, file.parent, {role: named[role] for role in ROLES if named.get(role) is not None})

    def check(self, available: Collection[str], place: Place) -> None:
        """Every column that is needed is there. Errors: RecipeError R0607."""
        found = list(self._missing(available, place) if self.columns else self._no_messages(available, place))
        if found:
            raise RecipeError(found)

    def _missing(self, available: Collection[str], place: Place) -> Iterator[Diagnostic]:
        for role, column in self.columns.items():
            if column not in available:
                near = get_close_matches(column, available, 1)
                help = f"did you mean `{near[0]}`?" if near else f"its columns are: {', '.join(sorted(available))}"
                yield place.refuse("R0607", f"there is no column `{column}`, which `columns.{role}` names", help)
        if "prompt" not in self.columns and self.source.prompt is None:
            yield place.refuse("R0607", "nothing says what the model is asked", "write `columns.prompt`, or `prompt`")
        needed, known = WANTED.get(self.source.task), self.columns.keys()
        if not (known >= set(needed) if needed else known & {"answer", "label"}):
            help = (" and " if needed else " or ").join(f"`columns.{role}`" for role in needed or ("answer", "label"))
            yield place.refuse("R0607", f"nothing says what the model shall {self.source.task}", f"write {help}")

    def _no_messages(self, available: Collection[str], place: Place) -> Iterator[Diagnostic]:
        if self.source.task == "prefer" and {"chosen", "rejected"} <= set(available):
            return
        if "messages" not in available:
            message = f"the rows have no `messages`; their columns are: {', '.join(sorted(map(str, available)))}"
            yield place.refuse("R0607", message, "say what they are: `columns: {prompt: …, answer: …}`")

    @property
    def _read(self) -> set[str]:
        """The roles that are read: a row to classify has no answer, and only a preference has a rejected one."""
        unread = {role for role, task in ONLY_OF.items() if task != self.source.task}
        return set(self.columns) - unread - ({"answer"} if self.source.task in UNANSWERED else set())

    @property
    def messages_form(self) -> set[str]:
        """The columns of rows in messages form."""
        return MESSAGES_FORM | OF_TASK.get(self.source.task, set())

    def row(self, values: Mapping[str, Any], place: Place) -> Row | Diagnostic:
        """The row of these values, or why they are none."""
        row = self._mapped(values, place) if self.columns else self._conversation(values, place)
        if isinstance(row, Row) and self.source.task == "tag":
            return self._tagged(row, values)
        return self._paired(row, values) if isinstance(row, Row) and self.source.task == "embed" else row

    def _tagged(self, row: Row, values: Mapping[str, Any]) -> Row | Diagnostic:
        """The row with all of its classes."""
        separator = (self.source.dataset.get("columns") or {}).get("label_separator")
        labels = tags.parse(values.get(self.columns.get("label", "label")), separator, row.place)
        return labels if isinstance(labels, Diagnostic) else replace(row, label=None, labels=labels)

    def _paired(self, row: Row, values: Mapping[str, Any]) -> Row | Diagnostic:
        """The row with the texts that belong to it and that do not."""
        positive = _text(values.get(self.columns.get("positive", "positive")))
        named = self.columns.get("negatives") if self.columns else "negatives"
        negatives = pairs.texts(values.get(named) if named else None, row.place)
        return negatives if isinstance(negatives, Diagnostic) else replace(row, positive=positive, negatives=negatives)

    def unused(self, available: Collection[str]) -> tuple[str, ...]:
        """Columns that play no part."""
        used = {self.columns[role] for role in self._read} if self.columns else self.messages_form - {"id"}
        return tuple(sorted(set(map(str, available)) - used))

    def _mapped(self, values: Mapping[str, Any], place: Place) -> Row | Diagnostic:
        texts: dict[str, str | None] = {}
        for role in self._read - {"image", *LISTS.get(self.source.task, ())}:
            texts[role] = _text(values.get(self.columns[role]))
            if texts[role] is None and role != "system":
                message = f"the {role} is missing: the column `{self.columns[role]}` has no value"
                return place.refuse("R0608", message, "fill it in, or write `on_bad: skip`")
        pictures = self._pictures(values.get(self.columns.get("image", "")), place)
        if isinstance(pictures, Diagnostic):
            return pictures
        if "image" in self.columns and not pictures:
            return place.refuse("R0608", f"the picture is missing: the column `{self.columns['image']}` has no value")
        return Row(
            place,
            self.source.asks(texts.get("prompt"), texts.get("system"), len(pictures)),
            _answer(texts.get("answer")),
            pictures,
            _label(texts.get("label")),
            rejected=_answer(texts.get("rejected")),
        )

    def _conversation(self, values: Mapping[str, Any], place: Place) -> Row | Diagnostic:
        if self.source.task == "prefer":
            joined = preferences.in_messages_form(values, place)
            if isinstance(joined, Diagnostic):
                return joined
            values = joined
        messages = values.get("messages")
        if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
            return place.refuse("R0609", "`messages` is no list of messages", 'write [{"role": "user", "content": …}]')
        pictures = self._pictures(values.get("images", values.get("image")), place)
        if isinstance(pictures, Diagnostic):
            return pictures
        if (alien := sorted(set(values) & {"videos", "video", "audios", "audio", "objects"})) and values[alien[0]]:
            return place.refuse("R0609", f"the row has `{alien[0]}`, which are not supported", "remove the row")
        messages = [{key: value for key, value in message.items() if value is not None} for message in messages]
        if self.source.system and messages[0].get("role") != "system":
            messages.insert(0, {"role": "system", "content": self.source.system})
        answer = messages.pop() if messages[-1].get("role") in ("assistant", "tool_call") else None
        label = _label(_text(values.get("label")))
        if self.source.task == "classify" and label is None:
            return place.refuse("R0608", "the label is missing", 'write "label": "cat", or `on_bad: skip`')
        if self.source.task == "solve" and (solution := _text(values.get("solution"))) is not None:
            answer = _answer(solution)
        rejected = _answer(values.get("rejected_response")) if self.source.task == "prefer" else None
        return Row(place, tuple(messages), answer, pictures, label, _tools(values.get("tools")), rejected)

    def _pictures(self, value: Any, place: Place) -> tuple[Picture, ...] | Diagnostic:
        named = [] if value is None or value == "" else value if isinstance(value, list) else [value]
        pictures: list[Picture] = []
        for item in named:
            content, path = (item.get("bytes"), item.get("path")) if isinstance(item, dict) else (None, item)
            wanted = self.source.dataset.get("embedded", False)
            if isinstance(content, bytes) and wanted:
                pictures.append(made.embedded(self.source, content))
                continue
            if content or not isinstance(path, str):
                message = "a picture is given as data and not as the path of a file"
                more = "write `embedded: true` in the data set, or " if isinstance(content, bytes) else ""
                help = f"{more}write the pictures to files, and their paths into the rows"
                return place.refuse("R0612", message, help)
            if wanted:
                message = f"the data set says `embedded: true`, and this row has the path `{path}`"
                return place.refuse("R0612", message, "remove `embedded`")
            found = self.source.picture(path, self.beside)
            if isinstance(found, str):
                return place.refuse("R0612", found, "write the path of a file of the project, relative to this file")
            pictures.append(found)
        return tuple(pictures)


def _text(value: Any) -> str | None:
    """A value as text; None where there is none."""
    if value is None or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bytes):  # text of a column that is not declared as text
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return None
    if isinstance(value, Decimal | date | time | UUID):  # of databases and parquet; JSON would put them in quotes
        value = str(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return text if text.strip() else None


def _answer(text: str | None) -> Message | None:
    return {"role": "assistant", "content": text} if text is not None else None


def _label(text: str | None) -> str | None:
    return text.strip() if text is not None else None


def _tools(value: Any) -> str | None:
    if value is None or value == "" or value == []:
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
