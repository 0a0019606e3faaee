"""recipe setup: what a clone needs that git does not clone."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import typer

from schema.console import guarded
from schema.diagnostics import Diagnostic, RecipeError

ATTRIBUTES = ".gitattributes"
IGNORED = ("/.recipe/", "/outputs/", "/machine.yaml")
"""What runs make again, weights and all, and what is said of one machine."""
DRIVER = "dvc-lock"
"""The name that `.gitattributes` and the configuration of a clone share."""
NAME = "dvc.lock, stage by stage"
FIND = (
    "for recipe in {programs}; do"
    ' if command -v "$recipe" >/dev/null; then exec "$recipe" merge-lock %O %A %B %P; fi;'
    " done;"
    " exec git merge-file -L ours -L base -L theirs %A %O %B"
)
"""The command of the driver. Whoever merges may have activated no environment, and may stand on a commit without
`pipelines/exec.sh`; where the program is gone altogether, git's own merge of text is left."""


def setup() -> None:
    """Set up this clone of a project: have git merge the dvc.lock of two branches stage by stage."""
    guarded(_check)
    told = [_configure(f"merge.{DRIVER}.{key}", value) for key, value in (("name", NAME), ("driver", _driver()))]
    print(
        f"git merges dvc.lock stage by stage{'' if any(told) else ', as it did'}: merge.{DRIVER} in its configuration"
    )
    if not _attributed():
        print(f"to have it used, write and commit: echo 'dvc.lock merge={DRIVER}' >> {ATTRIBUTES}")
    if lines := _not_ignored():
        written = shlex.join(("printf", r"%s\n", *lines))
        print(f"to keep what runs make, and what is this machine's own, out of git: {written} >> .gitignore")
    raise typer.Exit(0)


def _driver() -> str:
    """The program that runs now, the one of this folder, or any on the PATH."""
    here = Path(sys.executable).with_name("recipe")
    programs = [*([str(here)] if here.exists() else []), ".venv/bin/recipe", "recipe"]
    return FIND.format(programs=" ".join(map(shlex.quote, programs)).replace("%", "%%"))


def _check() -> None:
    """Refuse where there is no clone. Raises RecipeError R0440."""
    try:
        done = _git("rev-parse", "--git-dir")
    except FileNotFoundError:
        raise RecipeError([Diagnostic("R0440", "git is not installed", "install it")]) from None
    if done.returncode != 0:
        told = done.stderr.strip().removeprefix("fatal: ").partition("\n")[0]
        message = f"this folder is no clone that git can set up: {told}"
        raise RecipeError([Diagnostic("R0440", message, "call it within the project; `git init` makes a repository")])


def _configure(key: str, value: str) -> bool:
    """Set a value of this clone's configuration; whether it changed."""
    if _git("config", "--local", "--get-all", key).stdout == f"{value}\n":
        return False
    done = _git("config", "--local", "--replace-all", key, value)
    if done.returncode != 0:
        message = f"git cannot write its configuration: {done.stderr.strip()}"
        guarded(lambda: _refuse(message))
    return True


def _refuse(message: str) -> None:
    raise RecipeError([Diagnostic("R0440", message, "make it writable, and call this again")])


def _attributed() -> bool:
    """Whether git would use the driver for a pipeline's record."""
    return f": {DRIVER}\n" in _git("check-attr", "merge", "pipelines/NAME/dvc.lock").stdout


def _not_ignored() -> list[str]:
    """Lines that `.gitignore` lacks: git would take what they name for its own."""
    inside = {line: f"{line.strip('/')}/any" if line.endswith("/") else line.strip("/") for line in IGNORED}
    return [line for line, path in inside.items() if _git("check-ignore", "--quiet", "--no-index", path).returncode]


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
