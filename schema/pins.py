"""What a recipe names outside of itself, and what its lock says of that: models, data sets, files, packages.

An unlocked name stands for whatever it means today. A locked one stands for bytes, wherever they come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from schema import code
from schema.components import digest
from schema.datasets.hub import OnHub, fetched
from schema.diagnostics import Diagnostic, Severity, Span
from schema.load import Instance
from schema.lock import Asset, Built, Local, Lock, Locked, name_of
from schema.models import Hub, ModelSpec, place_of
from schema.signature import toolchain
from schema.toolchain import DEFAULT

Section = Literal["models", "datasets", "built", "local"]
MAKER = "runners.tiny_model"
TOLD = 3
"""Packages of other versions that are told."""
SHORT = 12
"""Digits of a digest in the name of a folder."""


@dataclass(frozen=True, slots=True)
class Named:
    """One thing that a recipe names: `name` is what a lock calls it, `place` where the recipe does."""

    section: Section
    name: str
    place: Span
    hub: Hub = "modelscope"
    id: str = ""
    revision: str | None = None
    alias: str = ""
    """What the recipe itself calls it."""

    @property
    def key(self) -> tuple[Section, str]:
        """Its place in a lock."""
        return self.section, self.name


def named(instances: Iterable[Instance]) -> dict[tuple[Section, str], Named]:
    """What the instances of a recipe name, each once, in the order in which it is written."""
    found: dict[tuple[Section, str], Named] = {}
    for instance in instances:
        for one in _named(instance):
            found.setdefault(one.key, one)
    return found


def _named(instance: Instance) -> Iterator[Named]:
    recipe, at = instance.recipe, instance.at
    for name, spec in recipe.models.items():
        if spec.path is not None:
            yield Named("local", spec.path, at("models", name, "path"), alias=name)
        elif spec.tiny:
            yield Named("built", spec.id, at("models", name, "id"), alias=name)
        else:
            place = at("models", name, "id")
            yield Named("models", name_of(spec.id, spec.revision), place, spec.hub, spec.id, spec.revision, name)
    for name, dataset in recipe.datasets.items():
        if fetched(dataset):
            place, full = at("datasets", name, "id"), name_of(dataset.id, dataset.revision)
            yield Named("datasets", full, place, dataset.hub, dataset.id, dataset.revision, name)
        elif dataset.local is not None:
            yield Named("local", dataset.local, at("datasets", name, "path"), alias=name)
        if dataset.prompt_file is not None:
            yield Named("local", dataset.prompt_file, at("datasets", name, "prompt_file"))
    for name, stage in recipe.stages.items():
        for use in stage.files:
            yield Named("local", use.file, at("stages", name, *use.path))


def toolchains(instances: Iterable[Instance]) -> dict[str, Span]:
    """The toolchains beside the default one that the instances of a recipe run in, and where it names each first."""
    found: dict[str, Span] = {}
    for instance in instances:
        for name, stage in instance.recipe.stages.items():
            place = ("stages", name, "toolchain") if stage.toolchain else ("toolchain",)
            if (used := instance.recipe.toolchain_of(name)) != DEFAULT and used not in found:
                found[used] = instance.at(*place)
    return found


@cache
def maker() -> str:
    """The digest of what builds tiny models: the packages that it uses are part of every toolchain."""
    return digest(code.digests((MAKER,)))


def of_model(spec: ModelSpec, lock: Lock | None) -> Asset | Built | Local | None:
    """What a lock says of a model."""
    if lock is None:
        return None
    if spec.path is not None:
        return lock.local.get(spec.path)
    if spec.tiny:
        return lock.built.get(spec.id)
    return lock.models.get(name_of(spec.id, spec.revision))


def of_hub(dataset: OnHub, lock: Lock | None) -> Asset | None:
    """What a lock says of a data set of a hub."""
    return lock.datasets.get(name_of(dataset.id, dataset.revision)) if lock else None


def content(pin: Asset | Built | Local) -> Mapping[str, str]:
    """What stands for the bytes in a key. Of a tiny model, what would make it now: a stale lock moves no key back."""
    return {"code": maker()} if isinstance(pin, Built) else {"sha256": pin.sha256}


def model_folder(spec: ModelSpec, lock: Lock | None) -> str:
    """Where a model stands in the project: two pins of one id are two folders."""
    return spec.folder if spec.path is not None else _folder(spec.folder, spec.id, of_model(spec, lock))


def dataset_folder(dataset: OnHub, lock: Lock | None) -> str:
    """Where a data set of a hub stands in the project."""
    return _folder(dataset.folder, dataset.id, of_hub(dataset, lock))


def _folder(unpinned: str, id: str, pin: Asset | Built | Local | None) -> str:
    if pin is None:
        return unpinned
    (found,) = content(pin).values()
    return f"{unpinned.rpartition('/')[0]}/{place_of(id, found[:SHORT])}"


def unused(file: str, instances: Sequence[Instance], locked: Locked) -> Iterator[Diagnostic]:
    """R0702: what the lock of a recipe `file` says of things that the recipe does not name."""
    known = named(instances)
    for section in get_args(Section):
        for name in getattr(locked.lock, section):
            if (section, name) not in known:
                message = f"{locked.file} tells of `{name}`, which the recipe does not name"
                yield Diagnostic("R0702", message, f"run `recipe lock {file}`", (locked.at(section, name),))
    for name in locked.lock.toolchains.keys() - toolchains(instances).keys():
        message = f"{locked.file} tells of the toolchain `{name}`, in which no stage runs"
        yield Diagnostic("R0702", message, f"run `recipe lock {file}`", (locked.at("toolchains", name),))


def findings(file: str, instances: Sequence[Instance], locked: Locked, severity: Severity) -> Iterator[Diagnostic]:
    """R0702, R0703: what the lock of a recipe `file` lacks, or says of other tools than those at hand."""
    again = f"run `recipe lock {file}`"
    lock = locked.lock
    for one in named(instances).values():
        if one.name not in getattr(lock, one.section):
            message = f"{locked.file} says nothing of `{one.name}`"
            yield Diagnostic("R0702", message, again, (one.place,), severity)
    for id, built in lock.built.items():
        if built.code != maker():
            message = f"{id} is built by other code than when {locked.file} was written"
            yield Diagnostic("R0703", message, again, (locked.at("built", id),), severity)
    yield from _versions(file, locked, DEFAULT, severity)
    for name, place in toolchains(instances).items():
        if name in lock.toolchains:
            yield from _versions(file, locked, name, severity)
        else:
            message = f"{locked.file} says nothing of the toolchain `{name}`"
            yield Diagnostic("R0702", message, again, (place,), severity)


def _versions(file: str, locked: Locked, name: str, severity: Severity) -> Iterator[Diagnostic]:
    """R0703: a lock was written for other versions than a toolchain has."""
    lock, now = locked.lock, toolchain(name)
    was = lock.toolchain if name == DEFAULT else lock.toolchains[name]
    moved = [package for package in sorted(was.keys() | now.keys()) if was.get(package) != now.get(package)]
    if not moved:
        return
    told = [f"{package} {was.get(package, 'absent')} → {now.get(package, 'absent')}" for package in moved[:TOLD]]
    more = f" and {len(moved) - TOLD} more" if len(moved) > TOLD else ""
    within = "" if name == DEFAULT else f" of the toolchain `{name}`"
    message = f"{locked.file} was written for other versions{within}: {', '.join(told)}{more}"
    place = ("toolchain", moved[0]) if name == DEFAULT else ("toolchains", name, moved[0])
    yield Diagnostic("R0703", message, f"run `recipe lock {file}`", (locked.at(*place),), severity)
