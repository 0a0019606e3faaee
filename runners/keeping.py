"""What is in a store, whether it is still what it was, and what of it nobody names any more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runners import store as stores
from runners.fetch import RESOLVED, recorded
from runners.store import Store
from runners.transfer import Tick, nothing
from schema.diagnostics import Diagnostic, RecipeError
from schema.digests import of_file
from schema.files import read_json, remove
from schema.lock import SUFFIX, Asset, lock_of, read_lock
from schema.machine import load_machine


@dataclass(frozen=True, slots=True)
class Named:
    """Something that a lock or a record of a project names."""

    project: Path
    name: str
    asset: Asset


@dataclass(frozen=True, slots=True)
class Uses:
    """What the projects that use a store name, and of which of them that is not known, with the reason."""

    named: tuple[Named, ...]
    doubts: tuple[tuple[Path | None, str], ...] = ()

    @property
    def digests(self) -> frozenset[str]:
        return frozenset(file.sha256 for named in self.named for file in named.asset.files.values())

    def of(self, sha256: str) -> list[str]:
        """`config.json of Qwen/Qwen2-VL-2B-Instruct` for each name of some bytes."""
        found = [
            f"{path} of {named.name}"
            for named in self.named
            for path, file in named.asset.files.items()
            if file.sha256 == sha256
        ]
        return list(dict.fromkeys(found))


@dataclass
class Removed:
    """What gc took away, or would: numbers and bytes."""

    blobs: int = 0
    parts: int = 0
    damaged: int = 0
    size: int = 0
    paths: list[Path] = field(default_factory=list)


def store_of(root: Path) -> Store:
    """The store of a project. Errors: RecipeError when its machine file is wrong."""
    return Store(stores.place(root, load_machine(root), os.environ))


def uses(root: Path, store: Store) -> Uses:
    """What this project and all others that use the store name."""
    named: list[Named] = []
    doubts: list[tuple[Path | None, str]] = []
    for project in dict.fromkeys([root.resolve(), *store.projects()]):
        try:
            if project is None:
                doubts.append((None, "an entry of its register cannot be read"))
            elif not project.is_dir():
                doubts.append((project, "is not there"))
            else:
                named += _named(project)
        except RecipeError as error:
            doubts.append((project, error.diagnostics[0].message))
        except OSError as error:
            doubts.append((project, str(error)))
    return Uses(tuple(named), tuple(doubts))


def _named(project: Path) -> Iterator[Named]:
    """Errors: RecipeError, OSError when a lock or record cannot be read: then nobody knows what it names."""
    for path in _locks(project):
        lock = read_lock(path, str(path), {}).lock
        for assets in (lock.models, lock.datasets):
            yield from (Named(project, name, asset) for name, asset in assets.items())
    for path in sorted((project / RESOLVED).glob("*s/*.json")):
        asset = recorded(path)
        if asset is not None:
            yield Named(project, read_json(path)["name"], asset)


def _locks(project: Path) -> list[Path]:
    """The locks in `recipes`, and those of recipes elsewhere that are compiled."""
    found = set((project / "recipes").rglob(f"*{SUFFIX}"))
    for manifest in (project / "pipelines").rglob("manifest.json"):
        content = read_json(manifest)
        if isinstance(content, dict) and isinstance(content.get("recipe"), dict):
            found.add(lock_of(project / str(content["recipe"].get("file"))))
    return sorted(path for path in found if path.is_file())


def verify(root: Path, store: Store, tick: Tick = nothing) -> int:
    """Read everything; how many blobs there are. Errors: RecipeError with each that is damaged, now moved away."""
    wrong: list[Diagnostic] = []
    with store.in_use(tick):
        blobs = list(store.blobs())
        known = uses(root, store)
        for sha256, _ in blobs:
            tick()
            if of_file(store.blob(sha256)) != sha256:
                aside = store.set_aside(sha256)
                used = " and ".join(known.of(sha256)) or f"{sha256}, which no lock names,"
                message = f"{used} is damaged in the store"
                wrong.append(Diagnostic("R0538", message, f"it was moved to {aside}; the next fetch gets it anew"))
    if wrong:
        raise RecipeError(wrong)
    return len(blobs)


def gc(root: Path, store: Store, dry_run: bool = False) -> Removed:
    """Remove what no project that uses the store names. Errors: RecipeError (R0537) when that is not known."""
    with store.alone() as alone:
        if not alone:
            message = f"somebody is fetching into the store {store.folder}"
            raise RecipeError([Diagnostic("R0537", message, "wait until that is done")])
        known = uses(root, store)
        if known.doubts:
            raise RecipeError([_doubt(store, project, reason) for project, reason in known.doubts])
        removed = _unnamed(store, known.digests)
        if not dry_run:
            for path in removed.paths:
                remove(path)
    return removed


def _doubt(store: Store, project: Path | None, reason: str) -> Diagnostic:
    if project is None:
        message = f"{reason}, so nobody knows which projects use the store {store.folder}"
        return Diagnostic(
            "R0537", message, f"look into {store.folder / 'projects'}; a fetch of a project renews its entry"
        )
    message = f"what {project} needs of the store {store.folder} is not known: {reason}"
    help = f"mend that, or take it off the register if it is gone for good: `recipe store gc --forget {project}`"
    return Diagnostic("R0537", message, help)


def _unnamed(store: Store, keep: frozenset[str]) -> Removed:
    removed = Removed()
    for sha256, size in store.blobs():
        if sha256 not in keep:
            removed.blobs += 1
            removed.size += size
            removed.paths.append(store.blob(sha256))
    for path in sorted(store.parts.glob("*")):
        if path.name not in keep or store.blob(path.name).exists():
            removed.parts += 1
            removed.size += path.stat().st_size
            removed.paths.append(path)
    for path in sorted((store.folder / "damaged").glob("*")):
        removed.damaged += 1
        removed.size += path.stat().st_size
        removed.paths.append(path)
    return removed
