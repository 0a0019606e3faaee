"""What the name of a model or data set stands for: a commit on each hub that has it, and its files by their bytes.

The hub that the recipe names says what it is. Another hub is a further source when it has all of these files with the
same bytes; its commits are others, so the bytes are all that the hubs have in common.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from runners import transfer
from runners.hubs import NAMES, PROTOCOLS, huggingface, words
from runners.hubs.endpoints import Endpoint
from runners.hubs.http import Failed, Limits, Session
from runners.hubs.listing import Snapshot
from runners.transfer import Run, Tick, nothing
from schema.diagnostics import RecipeError
from schema.lock import Asset, LockedFile, Source, digest_of, name_of

TEMPLATES = ("chat_template.jinja", "chat_template.json", "tokenizer_config.json")
"""Where a chat template may stand; the first goes before the others."""
ATTEMPTS = 2  # the second after damaged bytes of the store were moved away


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A hub that is no source, and why: for people."""

    hub: str
    reason: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a name stands for now, and which hubs do not have just that."""

    asset: Asset
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who is asked for what: one hub, its own id of it."""

    session: Session
    endpoint: Endpoint
    kind: str
    repo: str


def resolve(
    root: Path,
    kind: str,
    ids: Mapping[str, str],
    revision: str | None,
    first: str,
    tick: Tick = nothing,
    limits: Limits | None = None,
) -> Resolution:
    """What a `model` or `dataset` is now, on every hub that has it.

    Args:
        ids: Its id on each hub that is to be asked; the ids of one model may differ.
        revision: A branch, tag or commit; each hub's default branch when None.
        first: The hub that says what it is. One that has no such thing is followed by the others.

    Errors: RecipeError (R0530 nobody has it, R0531 a gate, R0532 `first` does not answer, R0533 its listing cannot be);
    OSError.
    """
    with transfer.opened(root, tick, limits=limits) as run:
        return resolve_in(run, kind, ids, revision, first)


def resolve_in(run: Run, kind: str, ids: Mapping[str, str], revision: str | None, first: str) -> Resolution:
    """The same as a part of a run, which must not be offline."""
    assert run.session is not None
    session = run.session.batch()
    (found,) = transfer.at_once([lambda: _sources(run, session, kind, ids, revision, first)], session, run.wait)
    asset, left_out = found
    if kind == "model":
        asset = asset.model_copy(update={"chat_template": _chat_template(run, name_of(ids[first], revision), asset)})
    return Resolution(asset, tuple(left_out))


def _sources(
    run: Run, session: Session, kind: str, ids: Mapping[str, str], revision: str | None, first: str
) -> tuple[Asset, list[LeftOut]]:
    """The asset as the first hub that has it lists it, with the others that have the same."""
    hubs = sorted((hub for hub in run.hubs if hub.hub in ids), key=lambda hub: hub.hub != first)
    asked = [_Asked(session, hub, kind, ids[hub.hub]) for hub in hubs]
    name = name_of(ids[first], revision)
    if not asked:
        raise RecipeError([words.nobody(name, list(ids))])
    left_out: list[LeftOut] = []
    while asked:
        authority = asked.pop(0)
        try:
            snapshot, files = _at(run, authority, revision)
        except Failed as failed:
            if failed.kind != "missing":
                raise RecipeError([words.of(kind, name, authority.repo, authority.endpoint, failed)]) from None
            left_out.append(_no_such(authority, revision))
            continue
        sources = {snapshot.hub: _source(snapshot)}
        for other in asked:
            same = _same(run, other, revision, files)
            if isinstance(same, LeftOut):
                left_out.append(same)
            else:
                sources[same.hub] = _source(same)
        return Asset(sha256=digest_of(files), sources=sources, files=files), left_out
    raise RecipeError([words.missing(kind, name, hubs)])


def _no_such(asked: _Asked, revision: str | None) -> LeftOut:
    return LeftOut(asked.endpoint.hub, f"has no {asked.kind} {name_of(asked.repo, revision)}")


def _source(snapshot: Snapshot) -> Source:
    return Source(repo=snapshot.repo, requested=snapshot.requested, commit=snapshot.commit)


