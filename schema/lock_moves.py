"""The facts in which two locks of one recipe differ, for those who lock and for those who review."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from schema.lock import Asset, Built, Local, Lock
from schema.toolchain import DEFAULT

SHORT = 12
"""Digits of a digest that are shown."""
SECTIONS = ("models", "datasets", "built", "local", "toolchain")
ORDER = (*SECTIONS, "toolchains")
FILES = 3
"""Names of files that are told."""


Place = tuple[str, ...]
"""Where a fact stands in a lock: its section and name; of a package of a toolchain that is not the default one, three."""


@dataclass(frozen=True, slots=True)
class Moved:
    """One fact; an empty side has nothing of it. `bytes` says whether something else is read, not only from elsewhere."""

    section: str
    name: str
    before: str
    after: str
    bytes: bool
    files: tuple[str, ...] = ()
    """Files of a model or data set that came, went or changed."""

    @property
    def toolchain(self) -> str | None:
        """The toolchain, where the fact is the version of a package."""
        match self.section:
            case "toolchain":
                return DEFAULT
            case "toolchains":
                return self.name.split("/")[0]
        return None

    @property
    def place(self) -> Place:
        """Where it stands in a lock that has it."""
        return (self.section, *(self.name.split("/") if self.section == "toolchains" else (self.name,)))


def moved(before: Lock | None, after: Lock | None) -> Iterator[Moved]:
    """What moved, in the order of the file."""
    old, new = (dict(_facts(lock)) if lock else {} for lock in (before, after))
    for section, name in sorted(old.keys() | new.keys(), key=lambda fact: (ORDER.index(fact[0]), fact[1])):
        was, now = old.get((section, name)), new.get((section, name))
        if was != now:
            other = getattr(was, "sha256", was) != getattr(now, "sha256", now)
            yield Moved(section, name, _told(was), _told(now), other, tuple(_files(was, now)))


def _facts(lock: Lock) -> Iterator[tuple[tuple[str, str], Any]]:
    """(section, name) → what the lock says; a package of another toolchain is called `trl1/torch`."""
    for section in SECTIONS:
        yield from (((section, name), fact) for name, fact in getattr(lock, section).items())
    for toolchain, packages in lock.toolchains.items():
        yield from ((("toolchains", f"{toolchain}/{package}"), version) for package, version in packages.items())


def _told(pin: Any) -> str:
    """A pin in a few words."""
    match pin:
        case None:
            return ""
        case Asset():
            commits = (f"{hub}@{source.commit[:SHORT]}" for hub, source in sorted(pin.sources.items()))
            return " ".join([pin.sha256[:SHORT], *commits])
        case Local():
            return f"{pin.sha256[:SHORT]} ({pin.files} file{'s' if pin.files != 1 else ''}, {pin.size} bytes)"
        case Built():
            return f"code {pin.code[:SHORT]}"
        case _:
            return str(pin)


def _files(was: Any, now: Any) -> Iterator[str]:
    if isinstance(was, Asset) and isinstance(now, Asset):
        for path in sorted(was.files.keys() | now.files.keys()):
            if was.files.get(path) != now.files.get(path):
                yield path


def files_told(move: Moved) -> str:
    """`config.json, model.safetensors and 3 more`."""
    more = len(move.files) - FILES
    return ", ".join(move.files[:FILES]) + (f" and {more} more" if more > 0 else "")
