"""Environments of toolchains: `.recipe/toolchains/trl1-<digest>/`, made by uv when a stage first asks for one.

One that stands at its place is whole: it is made beside it and renamed at the end. Our own packages are links in it, so
that they are those of this installation whichever toolchain runs them.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from runners import processes
from runners.building import END_SECONDS, to_end
from runners.compiled import CODE, PYTHON, Stage, environment_of, packages_of
from runners.failures import tail
from runners.locks import held
from runners.supervise import say
from runners.transfer import Tick
from schema import digests
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import remove

OURS = ("runners", "schema")
TOLD = 8
"""Lines of uv's that are told when it fails."""


def ensure(stage: Stage, tick: Tick) -> None:
    """Have the environment that a stage runs in. Errors: RecipeError R0570 to R0572, what `tick` raises."""
    if stage.toolchain is not None:
        make(stage.root, stage.toolchain["name"], stage.toolchain["sha256"], tick)


def activated(stage: Stage, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of a launch with the programs of the stage's toolchain before all others."""
    folder = stage.environment
    if folder is None:
        return dict(environment)
    own = str(Path(sys.executable).parent)  # nothing of this installation is to stand in for what a toolchain lacks
    path = [part for part in environment.get("PATH", os.defpath).split(os.pathsep) if part != own]
    return {**environment, "PATH": os.pathsep.join([str(folder / "bin"), *path]), "VIRTUAL_ENV": str(folder)}


def make(root: Path, name: str, sha256: str, tick: Tick) -> bool:
    """Have the environment of a toolchain as its lock of this digest says; whether it was not there before.

    Errors: RecipeError R0570 no such lock is here, R0571 there is no uv, R0572 uv failed; what `tick` raises.
    """
    place = environment_of(root, name, sha256)
    made = False
    if not place.exists():
        lock = root / ".recipe" / "locks" / f"toolchain-{place.name}.lock"
        mark = f"toolchain:{place.resolve()}#"
        with held(lock, f"the toolchain {name}", tick, lambda run: _end(mark), seconds=float("inf")):
            _end(mark)
            if not place.exists():  # whoever held the lock may have made it
                _install(root, name, sha256, place, mark, tick)
                made = True
    _link_ours(place)
    return made


def _end(mark: str) -> None:
    """End what the making of this environment has left behind when it was killed."""
    group = processes.Group(mark)
    if group.members():
        processes.end(group.members, END_SECONDS)


def lock_file(root: Path, name: str, sha256: str) -> Path:
    """`toolchains/NAME.txt` of the project, or else of this installation. Errors: RecipeError R0570."""
    found = [folder / "toolchains" / f"{name}.txt" for folder in dict.fromkeys((root, CODE))]
    for path in found:
        if path.is_file() and digests.of_file(path) == sha256:
            return path
    there = next((path for path in found if path.is_file()), None)
    what = "is not the one that was compiled with" if there else "is not here"
    help = "compile again with the version installed here" if there else "restore it, for example from git"
    raise RecipeError([Diagnostic("R0570", f"toolchains/{name}.txt {what}: nothing says what to install", help)])


def program() -> str:
    """uv, beside this Python or on the PATH. Errors: RecipeError R0571."""
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        message = "`uv`, which makes the environments of toolchains, is not installed"
        raise RecipeError([Diagnostic("R0571", message, "run `make setup`, or `pip install uv`")])
    return found


def _install(root: Path, name: str, sha256: str, place: Path, mark: str, tick: Tick) -> None:
    """Make the environment beside its place, then put it there."""
    requirements, uv = lock_file(root, name, sha256), program()
    partial = place.with_name(f"{place.name}.partial")
    remove(partial)
    place.parent.mkdir(parents=True, exist_ok=True)
    say(f"making the environment of the toolchain {name}; the first time this takes some minutes")
    begun = time.monotonic()
    log = root / ".recipe" / "logs" / "toolchains" / f"{place.name}.log"
    environment = {**os.environ, processes.MARK: mark}
    for command in _commands(uv, partial, requirements):
        if to_end(command, root, environment, log, tick) != 0:
            remove(partial)
            raise RecipeError([_failed(root, name, log)])
    partial.rename(place)
    say(f"the toolchain {name} is there after {time.monotonic() - begun:.0f} s")


def _commands(uv: str, folder: Path, requirements: Path) -> Iterator[tuple[str, ...]]:
    """An environment whose programs find it wherever it stands, and the packages, each with its locked bytes."""
    python = sys.executable if sys.version_info[:2] == tuple(map(int, PYTHON.split("."))) else PYTHON
    yield uv, "venv", "--quiet", "--no-project", "--relocatable", "--python", python, str(folder)
    interpreter = str(folder / "bin" / "python")
    yield uv, "pip", "install", "--quiet", "--python", interpreter, "--require-hashes", "-r", str(requirements)


def _failed(root: Path, name: str, log: Path) -> Diagnostic:
    end = tail(log, lines=TOLD)
    say("\n".join(["--- the last lines of uv", *end, "---"]))
    said = " ".join(line.strip(" ╰─▶├│×") for line in end[-2:]) or "it said nothing"
    help = (
        f"its log is {log.relative_to(root)}; without a network, fetch the recipe on a machine that has one and copy "
    )
    help += f"{Path('.recipe', 'toolchains')}, or uv's cache"
    return Diagnostic("R0572", f"uv could not install the toolchain `{name}`: {said}", help)


def _link_ours(place: Path) -> None:
    """Our packages in an environment, by links that follow this installation when it moves."""
    for package in OURS:
        link, target = packages_of(place) / package, CODE / package
        if link.is_symlink() and link.readlink() == target:
            continue
        partial = link.with_name(f".{package}.{os.getpid()}.link")
        partial.unlink(missing_ok=True)
        partial.symlink_to(target)
        partial.replace(link)
