"""From a finished launch to the stage's outputs: looked at, sealed, then moved into place one by one.

    .recipe/checkpoints/<key>/result/model, metrics.json …     what the launch has written
    .recipe/checkpoints/<key>/finished.json                    the seal: these results, by digest, belong to this action
    outputs/animals-lora/train/.incoming-0 …                   the same files, linked, on the disk of the outputs
    outputs/animals-lora/train/model, metrics.json …

Whatever stops the machine, the seal is there or not: without it the launch goes on from its checkpoint, with it the
results are handed over again, for DVC may have removed what was in place. Only then is the work folder removed.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from schema import digests
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import read_json, remove, sync, write_json

SEAL = "finished.json"
FORMAT = 2
# Small text files are searched for the project's absolute path; weights and pictures are not.
TEXT_SUFFIXES = {
    ".json", ".jsonl", ".csv", ".tsv", ".txt", ".md", ".html", ".yaml", ".yml", ".jinja", ".svg", ".toml", ".py", ".sh",
}  # fmt: skip
MAX_LISTED_FILES = 10_000
MAX_SEARCHED_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Seal:
    """Finished work: the action it belongs to, the digest of each out, and the run record's facts about the run.

    `files` has the sha256 of each file below the outs, empty when they are too many to list.
    """

    action: str
    outputs: dict[str, dict[str, Any]]
    files: dict[str, str]
    run: dict[str, Any]


def check(result: Path, outs: Sequence[str], root: Path) -> None:
    """The launch has written every out, nothing else, and nothing that only makes sense here. Errors: RecipeError."""
    found = list(_missing(result, outs))
    if result.is_dir():
        found += [*_unexpected(result, outs), *_bound_to_this_machine(result, root)]
    if found:
        raise RecipeError(found)


def _missing(result: Path, outs: Sequence[str]) -> Iterator[Diagnostic]:
    missing = [name for name in outs if not os.path.lexists(result / name)]
    if missing:
        message = f"the launch ended well but has not written {', '.join(missing)}"
        help = "look at the end of its log: each out belongs into $RECIPE_OUT/result"
        yield Diagnostic("R0508", message, help=help)


def _unexpected(result: Path, outs: Sequence[str]) -> Iterator[Diagnostic]:
    """An entry that is no out, above or below one."""
    wanted = [Path(name) for name in outs]
    above = {parent for path in wanted for parent in path.parents}
    extra = [
        name
        for name, _ in _entries(result, lambda path: path in above)
        if not any(path == Path(name) for path in wanted) and Path(name) not in above
    ]
    if extra:
        message = f"the launch has written {', '.join(sorted(extra))} into its result, which is no out of the stage"
        help = "what nobody declared would be lost: declare it as an out, or write it elsewhere"
        yield Diagnostic("R0508", message, help=help)


def _entries(folder: Path, enter: Callable[[Path], bool]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """(relative path, entry) of everything below a folder; folders are entered where `enter` says so, links never."""
    waiting = [Path()]
    while waiting:
        inside = waiting.pop()
        with os.scandir(folder / inside) as entries:
            for entry in entries:
                name = inside / entry.name
                yield name.as_posix(), entry
                if entry.is_dir(follow_symlinks=False) and enter(name):
                    waiting.append(name)


def _bound_to_this_machine(result: Path, root: Path) -> Iterator[Diagnostic]:
    places = {os.fsencode(path) + b"/" for path in (root.absolute(), root.resolve()) if len(path.parts) > 1}
    for name, entry in _entries(result, lambda path: True):
        if entry.is_symlink():
            message = f"{name} is a link: it would point nowhere on another machine"
            yield Diagnostic("R0509", message, help="write a copy of what it points to")
        elif entry.is_file() and _mentions(Path(entry.path), places):
            message = f"{name} holds the absolute path of this project: its bytes would differ on another machine"
            yield Diagnostic("R0509", message, help="leave the file out, or write the path relative to the project")
        elif not entry.is_file() and not entry.is_dir():
            yield Diagnostic("R0509", f"{name} is neither a file nor a folder", help="write plain files")


def _mentions(path: Path, places: set[bytes]) -> bool:
    if path.suffix not in TEXT_SUFFIXES or path.stat().st_size > MAX_SEARCHED_BYTES:
        return False
    content = path.read_bytes()
    return any(place in content for place in places)


def seal(work: Path, outs: Sequence[str], action: str, run: dict[str, Any]) -> Seal:
    """Have the results on the disk, then say so."""
    result = work / "result"
    files: dict[str, str] = {}

    def on_disk(path: Path) -> str:
        sync(path)
        files[path.relative_to(result).as_posix()] = digests.of_file(path)
        return files[path.relative_to(result).as_posix()]

    outputs = {name: digests.of_path(result / name, on_disk).as_json() for name in outs}
    sealed = Seal(action, outputs, files if len(files) <= MAX_LISTED_FILES else {}, run)
    write_json(work / SEAL, {"format": FORMAT, **asdict(sealed)})
    return sealed


def sealed(work: Path, outs: Sequence[str], action: str) -> Seal | None:
    """Finished work of this action that was not handed over to the end; None without it, or when its bytes changed."""
    document = read_json(work / SEAL)
    if not isinstance(document, dict) or (document.get("format"), document.get("action")) != (FORMAT, action):
        return None
    outputs = document["outputs"]
    try:
        whole = all(digests.of_path(work / "result" / name).as_json() == outputs.get(name) for name in outs)
    except OSError:
        return None
    return Seal(action, outputs, document["files"], document["run"]) if whole else None


def hand_over(result: Path, out: Path, outs: Sequence[str]) -> None:
    """Put each out in place; the results stay. Errors: OSError; a full disk is met before anything old is removed."""
    clear(out)
    incoming = {name: out / f".incoming-{number}" for number, name in enumerate(outs)}
    try:
        for name, path in incoming.items():
            _link_or_copy(result / name, path)
    except OSError:
        clear(out)
        raise
    for name, path in incoming.items():
        _swap(path, out / name, out / ".outgoing")
    sync(out)


def clear(out: Path) -> None:
    """Make the folder and remove what an interrupted hand-over left in it."""
    out.mkdir(parents=True, exist_ok=True)
    for leftover in (*out.glob(".incoming-*"), *out.glob(".outgoing"), *out.glob(".*.partial")):
        remove(leftover)


def _link_or_copy(source: Path, target: Path) -> None:
    if source.is_dir():
        target.mkdir()
        for below in source.iterdir():
            _link_or_copy(below, target / below.name)
    else:
        _link_or_copy_file(source, target)


def _link_or_copy_file(source: Path, target: Path) -> None:
    """A second name for the same bytes, or a copy where the file system has no such thing or the disk is another."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.EACCES}:
            raise
        shutil.copyfile(source, target)
        shutil.copymode(source, target)
        sync(target)


def _swap(new: Path, place: Path, old: Path) -> None:
    """A file is replaced at once; a folder leaves its place just before the new one takes it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(place) and (place.is_dir() or new.is_dir()):
        place.rename(old)
    new.replace(place)
    remove(new)  # two names of one file, after a hand-over that was interrupted: the rename has done nothing
    remove(old)
