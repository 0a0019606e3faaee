"""The recipes of a git revision, written to a folder that can be thrown away. Nothing is checked out.

Blobs are read as they are stored: no filter, no attribute and no hook of the repository takes part.
"""

from __future__ import annotations

import os
import posixpath
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from schema import lock
from schema.diagnostics import Diagnostic, RecipeError
from schema.source import MAX_BYTES, MapNode, ScalarNode, SeqNode, scan

SUFFIXES = (".yaml", ".yml", ".lock")
"""What recipes and their locks end with; whatever else they extend is found on the way."""
LINK = "120000"
FILES = ("100644", "100755", "100664")


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of a revision."""

    mode: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit of the repository around a project; paths are relative to the project's root."""

    root: Path
    commit: str

    def list(self, *paths: str) -> dict[str, Blob]:
        """Path → blob, of files and links at or below these paths."""
        listed = _git(self.root, "ls-tree", "-r", "-l", "-z", self.commit, "--", *paths)
        found: dict[str, Blob] = {}
        for line in filter(None, listed.decode("utf-8", "surrogateescape").split("\0")):
            facts, _, path = line.partition("\t")
            mode, kind, digest, size = facts.split()
            if kind == "blob" and not size.isdecimal():
                raise _unreadable(f"the object {digest} is missing")
            if kind == "blob" and _inside(path):
                found[path] = Blob(mode, digest, int(size))
        return found

    def read(self, blobs: Iterable[Blob]) -> Iterator[bytes]:
        """The bytes of blobs, in their order."""
        wanted = "".join(f"{blob.digest}\n" for blob in blobs)
        answer = _git(self.root, "cat-file", "--batch", given=wanted.encode()) if wanted else b""
        start = 0
        while start < len(answer):
            end = answer.index(b"\n", start)
            size = _size(answer[start:end])
            yield answer[end + 1 : end + 1 + size]
            start = end + 1 + size + 1


def _size(told: bytes) -> int:
    """The size in what `cat-file` says of an object: `DIGEST blob SIZE`, or `DIGEST missing`."""
    if told.endswith(b" missing"):
        raise _unreadable(f"the object {told.split()[0].decode()} is missing")
    return int(told.split()[-1])


def resolve(root: Path, name: str) -> Revision:
    """The commit that a name means.

    Raises:
        RecipeError: R0420 there is no such revision, R0421 there is no repository or no git.
    """
    _git(root, "rev-parse", "--git-dir")
    commit = _commit(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if name.startswith("-") or commit is None:
        help = "`git log --oneline` shows revisions; in CI, fetch the base branch first"
        raise RecipeError([Diagnostic("R0420", f"the repository has no revision `{name}`", help)])
    return Revision(root, commit)


def fork_point(root: Path, base: str, head: str) -> str:
    """Where `head` left `base`: what `BASE...HEAD` means to git."""
    commits = [resolve(root, name).commit for name in (base, head)]
    found = _commit(root, "merge-base", *commits)
    if found is None:
        message = f"`{base}` and `{head}` have no common commit"
        raise RecipeError([Diagnostic("R0420", message, f"compare them directly: `{base}..{head}`")])
    return found


def write_recipes(revision: Revision, folder: Path) -> dict[str, Diagnostic]:
    """Write the recipes of a revision, and every file that they extend, below a folder; the links that lead out of it."""
    refused: dict[str, Diagnostic] = {}
    listed = revision.list("recipes/")
    blobs = {name: blob for name, blob in listed.items() if name.endswith(SUFFIXES) or blob.mode == LINK}
    written: set[str] = set()
    while blobs:
        found = dict(zip(blobs, _texts(revision, blobs), strict=True))
        reached = {path for name, data in found.items() for path in _write(folder, name, blobs[name], data)}
        links = (name for name, blob in blobs.items() if blob.mode == LINK and not _inside(_target(name, found[name])))
        refused |= {name: _leaves(name) for name in links}
        written |= set(blobs)
        waiting = reached - written
        listed = revision.list(*sorted(waiting)) if waiting else {}
        blobs = {name: blob for name, blob in listed.items() if name in waiting}
        for name in {posixpath.dirname(name) for name in listed} & waiting:
            (folder / name).mkdir(parents=True, exist_ok=True)  # a folder is no recipe, and loading says so
    return refused


def _leaves(name: str) -> Diagnostic:
    return Diagnostic("R0422", f"{name} is a link that leaves the project", "commit the file itself")


def _target(name: str, data: bytes) -> str:
    """Where a link points to, relative to the root."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), os.fsdecode(data)))


def _texts(revision: Revision, blobs: dict[str, Blob]) -> Iterator[bytes]:
    """The bytes of files; what is too large for a recipe is not read, and is too large when it is written."""
    small = iter(revision.read(blob for name, blob in blobs.items() if blob.size <= _most(name)))
    for name, blob in blobs.items():
        yield next(small) if blob.size <= _most(name) else b" " * (_most(name) + 1)


def _most(name: str) -> int:
    """The bytes that a file may have: locks are longer than recipes."""
    return lock.MAX_BYTES if name.endswith(lock.SUFFIX) else MAX_BYTES


def _write(folder: Path, name: str, blob: Blob, data: bytes) -> Iterator[str]:
    """Write one file; the paths that it leads to."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        return
    if blob.mode == LINK:
        target = _target(name, data)
        if _inside(target):
            path.symlink_to(os.path.relpath(folder / target, path.parent))
            yield target
    elif blob.mode in FILES:
        path.write_bytes(data)
        yield from (base for base in _bases(posixpath.dirname(name), data) if _inside(base))


def _bases(around: str, data: bytes) -> Iterator[str]:
    """The paths that a recipe's text extends, as far as it can be read; loading says what is wrong with it."""
    if b"extends" not in data:
        return
    root = scan(data.decode("utf-8", "replace"), "").root
    entry = root.items.get("extends") if isinstance(root, MapNode) else None
    for name in entry.value.items if entry and isinstance(entry.value, SeqNode) else ():
        if isinstance(name, ScalarNode) and name.raw and "\0" not in name.raw:
            yield posixpath.normpath(posixpath.join(around, name.raw))


def _inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and ".git" not in parts


def _commit(root: Path, *arguments: str) -> str | None:
    """The commit that a git command prints, or None where there is none."""
    done = _run(root, arguments)
    return done.stdout.decode().strip() or None if done.returncode == 0 else None


def _git(root: Path, *arguments: str, given: bytes = b"") -> bytes:
    """What a git command prints. Raises RecipeError (R0421) when it fails."""
    done = _run(root, arguments, given)
    if done.returncode != 0:
        told = done.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ").partition("\n")[0]
        raise _unreadable(told)
    return done.stdout


def _run(root: Path, arguments: Sequence[str], given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "GIT_LITERAL_PATHSPECS": "1", "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
    command = ["git", "-C", str(root), *arguments]
    try:
        return subprocess.run(command, input=given, env=environment, capture_output=True, check=False)
    except FileNotFoundError:
        raise RecipeError([Diagnostic("R0421", "git is not installed", "install it, or name two files")]) from None


def _unreadable(told: str) -> RecipeError:
    message = f"git cannot read the history of this project: {told}"
    return RecipeError([Diagnostic("R0421", message, "call it within a whole clone, or name two files")])