def _snapshot(asked: _Asked, revision: str | None) -> Snapshot:
    protocol = PROTOCOLS[asked.endpoint.hub]
    snapshot: Snapshot = protocol.resolve(asked.session, asked.endpoint, asked.kind, asked.repo, revision)
    return snapshot


def _at(run: Run, asked: _Asked, revision: str | None) -> tuple[Snapshot, dict[str, LockedFile]]:
    """What a hub has, and its files with the sha256 of each. Errors: Failed."""
    snapshot = _snapshot(asked, revision)
    return snapshot, _locked_all(run, asked, snapshot, sorted(snapshot.files))


def _locked_all(run: Run, asked: _Asked, snapshot: Snapshot, paths: Sequence[str]) -> dict[str, LockedFile]:
    """Some files of a hub with the sha256 of each. Errors: Failed."""
    batch = asked.session.batch()
    jobs = [partial(_locked, run, replace(asked, session=batch), snapshot, path) for path in paths]
    return dict(zip(paths, transfer.at_once(jobs, batch, asked.session.check), strict=True))


def _locked(run: Run, asked: _Asked, snapshot: Snapshot, path: str) -> LockedFile:
    """One file; where the hub lists no sha256, its bytes are fetched, kept and hashed. Errors: Failed."""
    listed = snapshot.files[path]
    sha256 = listed.sha256 or run.store.put(_content(asked, snapshot, path))
    return LockedFile(size=listed.size, sha256=sha256)


def _content(asked: _Asked, snapshot: Snapshot, path: str) -> bytes:
    limits = asked.session.limits
    for attempt in range(1, limits.tries + 1):
        try:
            return huggingface.content(asked.session, asked.endpoint, asked.kind, snapshot, path)
        except Failed as failed:
            if failed.kind != "unreachable" or failed.timed_out or attempt == limits.tries:
                raise
        asked.session.pause(limits.pause * attempt)
    raise AssertionError("at least one try")


def _same(run: Run, asked: _Asked, revision: str | None, files: Mapping[str, LockedFile]) -> Snapshot | LeftOut:
    """What another hub has, when all files have the same bytes there."""
    try:
        snapshot = _snapshot(asked, revision)
        if lacking := sorted(files.keys() - snapshot.files.keys()):
            return LeftOut(snapshot.hub, f"lacks {_first(lacking)}")
        other = [path for path, file in files.items() if snapshot.files[path].size != file.size]
        if not other:
            found = _locked_all(run, asked, snapshot, sorted(files))
            other = [path for path, file in files.items() if found[path] != file]
    except Failed as failed:
        if failed.kind == "missing":
            return _no_such(asked, revision)
        reason = "wants a token or an accepted licence" if failed.kind in ("login", "gated") else failed.detail
        return LeftOut(asked.endpoint.hub, reason)
    return LeftOut(snapshot.hub, f"has other bytes in {_first(other)}") if other else snapshot


def _first(paths: list[str]) -> str:
    return paths[0] + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")


def _chat_template(run: Run, name: str, asset: Asset) -> str | None:
    """The sha256 of the chat template that a model brings along. Errors: RecipeError, OSError."""
    for path in (path for path in TEMPLATES if path in asset.files):
        if path.endswith(".jinja"):
            return asset.files[path].sha256
        if (text := _template(_read(run, name, asset, path))) is not None:
            return hashlib.sha256(text.encode()).hexdigest()
    return None


def _read(run: Run, name: str, asset: Asset, path: str) -> bytes:
    """The bytes of a file of a model. Errors: RecipeError, OSError."""
    for _ in range(ATTEMPTS):
        transfer.have(run, name, "model", asset, [path])
        if (content := run.store.read(asset.files[path].sha256)) is not None:
            return content
    raise RecipeError([words.disk(f"{path} of {name}")])


def _template(content: bytes) -> str | None:
    """The text of `chat_template` in a JSON file; of several, the one that is called `default`.

    >>> _template(b'{"chat_template": [{"name": "default", "template": "{{ x }}"}]}')
    '{{ x }}'
    """
    try:
        document: Any = json.loads(content)
        found = document["chat_template"]
        if isinstance(found, list):
            found = {entry["name"]: entry["template"] for entry in found}["default"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def told(left_out: LeftOut) -> str:
    """For people: `Hugging Face has other bytes in config.json`."""
    return f"{NAMES[left_out.hub]} {left_out.reason}"
