"""Which paths a renamed recipe has before and after, and the note of a move that has begun.

.recipe/mv.json    there from the first change to the last: a move that was cut off goes on when it is called again
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from schema.files import read_json, remove, write_json
from schema.lock import SUFFIX

FORMAT = 1
NOTE = Path(".recipe", "mv.json")
FOLDERS = ("pipelines", "outputs", ".recipe/logs")
"""Where a recipe has a folder of its name."""


@dataclass(frozen=True, slots=True)
class Move:
    """A recipe's file and name, before and after. Files are relative to the project's root."""

    old_file: str
    new_file: str
    old: str
    new: str

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """The recipe and its lock."""
        pairs = ((Path(file), Path(file).with_suffix(SUFFIX)) for file in (self.old_file, self.new_file))
        return tuple((before.as_posix(), after.as_posix()) for before, after in zip(*pairs, strict=True))

    @property
    def folders(self) -> tuple[tuple[str, str], ...]:
        """The folders that are called after it; none when only the file gets another name."""
        return tuple((f"{f}/{self.old}", f"{f}/{self.new}") for f in FOLDERS) if self.old != self.new else ()

    def after(self, path: str) -> str:
        """Where a path is after the move."""
        for old, new in (*self.files, *self.folders):
            if PurePosixPath(path).is_relative_to(old):
                return new + path[len(old) :]
        return path

    def in_text(self, text: str) -> str:
        """A text, such as that of a dvc.yaml, in which the paths are those after the move."""
        paths = dict((*self.files, *self.folders))
        whole = "|".join(map(re.escape, paths))
        # Neither the end of a longer path, nor the begin of another name.
        pattern = rf"(?<![\w-])(?<![\w-]/)(?<!\.\./)(?:{whole})(?![\w-])(?!\.\w)"
        return re.sub(pattern, lambda match: paths[match[0]], text)

    def is_called(self, old: str, new: str) -> bool:
        """Whether the words of a command line mean this move."""
        return new == self.new and old in (self.old, self.old_file, PurePosixPath(self.old_file).stem)


def begun(root: Path) -> Move | None:
    """The move that has begun and not ended, if there is one."""
    noted: Any = read_json(root / NOTE)
    if not isinstance(noted, dict) or noted.pop("format", None) != FORMAT:
        return None
    try:
        return Move(**noted)
    except TypeError:
        return None


def begin(root: Path, move: Move) -> None:
    """Note a move before its first change."""
    (root / NOTE).parent.mkdir(exist_ok=True)
    write_json(root / NOTE, {"format": FORMAT, **asdict(move)})


def end(root: Path) -> None:
    """Take the note away after the last change."""
    remove(root / NOTE)


def recipe_texts(root: Path) -> Iterator[Path]:
    """Every file that can be a recipe or a base of one."""
    return (path for path in sorted((root / "recipes").rglob("*.y*ml")) if path.is_file())
