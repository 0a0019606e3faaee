"""A recipe file to its instances: read, extend, overlay, validate, check. Everything that is wrong comes at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from schema.checks import check, check_rest
from schema.compose import assignment, instance, join_bases, overlays
from schema.diagnostics import Diagnostic, RecipeError, Span
from schema.lock import Locked, lock_of, read_lock
from schema.recipe import Recipe
from schema.shape import validate
from schema.source import Source, read_source, scan
from schema.tree import MapNode, ScalarNode, SeqNode, key_span, value_span

At = Callable[..., Span]
"""The place of a field, by its path; the nearest thing around it when the field was not written."""
Reader = Callable[[Path, str, Span | None], Source]
"""Reads a recipe file; other than `read_source` where a text is to be judged that is not on the disk yet."""


@dataclass(frozen=True, slots=True)
class Instance:
    """The recipe of one variant, and where its fields were written."""

    recipe: Recipe
    variant: str | None
    tree: MapNode
    findings: tuple[Diagnostic, ...] = ()
    """What rules across fields found, errors too: compiling reports them together with its own."""

    def at(self, *path: str | int) -> Span:
        """The place of a field's value."""
        return value_span(self.tree, path)

    @property
    def label(self) -> str:
        """`NAME` or `NAME/VARIANT`: the place below `pipelines` and `outputs`."""
        return self.recipe.name if self.variant is None else f"{self.recipe.name}/{self.variant}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A recipe file: its instances, the plain recipe first, and the files it was read from, relative to the root.

    `lock` is what its names resolved to, where that was written down.
    """

    root: Path
    file: str
    files: tuple[str, ...]
    instances: tuple[Instance, ...]
    lock: Locked | None = None

    def instance(self, variant: str | None) -> Instance:
        """One instance by its name.

        Raises:
            RecipeError: there is no such variant.
        """
        for candidate in self.instances:
            if candidate.variant == variant:
                return candidate
        known = ", ".join(f"`{i.variant}`" for i in self.instances if i.variant) or "none"
        raise RecipeError([Diagnostic("R0208", f"`{self.file}` has no variant `{variant}`", f"its variants: {known}")])


@dataclass(slots=True)
class _Files:
    """The files read so far, what is wrong with their text, and `texts`, which diagnostics show excerpts of."""

    texts: dict[str, str]
    read: Reader = read_source
    order: list[str] = field(default_factory=list)
    errors: list[Diagnostic] = field(default_factory=list)


def project_root(path: Path) -> Path:
    """The project a file belongs to: the nearest folder around it that has `.dvc` or `.git`, else the folder around `recipes`."""
    path = path.resolve()
    for folder in path.parents:
        if (folder / ".dvc").is_dir() or (folder / ".git").exists():
            return folder
    return path.parent.parent if path.parent.name == "recipes" else path.parent


def load(path: Path, sources: dict[str, str], sets: Sequence[str] = (), read: Reader = read_source) -> Loaded:
    """All instances of a recipe file.

    Args:
        path: The file; diagnostics name it as it is given.
        sources: Receives the text of every file that is read, under the name that diagnostics use.
        sets: `a.b=c` assignments on top of every instance.
        read: Reads the files.

    Raises:
        RecipeError: everything that is wrong with the text, the shape and the references.
    """
    _refuse_bytes(path)
    files = _Files(sources, read)
    tree = _whole(path, files)
    extra = [assignment(text) for text in sets]
    errors = files.errors
    found: list[Instance] = []
    for variant, layers in [(None, ()), *overlays(tree).items()]:
        try:
            found.append(_instance(tree, variant, (*layers, *extra)))
        except RecipeError as error:
            errors += error.diagnostics
    errors += _same_folders(tree, found)
    lock = _lock(path, files)
    if errors:
        raise RecipeError(_in_order(errors))
    root = project_root(path)
    names = [*files.order, lock.file] if lock else files.order
    relative = {file: Path(os.path.relpath(Path(file).resolve(), root)).as_posix() for file in names}
    return Loaded(root, relative[str(path)], tuple(sorted(set(relative.values()))), tuple(found), lock)


def _lock(path: Path, files: _Files) -> Locked | None:
    """The lock beside a recipe, where there is one; what is wrong with it joins the other errors."""
    place = lock_of(path)
    if place == path or not place.is_file():
        return None
    try:
        return read_lock(place, str(place), files.texts)
    except RecipeError as error:
        files.errors += error.diagnostics
        return None


def compose(path: Path, sources: dict[str, str], read: Reader = read_source) -> tuple[MapNode, tuple[str, ...]]:
    """The tree of a file on top of what it extends, before variants, and the names of all its files, bases first.

    Nothing is said about its shape: it may be of another version of the language.

    Raises:
        RecipeError: what is wrong with the texts, or stops their composition.
    """
    files = _Files(sources, read)
    tree = _whole(path, files)
    if files.errors:
        raise RecipeError(_in_order(files.errors))
    return tree, tuple(files.order)


def _same_folders(tree: MapNode, instances: Sequence[Instance]) -> Iterator[Diagnostic]:
    """R0306: a variant's folder `outputs/NAME/VARIANT` is no stage's `outputs/NAME/STAGE`."""
    stages = {name: found for found in instances for name in found.recipe.stages}
    for variant in (found.variant for found in instances):
        if variant is not None and variant in stages:
            message = f"variant `{variant}` and stage `{variant}` would write to the same folder"
            places = (key_span(tree, ("variants", variant)), key_span(stages[variant].tree, ("stages", variant)))
            yield Diagnostic("R0306", message, "rename one of them", places)


def _in_order(errors: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Each error once, by place; where the text itself is wrong, nothing else is said about that place."""
    broken = [span for error in errors if error.code.startswith("R00") for span in error.spans[:1]]
    kept = [
        e
        for e in dict.fromkeys(errors)
        if e.code.startswith("R00") or not any(_inside(e.spans, span) for span in broken)
    ]
    return sorted(kept, key=lambda error: error.spans[:1])


