"""What DVC passes over in a folder: `.dvcignore` from the root down to it, and what belongs to git, Mercurial and DVC itself.

Patterns are those of gitignore. The last that matches a path, or a folder above it, decides; what lies in a folder that is
passed over cannot be taken back. DVC refuses a folder of data that has a `.dvcignore` of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NAME = ".dvcignore"
ALWAYS = (".hg/", ".git/", ".git", ".dvc/")
END = "(?:/|$)"


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern for paths from the root."""

    pattern: re.Pattern[str]
    ignores: bool
    only_folders: bool


class Ignore:
    """The rules that hold in one folder of a project, given by its parts below the root."""

    def __init__(self, root: Path, folder: tuple[str, ...]) -> None:
        """Errors: OSError, UnicodeError when a `.dvcignore` cannot be read."""
        self.rules = [rule for text in ALWAYS if (rule := _rule(text))]
        for depth in range(len(folder) + 1):
            base = folder[:depth]
            if not self.covers((*base, NAME), False):
                self.rules += _rules(root.joinpath(*base, NAME), base)

    def covers(self, path: tuple[str, ...], is_folder: bool) -> bool:
        """Whether a path below the root is passed over."""
        return any(self._decides(path[:end], is_folder or end < len(path)) for end in range(1, len(path) + 1))

    def _decides(self, path: tuple[str, ...], is_folder: bool) -> bool:
        text = "/".join(path)
        for rule in reversed(self.rules):
            if rule.only_folders and not is_folder:
                continue
            if rule.pattern.match(text) or (is_folder and rule.pattern.match(f"{text}/")):
                return rule.ignores
        return False


def _rules(file: Path, base: tuple[str, ...]) -> Iterator[Rule]:
    if not file.exists():
        return
    for line in file.read_text("utf-8").splitlines():
        text = line.strip()
        if text and not text.startswith("#") and (rule := _rule(_from_root(text, base))):
            yield rule


def _from_root(text: str, base: tuple[str, ...]) -> str:
    """A pattern of a folder as DVC writes it for the root: `*.txt` in `data` is `/data/**/*.txt`."""
    if not base:
        return text
    sign, inner = ("!", text[1:]) if text.startswith("!") else ("", text)
    anchored = "/" in inner[:-1] and not inner.startswith("**/")
    inner = inner.removeprefix("/" if anchored else "**/").removeprefix("\\")
    return f"{sign}/{'/'.join(base)}{'/' if anchored else '/**/'}{inner}"


def _rule(text: str) -> Rule | None:
    """A pattern as a rule; None where git takes it for nothing."""
    ignores = not text.startswith("!")
    try:
        found = _regex(text if ignores else text[1:])
        pattern = re.compile(found) if found else None
    except re.error:
        return None  # git, too, takes a range that is none for nothing
    return Rule(pattern, ignores, text.endswith("/")) if pattern else None


def _regex(text: str) -> str | None:
    only_folders = text.endswith("/")
    parts = text.split("/")
    if text in ("", "/"):
        return None
    if not parts[0]:
        del parts[0]  # from the folder of the file
    elif len(parts) == 1 or (len(parts) == 2 and not parts[1]):
        parts.insert(0, "**")  # at any depth
    if not parts[-1]:
        parts[-1] = "**"
    parts = [part for number, part in enumerate(parts) if part != "**" or number == 0 or parts[number - 1] != "**"]
    if parts in (["**"], ["**", "*"]):
        return "/" if only_folders else "."
    if parts == ["**", "*", "**"]:
        return "/"
    return "".join(_joined(parts))


def _joined(parts: list[str]) -> Iterator[str]:
    last = len(parts) - 1
    for number, part in enumerate(parts):
        if part == "**":
            yield "^(?:.+/)?" if number == 0 else "/" if number == last else "(?:/.+)?"
            continue
        slash = number > 0 and not (number == 1 and parts[0] == "**")
        yield ("/" if slash else "^" if number == 0 else "") + ("[^/]+" if part == "*" else _glob(part))
        yield END if number == last else ""


def _glob(text: str) -> str:
    """One part of a path with `*`, `?`, `[…]` and `\\` as a regular expression."""
    found, position = "", 0
    while position < len(text):
        character, position = text[position], position + 1
        if character == "\\":
            found += re.escape(text[position : position + 1])
            position += 1
        elif character == "*":
            found += "[^/]*"
        elif character == "?":
            found += "[^/]"
        elif character == "[":
            inner, position = _range(text, position)
            found += inner
        else:
            found += re.escape(character)
    return found


def _range(text: str, start: int) -> tuple[str, int]:
    """The set of characters that begins after `[`, and where it ends."""
    first = start + (text[start : start + 1] in ("!", "^"))
    end = text.find("]", first + 1)
    if end < 0:
        raise re.error("an open range")
    inner = text[first:end].replace("\\", "\\\\").replace("[", "\\[")
    return f"[{'^' if first > start else ''}{inner}]", end + 1
