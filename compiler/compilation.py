"""Bring compiled pipelines to what their recipes say, or find out which are not: what `recipe compile` does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from compiler import own_rewards
from compiler.passes import build
from compiler.plan import Plan
from compiler.render import render
from compiler.render.root import ROOT_FILES
from compiler.write import (
    abandoned,
    clash,
    differences,
    prune_lock,
    remove_leftovers,
    remove_pipeline,
    replace_file,
    write,
)
from schema.console import FINDINGS, chosen, report
from schema.diagnostics import Diagnostic, RecipeError
from schema.load import Loaded, load
from schema.pins import findings


def run(
    files: Sequence[Path],
    check: bool = False,
    out: Path | None = None,
    sets: Sequence[str] = (),
    locked: bool = False,
) -> int:
    """Compile recipes, or all of the project when none is named; the exit code.

    Args:
        check: Write nothing, and find what is stale.
        out: Write below this folder instead of the project's.
        sets: `a.b=c` assignments on top of every instance.
        locked: Refuse what its lock does not pin.
    """
    sources: dict[str, str] = {}
    found: list[Diagnostic] = []
    pinned = True
    for file in chosen(files):
        try:
            loaded = load(file, sources, sets)
            rewards = own_rewards.findings(loaded, sources)
            found += rewards
            plans = compiled(loaded)
            found += [warning for plan in plans for warning in plan.diagnostics]
            pinned = pinned and all(plan.pinned for plan in plans)
            if locked:
                refuse_unpinned(loaded)
            if any(diagnostic.severity == "error" for diagnostic in rewards):
                continue
            place = out or loaded.root
            found += find_stale(place, loaded, plans) if check else _write(place, loaded, plans)
        except RecipeError as error:
            found += error.diagnostics
    report(dict.fromkeys(found), sources)
    if any(diagnostic.severity == "error" for diagnostic in found):
        return FINDINGS
    if check:
        print("compiled files are up to date")
    elif not pinned:
        print("not pinned: without a lock the hash says what was asked for, not which bytes were used")
    return 0


def refuse_unpinned(loaded: Loaded) -> None:
    """Errors: RecipeError R0704 there is no lock, R0702 and R0703 it does not cover the recipe."""
    if loaded.lock is None:
        message = f"`{loaded.file}` has no lock, so nothing says which bytes its names stand for"
        raise RecipeError([Diagnostic("R0704", message, f"run `recipe lock {loaded.file}`, and commit what it writes")])
    if lacks := list(findings(loaded.file, loaded.instances, loaded.lock, "error")):
        raise RecipeError(lacks)


def compiled(loaded: Loaded) -> list[Plan]:
    """The plans of all instances of a recipe.

    Raises:
        RecipeError: what is wrong with any of them.
    """
    plans: list[Plan] = []
    errors: dict[Diagnostic, None] = {}
    for instance in loaded.instances:
        try:
            plans.append(build(loaded, instance.variant))
        except RecipeError as error:
            errors |= dict.fromkeys(error.diagnostics)
    if errors:
        raise RecipeError(errors)
    return plans


def find_stale(place: Path, loaded: Loaded, plans: list[Plan]) -> Iterator[Diagnostic]:
    """The pipelines whose files are not what their recipe compiles to."""
    _refuse_clash(place, loaded, plans)
    help = f"recipe changed, run `recipe compile {loaded.file}`"
    for name in differences(place / "pipelines", ROOT_FILES):
        yield Diagnostic("R0405", f"pipelines/{name} is stale", f"run `recipe compile {loaded.file}`")
    for plan in plans:
        changed = differences(place / plan.pipeline, render(plan))
        if changed:
            yield Diagnostic("R0405", f"{plan.pipeline} is stale: {', '.join(changed)}", help)
    for folder in _abandoned(place, loaded, plans):
        yield Diagnostic("R0405", f"{folder} belongs to no instance of {loaded.file} any more", help)


def _write(place: Path, loaded: Loaded, plans: list[Plan]) -> Iterator[Diagnostic]:
    """Bring the pipelines' folders to what the recipe says; a disk that does not take them is a finding."""
    _refuse_clash(place, loaded, plans)
    done: list[str] = []  # told at the end: whoever reads it may go away before
    try:
        remove_leftovers(place / "pipelines")
        for name, text in ROOT_FILES.items():
            replace_file(place / "pipelines" / name, text)
        for plan in plans:
            files = render(plan)
            changed = write(place / plan.pipeline, files)
            prune_lock(place / plan.pipeline, ["compiled", *(stage.name for stage in plan.stages)])
            told = f"{len(changed)} of {len(files)} files changed" if changed else "unchanged"
            done.append(f"{plan.pipeline}  {plan.recipe_hash[:12]}  {told}")
        for folder in _abandoned(place, loaded, plans):
            remove_pipeline(place / folder)
            done.append(f"{folder}  removed: it belongs to no instance of {loaded.file} any more")
    except OSError as error:
        message = f"{error.filename or place} cannot be written: {(error.strerror or str(error)).lower()}"
        yield Diagnostic(
            "R0407", message, "make room or access, and compile again; each file is old or new, none is half"
        )
    for line in done:
        print(line)


def _refuse_clash(place: Path, loaded: Loaded, plans: list[Plan]) -> None:
    for plan in plans:
        owner = clash(place / plan.pipeline, loaded.file)
        if owner is not None and (loaded.root / owner).is_file():
            span = loaded.instances[0].at("name")
            message = f"{plan.pipeline} belongs to `{owner}`"
            raise RecipeError([Diagnostic("R0406", message, "give this recipe another `name`", (span,))])


def _abandoned(place: Path, loaded: Loaded, plans: list[Plan]) -> list[str]:
    return abandoned(place, loaded.file, [plan.pipeline for plan in plans])
