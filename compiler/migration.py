"""Bring recipes of old versions of the language to the present one: what `recipe migrate` does."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from compiler.compilation import compiled
from compiler.proof import Proof, prove
from schema.console import FINDINGS, chosen, fail, recipe_files, report
from schema.diagnostics import Diagnostic, RecipeError, Span
from schema.load import compose, load, project_root
from schema.migrate import Migration, migrate, reader, version_of
from schema.migrate.replace import JOURNAL, finish, replace_all, unfinished
from schema.recipe import VERSION

DIGITS = 12
"""Of a hash, as many as are shown."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is done with recipes, and that it is right: the proofs of each recipe that is new."""

    versions: Mapping[Path, int]
    migration: Migration
    proofs: Mapping[Path, Sequence[Proof]]
    finished: Sequence[str] = ()
    """Files of a migration that an earlier call began and this one finished."""

    @property
    def old(self) -> list[Path]:
        """The recipes that are migrated."""
        return [file for file, version in self.versions.items() if version < VERSION]


def run(files: Sequence[Path], check: bool = False, diff: bool = False) -> int:
    """Migrate recipes, or all of the project when none is named; the exit code.

    Args:
        check: Write nothing, and find out whether there is something to migrate.
        diff: Write nothing, and show how the files would change.
    """
    sources: dict[str, str] = {}
    recipes = chosen(files)
    root = _project(recipes)
    try:
        finished = _finished(root, look=check or diff)
        outcome = _outcome(root, recipes, finished, sources)
        if not (check or diff):
            replace_all(root, outcome.migration.before, outcome.migration.after)
    except RecipeError as error:
        report(error.diagnostics, sources)
        return FINDINGS
    for line in _diff(outcome.migration) if diff else _told(outcome, wrote=not check):
        print(line)
    return FINDINGS if check and outcome.old else 0


def _project(recipes: Sequence[Path]) -> Path:
    roots = {project_root(file) for file in recipes}
    return roots.pop() if len(roots) == 1 else fail("these recipes belong to several projects: migrate one at a time")


def _finished(root: Path, look: bool) -> list[str]:
    """Finish a migration that was cut off; its files."""
    texts = unfinished(root)
    if texts and look:
        files = tuple(Span(name, 1, 1, 1, 1) for name in texts)
        help = f"run `recipe migrate`, which finishes it; {JOURNAL} has the old texts"
        raise RecipeError([Diagnostic("R0725", "a migration was cut off before all files were written", help, files)])
    if texts:
        finish(root, texts)
    return list(texts)


def _outcome(root: Path, recipes: Sequence[Path], finished: Sequence[str], sources: dict[str, str]) -> Outcome:
    """Everything that is to be known before anything is written."""
    versions = _versions(recipes, sources)
    old = {file: version for file, version in versions.items() if version < VERSION}
    migration = migrate(old, sources)
    _refuse_left_behind(root, old, migration)
    places = {os.path.realpath(root / name) for name in finished}
    new = [file for file in versions if file in old or os.path.realpath(file) in places]
    return Outcome(versions, migration, _proofs(root, new, migration, sources), finished)


def _versions(recipes: Sequence[Path], sources: dict[str, str]) -> dict[Path, int]:
    """Recipe → its version, each file once."""
    versions: dict[Path, int] = {}
    errors: list[Diagnostic] = []
    for file in {os.path.realpath(file): file for file in reversed(recipes)}.values():
        try:
            versions[file] = version_of(file, sources)
        except RecipeError as error:
            errors += error.diagnostics
    if errors:
        raise RecipeError(errors)
    return dict(reversed(versions.items()))


def _refuse_left_behind(root: Path, old: Iterable[Path], migration: Migration) -> None:
    """R0723: another recipe extends a file that changes, and would be of two versions."""
    changing = {os.path.realpath(name): name for name in migration.after}
    together = {os.path.realpath(file): str(file) for file in old}
    found: dict[str, list[str]] = {}
    for path in recipe_files(root) if changing else ():
        file = Path(os.path.relpath(path))
        if os.path.realpath(file) not in together:
            for name in _extended(file):
                if os.path.realpath(name) in changing:
                    found.setdefault(changing[os.path.realpath(name)], []).append(str(file))
    if found:
        others = dict.fromkeys(other for files in found.values() for other in files)
        help = f"run `recipe migrate {' '.join([*together.values(), *others])}`; where one is of another version, copy the base"
        raise RecipeError(
            Diagnostic("R0723", f"{name} is also part of {', '.join(files)}", help, (Span(name, 1, 1, 1, 1),))
            for name, files in found.items()
        )


def _extended(file: Path) -> Sequence[str]:
    """The files that a recipe is made of; nothing where it cannot be read, which any other verb says, or is a base."""
    try:
        tree, files = compose(file, {})
    except RecipeError:
        return ()
    return files if {"name", "version"} <= tree.items.keys() else ()


def _proofs(
    root: Path, recipes: Sequence[Path], migration: Migration, sources: dict[str, str]
) -> dict[Path, list[Proof]]:
    """Compile the new texts in memory, and compare with what is committed."""
    found: dict[Path, list[Proof]] = {}
    errors: dict[Diagnostic, None] = {}
    for file in recipes:
        try:
            plans = compiled(load(file, sources, read=reader(migration.after)))
            found[file] = [prove(root, plan) for plan in plans]
        except RecipeError as error:
            errors |= dict.fromkeys(error.diagnostics)
    if errors:
        print(
            "what these recipes become is not valid: nothing was written, and places are in the new text",
            file=sys.stderr,
        )
        raise RecipeError(errors)
    return found


# What is told


def _diff(migration: Migration) -> Iterator[str]:
    """The files that change, as unified diffs."""
    for name, new in migration.after.items():
        old = migration.before[name].splitlines()
        yield from difflib.unified_diff(old, new.splitlines(), f"a/{name}", f"b/{name}", lineterm="")


def _told(outcome: Outcome, wrote: bool) -> Iterator[str]:
    """What was done, line by line, and what it means for hashes."""
    if outcome.finished:
        yield f"finished a migration that was cut off: {', '.join(outcome.finished)}"
    for edit in outcome.migration.edits:
        yield f"{edit.span.file}:{edit.span.line}  {edit.note}"
    for place, reason in dict.fromkeys(
        (loss.place, f"{loss.stage}: {loss.reason}") for loss in outcome.migration.losses
    ):
        yield f"{place.file}:{place.line}  cannot be kept: {reason}"
    for file, version in outcome.versions.items():
        if version < VERSION:
            yield f"{file}  {'migrated' if wrote else 'would be migrated'} from version {version} to {VERSION}"
        elif not outcome.proofs.get(file):
            yield f"{file}  is of version {version}, the present one: nothing to do"
        proofs = outcome.proofs.get(file, ())
        for proof in proofs:
            yield from _proof(proof)
        if any(proof.committed and not proof.kept for proof in proofs):
            yield f"{file}  look at what moved, then run `recipe compile {file}`"


def _proof(proof: Proof) -> Iterator[str]:
    now = proof.now[:DIGITS]
    if proof.committed is None:
        yield f"{proof.label}  hash {now}: no compiled pipeline to compare with"
    elif proof.kept:
        yield f"{proof.label}  hash kept {now}"
    else:
        yield f"{proof.label}  hash moved {proof.committed[:DIGITS]} → {now}"
        yield from (f"  {why}" for why in proof.facts)
