"""What readers make of a data set: rows, the places they came from, and the diagnostics of what is no row.

Row(Place("data/animals/cat/1.jpg"), ({"role": "user", "content": "<image>What is it?"},), label="cat", pictures=(…,))
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schema.diagnostics import Diagnostic, RecipeError, Span

IMAGE_TAG = "<image>"
REMOTE = ("http://", "https://", "data:", "s3://", "gs://", "oss://", "hdfs://", "file://")

Message = Mapping[str, Any]
Corners = tuple[float, float, float, float]
"""Left, top, right and bottom of a box, in pixels from the picture's upper left corner."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands: a file, relative to the project, and a line (for parquet and lists of JSON: a row), counting from 1.

    0 stands for a file or folder as a whole.
    """

    file: str
    line: int = 0

    def refuse(self, code: str, message: str, help: str = "", column: int = 1) -> Diagnostic:
        """A diagnostic that points here."""
        return Diagnostic(code, message, help, (self.span(column=column),))

    def span(self, label: str = "", column: int = 1) -> Span:
        """The place as a span of one character; of none for a whole file."""
        if self.line == 0:
            return Span(self.file, 1, 1, 1, 1, label)
        return Span(self.file, self.line, column, self.line, column + 1, label)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a row: the path that is written, and the file as it lies now."""

    path: str
    file: Path


@dataclass(frozen=True, slots=True)
class Row:
    """One example. `messages` end with what the model is asked; the answer that follows is apart."""

    place: Place
    messages: tuple[Message, ...]
    answer: Message | None = None
    pictures: tuple[Picture, ...] = ()
    label: str | None = None
    tools: str | None = None
    """The tools of a conversation, as JSON text."""
    rejected: Message | None = None
    """Of two answers, the one that is not preferred; `answer` is the other."""
    split: str | None = None
    """The split that the data set itself puts the row into."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """What is written beside the conversation, such as the number of a question and what several people answered."""
    labels: tuple[str, ...] | None = None
    """All classes of a row that may have any number of them; `label` is absent then."""
    positive: str | None = None
    """A text that belongs to what is asked."""
    negatives: tuple[str, ...] = ()
    """Texts that do not belong to it."""
    boxes: tuple[Corners, ...] = ()
    """What stands in the picture."""
    mask: Picture | None = None
    """The class of each pixel."""
    holds: tuple[str, ...] = ()
    """The class of each box, or the classes that occur in the mask."""
    clip: bool = False
    """The pictures are the frames of one clip, in their order."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of its classes, or of those of what stands in it: none, one or more."""
        if self.labels is not None:
            return self.labels
        return self.holds or (() if self.label is None else (self.label,))

    @property
    def asked(self) -> tuple[tuple[Any, Any], ...]:
        """Role and text of what the model is asked."""
        return tuple((message["role"], message["content"]) for message in self.messages)


@dataclass(frozen=True, slots=True)
class Source:
    """A data set as a recipe describes it, with what holds for all of its rows."""

    dataset: Mapping[str, Any]
    task: str
    prompt: str | None
    system: str | None
    seed: int
    root: Path
    """The project: paths of the recipe and of rows are relative to it."""
    to: Path
    """Where the prepared data goes; made pictures lie in `images/` below it."""

    @property
    def path(self) -> str:
        """The data set's path as the recipe has it."""
        return str(self.dataset["path"])

    def located(self, kind: str) -> Path:
        """The data set's file or folder (`kind`). Errors: RecipeError when it is not there."""
        place = self.root / self.path
        if place.is_dir() if kind == "folder" else place.is_file():
            return place
        message = f"the data set's {kind} `{self.path}` " + ("is not there" if not place.exists() else f"is no {kind}")
        help = "put the data there, correct `path`, or say in machine.yaml under `data:` where it lies"
        raise RecipeError([Place(self.path).refuse("R0601", message, help)])

    def asks(self, prompt: str | None, system: str | None, pictures: int) -> tuple[Message, ...]:
        """A system message, if any, and the user's message; pictures come first where the prompt has no tag."""
        question = prompt if prompt is not None else self.prompt or ""
        content = question if IMAGE_TAG in question else IMAGE_TAG * pictures + question
        instructions = system if system is not None else self.system
        opening: tuple[Message, ...] = ({"role": "system", "content": instructions},) if instructions else ()
        return (*opening, {"role": "user", "content": content})

    @property
    def of_clip(self) -> tuple[Message, ...]:
        """What is asked of each frame of a clip, where the recipe has a prompt."""
        return self.asks(None, None, 1) if self.prompt else ()

    def picture(self, text: str, beside: Path) -> Picture | str:
        """The picture that a row names, looked for beside the data file and then in the project; or what is wrong."""
        if text.lower().startswith(REMOTE):
            return f"`{text[:80]}` is no local file"
        candidates = [Path(os.path.normpath(folder / text)) for folder in (beside, self.root)]
        # os.path.isfile, because Path.is_file raises where a text cannot be a file name.
        file = next((path for path in candidates if os.path.isfile(path)), None)  # noqa: PTH113
        if file is None:
            return f"there is no picture `{text[:80]}`, neither beside the data file nor in the project"
        shown = os.path.relpath(file, self.root)
        if shown.startswith(".." + os.sep) or Path(shown).is_absolute():
            if not self.dataset.get("external"):
                return f"`{text[:80]}` lies outside the project"
            shown = str(file)
        return Picture(Path(shown).as_posix(), file)


@dataclass(frozen=True, slots=True)
class Read:
    """What a reader found."""

    rows: tuple[Row, ...]
    refused: tuple[Diagnostic, ...] = ()
    classes: tuple[str, ...] | None = None
    """The classes in the order of their labels; in sorted order when absent."""
    ignored: Mapping[str, int] = field(default_factory=dict)
    """File names that are never data, such as .DS_Store, and how often they occur."""
    unused: tuple[str, ...] = ()
    """Columns that play no part."""
    lost: int | None = None
    """How many rows were refused, where one row may be refused for several reasons."""
    digest: str | None = None
    """The sha256 of all rows, where no file holds them that a lock could pin."""


def is_text(name: str) -> bool:
    """Whether a text can be written as UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in name)
