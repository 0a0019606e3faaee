"""The stages of a compiled `dvc.yaml`, as DVC reads it: what decides whether it runs them is in that file and nowhere else."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Step:
    """One stage for DVC. Paths are relative to the root, sorted as DVC sorts them."""

    name: str
    command: str
    dependencies: tuple[str, ...]
    outs: tuple[str, ...]


def steps(dvc_yaml: str) -> tuple[Step, ...]:
    """The stages in the order of the file, in which each comes after what it reads."""
    return tuple(
        Step(name, stage["cmd"], _paths(stage["deps"]), _paths(_outs(stage)))
        for name, stage in yaml.load(dvc_yaml, Loader=_Loader)["stages"].items()
    )


def _outs(stage: Any) -> Iterator[str]:
    for section in ("outs", "metrics", "plots"):
        yield from stage.get(section, ())


def _paths(written: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(posixpath.normpath(path.replace("\\${", "${")) for path in written))
