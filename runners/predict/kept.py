"""Answers that are kept as they come, so that a run that was cut goes on where it was.

{"how": "5f0c…"}
{"row": "9a1e…", "candidates": [["a dog", -0.1]]}

The first line stands for the model and for how it is asked, each other one for a row and its pictures: answers of another
model or another way of asking are thrown away, and rows that were added, removed or changed do not touch the others.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runners.predict import conversations
from runners.predict.conversations import Conversation
from runners.predict.predictor import Candidate
from schema.components import digest

NAME = ".answers.jsonl"
"""What the file is called where nobody says another name; it is removed when all answers are written."""
OF_MODEL = ("model", "adapter")
SAYING = (
    *("dtype", "attention", "max_pixels", "min_pixels", "beams", "returned", "length_penalty"),
    *("max_new_tokens", "max_length", "temperature", "top_p", "seed"),
)
"""Options that say how it is asked; the size of a batch is not among them."""


class Kept:
    """The answers in a file, by the number of their row. `file` None keeps nothing."""

    def __init__(self, file: Path | None, asked: Sequence[Conversation], how: Mapping[str, Any]) -> None:
        """Read what an earlier run kept of this; a last line that was cut is passed over, and what is of another run goes."""
        self.file = file
        self._rows = _digests(asked)
        self.found: dict[int, list[Candidate]] = {}
        if file is None:
            return
        head = {"how": _how(how)}
        known = _read(file, head)
        self.found = {number: known[row] for number, row in enumerate(self._rows) if row in known}
        if not known:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(head) + "\n")

    def add(self, number: int, candidates: list[Candidate]) -> None:
        """Keep the answers to a row."""
        self.found[number] = candidates
        if self.file is not None:
            line = {"row": self._rows[number], "candidates": [[c.answer, c.score] for c in candidates]}
            with self.file.open("a") as stream:
                stream.write(json.dumps(line) + "\n")


def _read(file: Path, head: Mapping[str, str]) -> dict[str, list[Candidate]]:
    """The answers in a file by the digests of their rows, of which a cut line at the end is removed."""
    if not file.exists():
        return {}
    first, *lines = file.read_bytes().split(b"\n")
    if first != json.dumps(head).encode():
        print(f"{file} has answers of another model, or to another way of asking: starting anew", file=sys.stderr)
        return {}
    whole, rest = lines[:-1], lines[-1:]
    if rest != [b""]:
        file.write_bytes(b"".join(line + b"\n" for line in (first, *whole)))
    found = [json.loads(line) for line in whole]
    return {line["row"]: [Candidate(answer, score) for answer, score in line["candidates"]] for line in found}


def _how(options: Mapping[str, Any]) -> str:
    said: dict[str, Any] = {name: options.get(name) for name in SAYING}
    for name in OF_MODEL:
        folder = options.get(name)
        said[name] = [str(folder), _state(folder)] if folder is not None else None
    return digest(said)


def _state(folder: Path) -> list[list[Any]]:
    """Name, size and time of each file of a model: reading its weights would take as long as loading them."""
    files = (path for path in sorted(Path(folder).rglob("*")) if path.is_file())
    return [[path.relative_to(folder).as_posix(), *_stamp(path)] for path in files]


def _stamp(path: Path) -> list[str]:
    state = path.stat()
    return [str(state.st_size), str(state.st_mtime_ns)]


def _digests(asked: Sequence[Conversation]) -> list[str]:
    """A digest of each conversation with the state of its pictures, and of how many equal ones come before."""
    before: Counter[str] = Counter()
    found = []
    for one in asked:
        files = [file for kind in ("image", "video") for file in conversations.files(one, kind)]
        alone = digest({"asked": one, "files": [_stamp(Path(file)) for file in files if Path(file).is_file()]})
        found.append(digest({"row": alone, "before": before[alone]}) if before[alone] else alone)
        before[alone] += 1
    return found