def _inside(spans: Sequence[Span], around: Span) -> bool:
    if not spans or spans[0].file != around.file:
        return False
    start, end = (spans[0].line, spans[0].column), (spans[0].end_line, spans[0].end_column)
    return (around.line, around.column) <= start and end <= (around.end_line, around.end_column)


def _instance(tree: MapNode, variant: str | None, layers: Iterable[MapNode]) -> Instance:
    composed = instance(tree, layers)
    places = (lambda *path: value_span(composed, path), lambda *path: key_span(composed, path))
    try:
        recipe = validate(composed)
    except RecipeError as error:
        raise RecipeError([*error.diagnostics, *check_rest(composed, *places)]) from None
    findings = check(recipe, *places)
    return Instance(recipe, variant, composed, tuple(findings))


def _refuse_bytes(path: Path) -> None:
    """R0424: compiled files are text and have to name the recipe."""
    name = os.fsencode(path)
    try:
        name.decode()
    except UnicodeDecodeError:
        shown = name.decode(errors="backslashreplace")
        raise RecipeError([Diagnostic("R0424", f"the name of `{shown}` is not UTF-8", "rename the file")]) from None


def _whole(path: Path, files: _Files) -> MapNode:
    """The composed tree of a file. What is wrong with its text is said together with what stops its composition."""
    try:
        return _extended(path, files, ())
    except RecipeError as error:
        raise RecipeError(_in_order([*files.errors, *error.diagnostics])) from None


def _extended(path: Path, files: _Files, below: tuple[Path, ...], asked: Span | None = None) -> MapNode:
    """The tree of a file on top of the trees that it extends. `asked` is the place that names the file."""
    source = files.read(path, str(path), asked)
    files.texts[str(path)] = source.text
    parsed = scan(source.text, str(path))
    files.errors += parsed.diagnostics
    if parsed.root is None:
        raise RecipeError(files.errors)
    circle = {os.path.realpath(p) for p in (*below, path)}
    bases = []
    for name in _bases(parsed.root):
        base = Path(os.path.normpath(path.parent / name.raw))
        real = os.path.realpath(base)
        if real in circle:
            message = f"`{name.raw}` extends itself"
            raise RecipeError([Diagnostic("R0206", message, "remove one link of the circle", (name.span,))])
        if not Path(real).is_relative_to(project_root((*below, path)[0])):
            message = f"`{name.raw}` leaves the project"
            raise RecipeError([Diagnostic("R0311", message, "copy it into the project", (name.span,))])
        bases.append(_extended(base, files, (*below, path), name.span))
    files.order.append(str(path))
    return join_bases(bases, parsed.root)


def _bases(tree: MapNode) -> Iterator[ScalarNode]:
    """The names of the files that a tree extends."""
    entry = tree.items.get("extends")
    for name in entry.value.items if entry and isinstance(entry.value, SeqNode) else ():
        if isinstance(name, ScalarNode) and name.value is not None:
            yield name
