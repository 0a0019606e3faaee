"""ModelScope's protocol: the commit of a revision, the files at a commit, the address of a file.

GET /api/v1/{models|datasets}/OWNER/NAME/commits?Ref=master                  → Data.Commit[0].Id
GET /api/v1/models/OWNER/NAME/repo/files?Revision=COMMIT&Recursive=True      → Data.{Files, LatestCommitter, TotalCount}
GET /api/v1/datasets/OWNER/NAME/repo/tree?…&PageNumber=1&PageSize=200        → the same, page by page
GET /api/v1/{models|datasets}/OWNER/NAME/repo?Revision=COMMIT&FilePath=PATH  → bytes
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from runners.hubs.endpoints import Endpoint
from runners.hubs.http import Failed, Session, brief
from runners.hubs.listing import COMMIT, Listed, Snapshot, checked, hexadecimal, number

NAME = "ModelScope"
DEFAULT_REVISION = "master"
MOST_ENTRIES = 3000  # of one page; the hub cuts longer lists without a word
PAGE = 200


def resolve(session: Session, endpoint: Endpoint, kind: str, repo: str, revision: str | None) -> Snapshot:
    """What a repository has at a revision now. Errors: Failed; `wrong` when the hub contradicts itself."""
    requested = revision or DEFAULT_REVISION
    commit = _commit(session, endpoint, kind, repo, requested)
    if COMMIT.fullmatch(requested) and commit != requested:
        raise Failed("wrong", f"it answers with commit {commit} when it is asked for {requested}")
    listed = dict(_file(entry) for entry in _entries(session, endpoint, kind, repo, commit))
    files = checked(kind, listed)
    if unknown := [path for path, file in files.items() if file.sha256 is None]:
        raise Failed("wrong", f"it lists no sha256 for {unknown[0]}")
    return Snapshot("modelscope", repo, requested, commit, files)


def file_path(kind: str, repo: str, commit: str, path: str) -> str:
    """Where the bytes of a file are, below the address of the hub."""
    return f"{_base(kind, repo)}/repo?{urlencode({'Revision': commit, 'FilePath': path})}"


def page_path(kind: str, repo: str) -> str:
    """Where a person sees the repository, below the address of the hub."""
    return f"/{kind}s/{repo}"


def _base(kind: str, repo: str) -> str:
    return f"/api/v1/{kind}s/{quote(repo)}"


def _commit(session: Session, endpoint: Endpoint, kind: str, repo: str, requested: str) -> str:
    """The commit that a revision is now: the newest that leads to it, else the one that its listing names."""
    try:
        query = urlencode({"Ref": requested, "PageNumber": 1, "PageSize": 1})
        data = _data(session, endpoint, f"{_base(kind, repo)}/commits?{query}")
        commit = hexadecimal(data["Commit"][0]["Id"], 40)
    except (KeyError, IndexError, TypeError):
        commit = None
    except Failed as failed:
        if failed.kind == "unreachable":
            raise
        commit = None  # the listing says whether it is the repository or only this list that we may not see
    if commit is None:
        commit = _committer(next(_pages(session, endpoint, kind, repo, requested)))
    if commit is None:
        raise Failed("wrong", f"it does not say which commit {requested} is")
    return commit


def _entries(session: Session, endpoint: Endpoint, kind: str, repo: str, commit: str) -> list[Mapping[str, Any]]:
    """Everything in a repository at a commit. Errors: Failed when the listing is cut, or one of another commit."""
    entries: list[Mapping[str, Any]] = []
    total: object = None
    for data in _pages(session, endpoint, kind, repo, commit):
        if _committer(data) != commit:
            raise Failed("wrong", f"it lists commit {_committer(data)} when it is asked for {commit}")
        total = data.get("TotalCount", total)
        entries += data["Files"]
    files = [entry for entry in entries if entry.get("Type") != "tree"]
    if total is not None and total not in (len(entries), len(files)):
        raise Failed("wrong", f"it lists {len(files)} files and says that it has {total}")
    return files


def _pages(session: Session, endpoint: Endpoint, kind: str, repo: str, revision: str) -> Iterator[Mapping[str, Any]]:
    """One page for a model. Of a data set, pages until an empty one: a short page need not be the last."""
    for page in range(1, MOST_ENTRIES):
        query = {"Revision": revision, "Recursive": "True"}
        if kind == "dataset":
            query |= {"PageNumber": str(page), "PageSize": str(PAGE)}
        folder = "tree" if kind == "dataset" else "files"
        data = _data(session, endpoint, f"{_base(kind, repo)}/repo/{folder}?{urlencode(query)}")
        entries = data.get("Files")
        if entries is None and page == 1:
            raise Failed("wrong", "it lists no file")
        if not isinstance(entries or [], list) or not all(isinstance(entry, dict) for entry in entries or []):
            raise Failed("wrong", "its listing is none")
        if len(entries or []) >= MOST_ENTRIES:
            raise Failed("wrong", f"it lists {len(entries or [])} entries at once, where it cuts lists")
        if entries or page == 1:
            yield {**data, "Files": entries}
        if not entries or kind != "dataset":
            return


def _data(session: Session, endpoint: Endpoint, path: str) -> Mapping[str, Any]:
    """What is in the envelope. Errors: Failed, also when the envelope says that something went wrong."""
    document, _ = session.json(endpoint, path)
    if not isinstance(document, dict) or document.get("Success") is not True:
        said = document.get("Message") if isinstance(document, dict) else None
        raise Failed("wrong", f"it does not say that it succeeded: {brief(str(said or document))}")
    data = document.get("Data")
    if not isinstance(data, dict):
        raise Failed("wrong", "its answer holds nothing")
    return data


def _committer(data: Mapping[str, Any]) -> str | None:
    latest = data.get("LatestCommitter")
    return hexadecimal(latest.get("Id"), 40) if isinstance(latest, dict) else None


def _file(entry: Mapping[str, Any]) -> tuple[str, Listed]:
    return str(entry.get("Path", "")), Listed(number(entry.get("Size")), hexadecimal(entry.get("Sha256"), 64))
