"""Hugging Face's protocol: the commit of a revision, the files at a commit, the address of a file.

GET /api/{models|datasets}/OWNER/NAME/revision/main                 → {sha, siblings: [{rfilename}]}
GET /api/{models|datasets}/OWNER/NAME/tree/COMMIT?recursive=true    → [{type, path, size, oid, lfs: {oid}}], Link: next
GET [/datasets]/OWNER/NAME/resolve/COMMIT/PATH                      → bytes, X-Repo-Commit
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from runners.hubs.endpoints import Endpoint
from runners.hubs.http import Failed, Session, whole
from runners.hubs.listing import COMMIT, Listed, Snapshot, checked, hexadecimal, number

NAME = "Hugging Face"
DEFAULT_REVISION = "main"
MOST_PAGES = 10_000
MOST_BYTES = 64 << 20  # of a file that the hub lists without sha256; larger ones are kept as large files there
_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?')


def resolve(session: Session, endpoint: Endpoint, kind: str, repo: str, revision: str | None) -> Snapshot:
    """What a repository has at a revision now. Errors: Failed; `wrong` when the hub contradicts itself."""
    requested = revision or DEFAULT_REVISION
    about, _ = session.json(endpoint, f"{_base(kind, repo)}/revision/{quote(requested, safe='')}")
    commit = hexadecimal(about.get("sha"), 40) if isinstance(about, dict) else None
    if commit is None:
        raise Failed("wrong", f"it does not say which commit {requested} is")
    if COMMIT.fullmatch(requested) and commit != requested:
        raise Failed("wrong", f"it answers with commit {commit} when it is asked for {requested}")
    listed = dict(_file(entry) for entry in _entries(session, endpoint, kind, repo, commit))
    files = checked(kind, listed)
    if cut := sorted(_siblings(about) - listed.keys()):
        raise Failed("wrong", f"its listing lacks {cut[0]}, which it names elsewhere")
    return Snapshot("huggingface", repo, requested, commit, files)


def file_path(kind: str, repo: str, commit: str, path: str) -> str:
    """Where the bytes of a file are, below the address of the hub."""
    return f"{'/datasets' if kind == 'dataset' else ''}/{quote(repo)}/resolve/{commit}/{quote(path)}"


def page_path(kind: str, repo: str) -> str:
    """Where a person sees the repository, below the address of the hub."""
    return f"{'/datasets' if kind == 'dataset' else ''}/{repo}"


def content(session: Session, endpoint: Endpoint, kind: str, snapshot: Snapshot, path: str) -> bytes:
    """The bytes of a file that is listed without sha256, held against its git blob and commit. Errors: Failed."""
    listed = snapshot.files[path]
    if listed.oid is None or listed.size > MOST_BYTES:
        raise Failed("wrong", f"it lists no digest for {path}")
    with session.open(endpoint, file_path(kind, snapshot.repo, snapshot.commit, path)) as answer:
        found = whole(answer, listed.size)
    if answer.commit != snapshot.commit:
        raise Failed("wrong", f"it gives {path} of commit {answer.commit} instead of {snapshot.commit}")
    if hashlib.sha1(b"blob %d\0%b" % (len(found), found), usedforsecurity=False).hexdigest() != listed.oid:
        raise Failed("wrong", f"it gives other bytes for {path} than it lists")
    return found


def _base(kind: str, repo: str) -> str:
    return f"/api/{kind}s/{quote(repo)}"


def _entries(session: Session, endpoint: Endpoint, kind: str, repo: str, commit: str) -> Iterator[Mapping[str, Any]]:
    """Everything in a repository at a commit, page by page. Errors: Failed."""
    path = f"{_base(kind, repo)}/tree/{commit}"
    query = "recursive=true"
    for _ in range(MOST_PAGES):
        entries, headers = session.json(endpoint, f"{path}?{query}")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise Failed("wrong", "its listing is none")
        if headers.get("X-Repo-Commit", commit) != commit:
            raise Failed("wrong", f"it lists commit {headers['X-Repo-Commit']} when it is asked for {commit}")
        yield from (entry for entry in entries if entry.get("type") != "directory")
        following = _NEXT.search(headers.get("Link", ""))
        if following is None:
            return
        query = urlsplit(following[1]).query  # only that: behind a mirror, the link may name the hub itself
    raise Failed("wrong", "its listing has no end")


def _siblings(about: Mapping[str, Any]) -> set[str]:
    siblings = about.get("siblings")
    return {str(s["rfilename"]) for s in siblings if isinstance(s, dict) and "rfilename" in s} if siblings else set()


def _file(entry: Mapping[str, Any]) -> tuple[str, Listed]:
    large = entry.get("lfs")
    sha256 = hexadecimal(large.get("oid"), 64) if isinstance(large, dict) else None
    return str(entry.get("path", "")), Listed(number(entry.get("size")), sha256, hexadecimal(entry.get("oid"), 40))
