"""The two sides of a comparison: which recipes are meant, compiled, with what is committed beside them."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from compiler.diff.model import Compiled, Failure, Side
from compiler.diff.revisions import Revision, fork_point, resolve, write_recipes
from compiler.passes import build
from compiler.plan import Json, Plan
from schema.console import located, recipe_files
from schema.diagnostics import Diagnostic, RecipeError
from schema.load import load, project_root

WORKTREE = "worktree"
Committed = Callable[[Iterable[str]], Mapping[str, bytes]]
"""Reads the files of some paths, as far as they exist on a side."""


def sides(what: Sequence[str], folder: Path) -> tuple[Side, Side]:
    """What the words of the command line mean: nothing, one revision, a range, or two files.

    Raises:
        RecipeError: R0420 to R0423.
    """
    if len(what) == 2 and all(_is_file(name) for name in what):
        return _file_side(what[0]), _file_side(what[1])
    if len(what) > 1:
        help = "write `recipe diff A.yaml B.yaml`, or `recipe diff BASE..HEAD`"
        missing = next((name for name in what if not _is_file(name)), what[-1])
        raise RecipeError([Diagnostic("R0423", f"`{missing}` is not one of two recipe files", help)])
    if what and Path(what[0]).is_file():
        help = f"name a second file, or `recipe diff HEAD`, which compares all recipes; `{what[0]}` is one of them"
        raise RecipeError([Diagnostic("R0423", f"`{what[0]}` is compared with nothing", help)])
    root = project_root(folder / "recipes" / "any.yaml")
    base, dots, head = _range(what[0] if what else "HEAD")
    if not dots:
        return _revision_side(root, base, base), worktree(root)
    start = fork_point(root, base, head) if dots == "..." else base
    return _revision_side(root, start, base), _revision_side(root, head, head)


def _is_file(name: str) -> bool:
    return located(Path(name)).is_file()


def _range(text: str) -> tuple[str, str, str]:
    """Base, dots and head; a side that is left out is HEAD, as git has it."""
    dots = "..." if "..." in text else ".."
    base, found, head = text.partition(dots)
    return base or "HEAD", found, head or "HEAD"


def _revision_side(root: Path, revision: str, name: str) -> Side:
    found = resolve(root, revision)
    with tempfile.TemporaryDirectory(prefix="recipe-diff-") as temporary:
        folder = Path(temporary)
        (folder / ".dvc").mkdir()  # it is a project of its own
        refused = write_recipes(found, folder)
        side = _side(name, found.commit, folder, None, lambda paths: _blobs(found, paths))
    failures = (Failure(file, (diagnostic,), True) for file, diagnostic in refused.items())
    return replace(side, failures=(*failures, *side.failures))


def _blobs(revision: Revision, paths: Iterable[str]) -> dict[str, bytes]:
    wanted = set(paths)
    blobs = {path: blob for path, blob in revision.list("pipelines/").items() if path in wanted}
    return dict(zip(blobs, revision.read(blobs.values()), strict=True))


def worktree(root: Path) -> Side:
    """The recipes of a project as they stand there, those too that git does not know yet."""

    def read(paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        for path in paths:
            with contextlib.suppress(OSError):
                yield path, (root / path).read_bytes()

    return _side(WORKTREE, None, root, None, lambda paths: dict(read(paths)))


def _file_side(name: str) -> Side:
    return _side(name, None, Path(), located(Path(name)), lambda paths: {})


def _side(name: str, commit: str | None, folder: Path, file: Path | None, read: Committed) -> Side:
    """Compile the recipes of a folder, or one file. Within the folder, so that places are named as in the project."""
    sources: dict[str, str] = {}
    with contextlib.chdir(folder):
        outcomes = [_compile(path, sources) for path in ([file] if file else recipe_files(Path()))]
    plans = [plan for found, _ in outcomes for plan in found]
    committed = _documents(plans, read)
    compiled = tuple(Compiled(plan, committed.get(plan.label, {})) for plan in plans)
    return Side(name, commit, compiled, tuple(failure for _, failure in outcomes if failure), sources)


def _compile(path: Path, sources: dict[str, str]) -> tuple[list[Plan], Failure | None]:
    try:
        _refuse_bytes(path)
        loaded = load(path, sources)
    except RecipeError as error:
        return [], Failure(path.as_posix(), error.diagnostics, True)
    plans: list[Plan] = []
    wrong: dict[Diagnostic, None] = {}
    instances: list[tuple[str, str | None]] = []
    for instance in loaded.instances:
        try:
            plans.append(build(loaded, instance.variant))
        except RecipeError as error:
            wrong |= dict.fromkeys(error.diagnostics)
            instances.append((instance.label, instance.variant))
    return plans, Failure(path.as_posix(), tuple(wrong), False, tuple(instances)) if instances else None


def _refuse_bytes(path: Path) -> None:
    """A name that is no text cannot be written to a compiled file."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise RecipeError([Diagnostic("R0424", f"the name of `{path}` is not UTF-8", "rename the file")]) from None


def _documents(plans: Iterable[Plan], read: Committed) -> dict[str, dict[str, Json]]:
    """Label → stage → its committed identity."""
    places = {f"{plan.pipeline}/{stage.name}.json": (plan.label, stage.name) for plan in plans for stage in plan.stages}
    found: dict[str, dict[str, Json]] = {}
    for path, data in read(places).items():
        label, stage = places[path]
        with contextlib.suppress(ValueError):
            document = json.loads(data)
            if isinstance(document, dict):
                found.setdefault(label, {})[stage] = document
    return found
