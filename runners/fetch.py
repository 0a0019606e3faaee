"""Put models and data sets of hubs in their places below `.recipe`: whole and verified, or not at all.

    .recipe/models/Qwen--Qwen2-VL-2B-Instruct             there, with the files and bytes of the lock and no others
    .recipe/models/.Qwen--Qwen2-VL-2B-Instruct.incoming   being put together out of the store

What the lock names comes from the store, else from where the lock says (`runners.transfer`). Without a lock it is what
the hub has now; that is noted under `.recipe/resolved`, so that it can be verified later. `tiny/FAMILY` is built.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from runners import building, transfer
from runners.failures import of_system
from runners.hubs import NAMES, words
from runners.hubs.http import Limits
from runners.locks import held
from runners.meter import size
from runners.resolve import resolve_in, told
from runners.supervise import say
from runners.transfer import Run, Tick, nothing
from schema.diagnostics import Diagnostic, RecipeError
from schema.digests import Remembered, of_file
from schema.files import read_json, remove, sync, write_json
from schema.lock import Asset, Lock, digest_of, lock_of, name_of, read_lock
from schema.models import TINY, place_of

RESOLVED = Path(".recipe", "resolved")
ATTEMPTS = 2  # the second after damaged bytes of the store were moved away


@dataclass(frozen=True, slots=True)
class Download:
    """An entry of `downloads` in a manifest: what, from which hub first, its place relative to the root.

    `asset` is what the lock says of it; None where nothing is locked, and for models that are built.
    """

    kind: str
    id: str
    hub: str
    revision: str | None
    to: str
    asset: Asset | None = None

    @property
    def name(self) -> str:
        """As a lock calls it."""
        return name_of(self.id, self.revision)

    @property
    def tiny(self) -> bool:
        return self.id.startswith(TINY)


def locked(root: Path, recipe: str) -> Lock | None:
    """The lock of a recipe, a file relative to the root; None where it has none. Errors: RecipeError."""
    path = lock_of(root / recipe)
    return read_lock(path, str(path.relative_to(root)), {}).lock if path.exists() else None


def downloads(entries: Iterable[Mapping[str, Any]], lock: Lock | None = None) -> tuple[Download, ...]:
    """The downloads of a manifest, with what the recipe's lock says of them.

    Errors: RecipeError: R0534 one would land outside `.recipe`; R0535 the manifest was compiled with another lock.
    """
    return tuple(_download(entry, lock) for entry in entries)


def _download(entry: Mapping[str, Any], lock: Lock | None) -> Download:
    parts = PurePosixPath(entry["to"]).parts
    name = name_of(entry["id"], entry["revision"])
    if len(parts) < 3 or parts[0] != ".recipe" or ".." in parts:
        message = f"{name} would be put into {entry['to']}"
        raise RecipeError([Diagnostic("R0534", message, "compile the recipe again: downloads lie in `.recipe`")])
    assets = {} if lock is None else lock.models if entry["kind"] == "model" else lock.datasets
    asset = assets.get(name)
    if entry.get("sha256") != (asset.sha256 if asset else None):
        message = f"{name} was compiled {'with another lock' if entry.get('sha256') else 'before it was locked'}"
        raise RecipeError([Diagnostic("R0535", message, "compile the recipe again: `recipe compile`")])
    return Download(entry["kind"], entry["id"], entry["hub"], entry["revision"], entry["to"], asset)


def ensure(
    root: Path,
    wanted: Iterable[Download],
    tick: Tick = nothing,
    *,
    offline: bool = False,
    quiet: bool = False,
    limits: Limits | None = None,
) -> list[Download]:
    """Have each download in its place; those that were not. `tick` is called often, and may raise to stop.

    Args:
        offline: Ask nobody: what is there is verified, and what is not comes from the store.
        quiet: Show no progress.

    Errors: RecipeError with every download that failed; the others are in their places.
    """
    fetched: list[Download] = []
    wrong: list[Diagnostic] = []
    try:
        with closing(_each(root, list(wanted), tick, offline, quiet, limits)) as each:
            for download, run in each:
                try:
                    if fetch(root, download, run, tick):
                        fetched.append(download)
                except RecipeError as error:
                    wrong += error.diagnostics
    except OSError as error:  # for all that follow, too
        wrong.append(of_system(error, root))
    if wrong:
        raise RecipeError(dict.fromkeys(wrong))
    return fetched


def _each(
    root: Path, wanted: list[Download], tick: Tick, offline: bool, quiet: bool, limits: Limits | None
) -> Generator[tuple[Download, Run | None]]:
    """The downloads; those of hubs share a run, and what is built needs none."""
    yield from ((download, None) for download in wanted if download.tiny)
    if hubs := [download for download in wanted if not download.tiny]:
        with transfer.opened(root, tick, offline=offline, quiet=quiet, limits=limits) as run:
            yield from ((download, run) for download in hubs)


def fetch(root: Path, download: Download, run: Run | None, tick: Tick) -> bool:
    """Have one download in its place; whether it was not there as it has to be. Errors: RecipeError, OSError."""
    place = root / download.to
    lock = root / ".recipe" / "locks" / f"fetch-{hashlib.sha256(download.to.encode()).hexdigest()[:16]}.lock"
    if run is None:
        return building.build(root, download.id, place, lock, tick)
    with held(lock, download.name, tick, lambda run: None, seconds=float("inf")):
        asset = _needed(run, download, place)
        if asset is None:
            return False
        say(f"fetching {download.name}: {_counted(asset)}")
        _put(run, download, asset, place)
    return True


def _counted(asset: Asset) -> str:
    return f"{len(asset.files)} file{'s' if len(asset.files) != 1 else ''}, {size(asset.size)}"


def _needed(run: Run, download: Download, place: Path) -> Asset | None:
    """What has to be put in the place; None when it stands there. Errors: RecipeError."""
    known = download.asset or remembered(run.root, download)
    if os.path.lexists(place):
        if known is None:
            say(f"{download.name} is in {download.to}, and no lock says what it has to be: `recipe lock` does")
            return None
        if (
            place.exists()
            and Remembered(run.root / ".recipe" / "cache", place, run.tick).digest().sha256 == known.sha256
        ):
            return None
        say(f"{download.name}: {download.to} is not what was fetched or locked; putting it right")
        return known
    if run.session is None and known is None:
        message = f"nothing here says what {download.name} is"
        help = "fetch it once without --offline, or lock it where there is a network: `recipe lock`"
        raise RecipeError([Diagnostic("R0536", message, help)])
    return known if download.asset or run.session is None else _resolved(run, download)


def _resolved(run: Run, download: Download) -> Asset:
    """What a hub has now, where no lock says it. Errors: RecipeError."""
    found = resolve_in(
        run,
        download.kind,
        {hub.hub: download.id for hub in run.hubs} | {download.hub: download.id},
        download.revision,
        download.hub,
    )
    hub, source = next(iter(found.asset.sources.items()))
    say(f"{download.name} is not pinned: taking what {NAMES[hub]} has now, commit {source.commit[:12]}")
    for left_out in found.left_out:
        say(f"{download.name}: {told(left_out)}")
    record = _record(run.root, download)
    record.parent.mkdir(parents=True, exist_ok=True)
    write_json(record, {"kind": download.kind, "name": download.name, "asset": found.asset.model_dump(mode="json")})
    return found.asset


def _record(root: Path, download: Download) -> Path:
    return root / RESOLVED / f"{download.kind}s" / f"{place_of(download.id, download.revision)}.json"


def remembered(root: Path, download: Download) -> Asset | None:
    """What a name stood for when it was fetched without a lock; None when it never was."""
    return recorded(_record(root, download))


def recorded(file: Path) -> Asset | None:
    """What a record of `.recipe/resolved` says; None when it is none."""
    try:
        asset = Asset.model_validate(read_json(file)["asset"])
    except (ValidationError, TypeError, KeyError):
        return None
    return asset if digest_of(asset.files) == asset.sha256 else None


def _put(run: Run, download: Download, asset: Asset, place: Path) -> None:
    """Put an asset in its place by one rename, once all of it was read back. Errors: RecipeError, OSError."""
    incoming = place.with_name(f".{place.name}.incoming")
    for path, file in asset.files.items():
        run.store.adopt(place / path, file)
    for _ in range(ATTEMPTS):
        transfer.have(run, download.name, download.kind, asset)
        place.parent.mkdir(parents=True, exist_ok=True)
        with _removed(incoming):
            run.store.assemble(asset.files, incoming, run.tick)
            damaged = [path for path, file in asset.files.items() if _sha256(incoming / path, run.tick) != file.sha256]
            if not damaged:
                _promote(incoming, place)
                return
        for sha256 in {asset.files[path].sha256 for path in damaged}:
            say(f"the store has damaged bytes, moved to {run.store.set_aside(sha256)}")
    raise RecipeError([words.disk(f"{damaged[0]} of {download.name}")])


def _sha256(path: Path, tick: Tick) -> str:
    tick()
    return of_file(path)


@contextmanager
def _removed(folder: Path) -> Iterator[None]:
    """Whatever happens, the folder is not left; it is not there any more when all went well."""
    try:
        yield
    finally:
        remove(folder)


def _promote(incoming: Path, place: Path) -> None:
    """Have the folder in its place; what stood there is removed once that is done."""
    old = place.with_name(f".{place.name}.old")
    remove(old)
    if os.path.lexists(place):
        place.rename(old)
    incoming.rename(place)
    sync(place.parent)
    remove(old)
