"""Recipes of old versions of the language → the present one, as edits of their text.

`STEPS` is the whole way. A step is a module with small transforms; each looks at all recipes that are migrated together,
because files can belong to several of them. A base is of the version of the recipes that extend it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from schema.diagnostics import Diagnostic, RecipeError, Span
from schema.load import Reader, compose
from schema.migrate import v0_to_v1
from schema.migrate.changes import Change, Edit, Put
from schema.migrate.check import check
from schema.migrate.draft import Draft, read
from schema.migrate.edit import edited
from schema.migrate.step import Loss, Step, edits_of, results
from schema.recipe import VERSION
from schema.shape import is_old, other_version
from schema.source import Source, parse, read_source
from schema.tree import child, key_span, to_data, value_span

__all__ = ["STEPS", "Migration", "migrate", "reader", "version_of"]

STEPS: tuple[Step, ...] = (v0_to_v1,)
"""From the oldest version to the present one, without a gap."""


@dataclass(frozen=True, slots=True)
class Migration:
    """What becomes of recipes and what they extend: new texts, what was done, and what could not be kept."""

    before: Mapping[str, str]
    after: Mapping[str, str]
    """File → its text, of the files that change, in an order in which they can be written: see `_in_order`."""
    edits: tuple[Edit, ...] = ()
    losses: tuple[Loss, ...] = ()


def reader(texts: Mapping[str, str]) -> Reader:
    """Reads files as if some of them had these texts."""
    by_place = {os.path.realpath(name): text for name, text in texts.items()}

    def read_text(path: Path, display: str, where: Span | None = None) -> Source:
        text = by_place.get(os.path.realpath(path))
        return read_source(path, display, where) if text is None else Source(path, display, text)

    return read_text


def version_of(file: Path, sources: dict[str, str]) -> int:
    """The version of the language that a recipe is written in.

    Raises:
        RecipeError: it has none, or one that is not known (R0108), or a base of it has another one (R0727).
    """
    tree, files = compose(file, sources)
    node = child(tree, "version")
    place = value_span(tree, ("version",))
    if node is None:
        help = "add `version:`; where this is a base, name the recipes that extend it instead"
        raise RecipeError([Diagnostic("R0104", f"{file} has no `version`", help, (place,))])
    version = to_data(node)
    if not is_old(node) and (version != VERSION or isinstance(version, bool)):
        raise RecipeError([other_version(node, str(file), place)])
    assert isinstance(version, int | float)
    if wrong := [*_other_versions(files, sources, int(version))]:
        raise RecipeError(wrong)
    return int(version)


def _other_versions(files: Sequence[str], sources: Mapping[str, str], version: int) -> Iterator[Diagnostic]:
    for name in files:
        root = parse(sources[name], name)
        own = child(root, "version")
        if own is not None and to_data(own) != version:
            message = f"{name} says another version than {files[-1]}, which extends it and is of version {version}"
            help = "give both the version that their fields are written in"
            yield Diagnostic("R0727", message, help, (value_span(root, ("version",)),))


def migrate(recipes: Mapping[Path, int], sources: dict[str, str]) -> Migration:
    """Bring recipes, each of its version, and what they extend to the present version; nothing is written.

    Raises:
        RecipeError: what stops it; `sources` has the texts that its places are in.
    """
    done = Migration({}, {})
    at = dict(recipes)
    for step in STEPS:
        files = [file for file, version in at.items() if version == step.FROM]
        if files:
            done = _stepped(step, files, done, sources)
            at |= dict.fromkeys(files, step.TO)
    return done


def _stepped(step: Step, files: Sequence[Path], done: Migration, sources: dict[str, str]) -> Migration:
    draft = read(files, reader(done.after), sources)
    found = results(step, draft)
    edits = [*edits_of(found), *_versions(step, draft)]
    after = _in_order(_edited(draft, edits, sources), draft)
    texts = {**done.after, **after}
    check(step, draft, _read_again(files, texts, sources))
    return Migration(
        {**{name: sources[name] for name in after}, **done.before},
        texts,
        (*done.edits, *sorted(edits, key=lambda edit: edit.span)),
        (*done.losses, *(result for result in found if isinstance(result, Loss))),
    )


def _read_again(files: Sequence[Path], texts: Mapping[str, str], sources: dict[str, str]) -> Draft:
    """The recipes with their new texts; what is wrong with them is shown in these."""
    new: dict[str, str] = {}
    try:
        return read(files, reader(texts), new)
    except RecipeError:
        sources |= new
        raise


def _versions(step: Step, draft: Draft) -> Iterator[Edit]:
    for root in draft.roots.values():
        if "version" in root.items:
            place = key_span(root, ("version",))
            yield Edit(f"version {step.FROM} → {step.TO}", place, (Put(root, ("version",), step.TO),))


def _edited(draft: Draft, edits: Sequence[Edit], sources: Mapping[str, str]) -> dict[str, str]:
    """File → its new text, or everything that cannot be edited."""
    changes: dict[str, list[Change]] = {}
    for edit in edits:
        for change in edit.changes:
            changes.setdefault(change.map.span.file, []).append(change)
    after: dict[str, str] = {}
    errors: list[Diagnostic] = []
    for name, root in draft.roots.items():
        try:
            after |= {name: edited(sources[name], root, changes[name])} if name in changes else {}
        except RecipeError as error:
            errors += error.diagnostics
    if errors:
        raise RecipeError(errors)
    return after


def _in_order(texts: Mapping[str, str], draft: Draft) -> dict[str, str]:
    """Bases before what extends them, and files with a `version` last: what is half written says its old version."""
    return {name: texts[name] for name in sorted(texts, key=lambda name: "version" in draft.roots[name].items)}
