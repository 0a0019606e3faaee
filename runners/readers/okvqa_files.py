"""Where the files of OK-VQA lie: found by their official names at any depth of a folder, and of a hub's also in archives.

A folder of the project is taken as it is. What came from a hub is never changed, so pictures that questions are about are
copied out of it, into the prepared data.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from runners.data.rows import Picture, Place, Source
from runners.readers import archives, made
from schema.diagnostics import RecipeError

QUESTIONS = "OpenEnded_mscoco_{}_questions.json"
ANNOTATIONS = "mscoco_{}_annotations.json"
DOCUMENTS = tuple(form.format(coco) for coco in ("train2014", "val2014") for form in (QUESTIONS, ANNOTATIONS))
MOST_TEXT, MOST_PICTURE = 1 << 30, 64 << 20
"""Bytes of a document and of a picture in an archive at most; the official documents have 10 MB in all."""
SHOWN = 8

Pictures = Callable[[str], "Picture | str"]
"""The picture of a name, or why there is none."""


def picture(coco: str, image: int) -> str:
    """COCO's name of a picture.

    >>> picture("train2014", 9)
    'COCO_train2014_000000000009.jpg'
    """
    return f"COCO_{coco}_{image:012d}.jpg"


class Files(Protocol):
    """The files of a data set, by their names."""

    def document(self, name: str) -> tuple[str, bytes]:
        """Its path, relative to the project, and what it holds. Errors: RecipeError R0640 when there is not one."""

    def pictures(self, names: set[str]) -> Pictures:
        """How these pictures are found."""


def files(source: Source) -> Files:
    """The files of a data set that lies in the project, or came from a hub: then its description has an `id`."""
    folder = source.located("folder")
    loose: dict[str, list[Path]] = {}
    for base, _, names in os.walk(folder, followlinks=True):
        for name in names:
            loose.setdefault(name, []).append(Path(base, name))
    return Fetched(source, loose) if "id" in source.dataset else Lying(source, loose)


@dataclass(frozen=True, slots=True)
class Lying:
    """Files of a folder of the project."""

    source: Source
    there: dict[str, list[Path]]

    def document(self, name: str) -> tuple[str, bytes]:
        source, places = self.source, sorted(self.there.get(name, []))
        if len(places) == 1:
            return Path(os.path.relpath(places[0], source.root)).as_posix(), places[0].read_bytes()
        if places:
            listed = ", ".join(path.relative_to(source.root / source.path).as_posix() for path in places)
            raise _refused(source.path, f"`{name}` lies there twice: {listed}", "keep one of them")
        packed = next(filter(archives.is_archive, sorted(self.there)), None)
        help = f"unpack `{packed}`" if packed else "put the official files there, at any depth"
        raise _refused(source.path, f"there is no `{name}` below `{source.path}`", help)

    def pictures(self, names: set[str]) -> Pictures:
        def found(name: str) -> Picture | str:
            file = self.there.get(name, [None])[0]
            if file is None:
                return f"there is no picture `{name}` below `{self.source.path}`"
            return self.source.picture(os.path.relpath(file, self.source.root), self.source.root)

        return found


@dataclass(slots=True)
class Fetched:
    """Files of a hub's data set, which may be packed. Archives are gone through once for the documents, once for pictures."""

    source: Source
    there: dict[str, list[Path]]
    _documents: dict[str, dict[str, bytes]] | None = field(default=None, init=False)
    """Name → content of each file of that name by its path."""

    def document(self, name: str) -> tuple[str, bytes]:
        if self._documents is None:
            self._documents = self._read()
        found = self._documents.get(name, {})
        if len(set(found.values())) == 1:
            return next(iter(found.items()))
        if found:
            message = f"`{name}` is there {len(found)} times, and not the same: {', '.join(sorted(found)[:SHOWN])}"
            raise _refused(self.source.path, message, "copy the right files into a folder, and name it as `path`")
        help = f"files are found by name: {', '.join(DOCUMENTS)}; put them into a folder, and name it as `path`"
        raise _refused(self.source.path, f"{self.source.dataset['id']} has no `{name}`: {self._looked()}", help)

    def _read(self) -> dict[str, dict[str, bytes]]:
        found: dict[str, dict[str, bytes]] = {name: {} for name in DOCUMENTS}
        for name in DOCUMENTS:
            for path in sorted(self.there.get(name, [])):
                found[name][self._shown(path)] = path.read_bytes()
        if all(found.values()):
            return found
        for member in self._packed():
            if member.name in found:
                found[member.name][member.shown] = member.read(MOST_TEXT)
        return found

    def pictures(self, names: set[str]) -> Pictures:
        made: dict[str, Picture] = {}
        for name in sorted(names & self.there.keys()):
            made[name] = _kept(self.source, name, self.there[name][0].read_bytes())
        if names - made.keys():
            for member in self._packed():
                if member.name in names and member.name not in made:
                    made[member.name] = _kept(self.source, member.name, member.read(MOST_PICTURE))
        id, looked = self.source.dataset["id"], self._looked()
        return lambda name: made.get(name) or f"{id} has no picture `{name}`: {looked}"

    def _packed(self) -> Iterator[archives.Member]:
        for path in self._archives():
            yield from archives.members(path, self._shown(path), self.source.to)

    def _archives(self) -> list[Path]:
        return sorted(path for name, places in self.there.items() if archives.is_archive(name) for path in places)

    def _shown(self, path: Path) -> str:
        return f"{self.source.path}/{path.relative_to(self.source.root / self.source.path).as_posix()}"

    def _looked(self) -> str:
        """What was looked through."""
        listed = [path.name for path in self._archives()]
        through = f" and in {', '.join(listed[:SHOWN])}" + (" …" if len(listed) > SHOWN else "") if listed else ""
        others = sorted(name for name in self.there if not archives.is_archive(name))
        held = (
            f"; its other files are {', '.join(others[:SHOWN])}{' …' if len(others) > SHOWN else ''}" if others else ""
        )
        return f"looked below {self.source.path}{through}{held}"


def _kept(source: Source, name: str, content: bytes) -> Picture:
    """Copy a picture into the prepared data. Its name carries a digest, as those of drawn pictures do."""
    stem, _, ending = name.rpartition(".")
    kept = f"{made.FOLDER}/{stem}-{hashlib.sha256(content).hexdigest()[:8]}.{ending}"
    file = source.to / kept
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return Picture(kept, file)


def _refused(path: str, message: str, help: str) -> RecipeError:
    return RecipeError([Place(path).refuse("R0640", message, help)])
