"""Resolve what a recipe names, and find what a lock no longer says rightly: what `recipe lock` does.

What is pinned stays pinned. New names are resolved, names that are gone are dropped, and the digests of local data, of
what builds tiny models and the toolchains are always those of now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import get_args

from schema.diagnostics import Diagnostic, RecipeError
from schema.digests import Remembered, files_below
from schema.load import Loaded
from schema.lock import REVISION, VERSION, Asset, Built, Entry, Local, Lock
from schema.models import Hub
from schema.pins import Named, Section, findings, maker, named, toolchains, unused
from schema.signature import find_model, toolchain

Resolve = Callable[[str, Mapping[Hub, str], str | None, Hub], Asset]
"""Kind, the id on each hub, revision, the hub that decides → what it is. Errors: RecipeError."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told of the digests of local data: a path and its bytes, then bytes that were read."""

    begin: Callable[[str, int], None] = lambda path, size: None
    read: Callable[[int], None] = lambda size: None


@dataclass(frozen=True)
class Locking:
    """One recipe with the pins it has; `upgrade` names those that are resolved anew, None all."""

    loaded: Loaded
    resolve: Resolve
    upgrade: frozenset[str] | None = frozenset()
    watch: Watch = Watch()

    @property
    def kept(self) -> Lock:
        """The pins so far."""
        return self.loaded.lock.lock if self.loaded.lock else Lock(version=VERSION, revision=1)

    @cached_property
    def wanted(self) -> list[Named]:
        """What the recipe names."""
        return list(named(self.loaded.instances).values())

    def lock(self) -> tuple[Lock, list[Diagnostic]]:
        """The new lock, and what could not be resolved or is not here: that keeps the pin it has, or has none."""
        entries: dict[Section, dict[str, Entry]] = {section: {} for section in get_args(Section)}
        wrong: list[Diagnostic] = []
        for one in self.wanted:
            try:
                entries[one.section][one.name] = self._entry(one)
            except RecipeError as error:
                wrong += error.diagnostics
                if (before := self._pin(one)) is not None:
                    entries[one.section][one.name] = before
        others = {name: toolchain(name) for name in toolchains(self.loaded.instances)}
        revision = max(self.kept.revision, REVISION if others else 1)
        head = {"version": VERSION, "revision": revision, "toolchain": toolchain(), "toolchains": others}
        return Lock.model_validate({**head, **entries}), wrong

    def _pin(self, one: Named) -> Entry | None:
        pin: Entry | None = getattr(self.kept, one.section).get(one.name)
        return pin

    def _entry(self, one: Named) -> Entry:
        """What a name stands for. Errors: RecipeError."""
        if one.section == "built":
            return Built(code=maker())
        if one.section == "local":
            return local(self.loaded.root, one, self.watch)
        pin = self._pin(one)
        if pin is not None and not self._upgrades(one):
            return pin
        kind = one.section.removesuffix("s")
        return self.resolve(kind, _ids(one), one.revision, one.hub)

    def _upgrades(self, one: Named) -> bool:
        return self.upgrade is None or not self.upgrade.isdisjoint((one.name, one.id, one.alias))


def _ids(one: Named) -> dict[Hub, str]:
    """The id on each hub: the same, unless ms-swift's registry knows the model under two."""
    ids: dict[Hub, str] = dict.fromkeys(get_args(Hub), one.id)
    entries = find_model(one.id) if one.section == "models" else []
    for entry in entries:
        if one.id == entry.modelscope and entry.huggingface:
            ids["huggingface"] = entry.huggingface
        if one.id == entry.huggingface and entry.modelscope:
            ids["modelscope"] = entry.modelscope
    return ids | {one.hub: one.id}


def local(root: Path, one: Named, watch: Watch) -> Local:
    """The digest of a file or folder of the project, remembered by file status. Errors: RecipeError R0705 it is not there."""
    path = root / one.name
    if not path.exists():
        message = f"`{one.name}` is not here, so it cannot be pinned"
        help = "put it there, or say in machine.yaml under `data:` where it lies"
        raise RecipeError([Diagnostic("R0705", message, help, (one.place,))])
    watch.begin(one.name, _size(path))
    found = Remembered(root / ".recipe" / "cache", path, read=watch.read).digest()
    return Local.model_validate(found.as_json())


def _size(path: Path) -> int:
    return sum(file.stat().st_size for _, file in files_below(path)) if path.is_dir() else path.stat().st_size


def stale(locking: Locking) -> Iterator[Diagnostic]:
    """What a lock no longer says rightly, without asking a hub. Errors of severity `note` are no faults of the lock."""
    loaded = locking.loaded
    if loaded.lock is None:
        message = f"`{loaded.file}` has no lock, so nothing says which bytes its names stand for"
        yield Diagnostic("R0704", message, f"run `recipe lock {loaded.file}`, and commit what it writes")
        return
    yield from findings(loaded.file, loaded.instances, loaded.lock, "error")
    yield from unused(loaded.file, loaded.instances, loaded.lock)
    for one in locking.wanted:
        pin = loaded.lock.lock.local.get(one.name) if one.section == "local" else None
        if pin is None:
            continue
        if not (loaded.root / one.name).exists():
            yield Diagnostic("R0705", f"`{one.name}` is not here, so its pin was not checked", "", (one.place,), "note")
        elif (found := local(loaded.root, one, locking.watch)) != pin:
            message = f"`{one.name}` has other bytes than {loaded.lock.file} says: {found.sha256[:12]}"
            help = f"bring the data back, or pin what is there now: `recipe lock {loaded.file}`"
            yield Diagnostic("R0706", message, help, (loaded.lock.at("local", one.name, "sha256"), one.place))


def unknown(names: Iterable[str], lockings: Iterable[Locking]) -> list[str]:
    """Names to upgrade that no recipe has."""
    known = {alias for locking in lockings for one in locking.wanted for alias in (one.name, one.id, one.alias)}
    return [name for name in names if name not in known]
