"""Rules of the paths in a recipe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from schema.context import Context
from schema.datasets.base import LocalDataset
from schema.datasets.okvqa import Okvqa
from schema.diagnostics import Diagnostic, Span


def paths_stay_inside(context: Context) -> Iterator[Diagnostic]:
    """R0311, R0312: a path is inside the project, or absolute and declared."""
    for name, dataset in context.recipe.datasets.items():
        if isinstance(dataset, LocalDataset | Okvqa) and dataset.local is not None:
            declared = "add `external: true`"
            yield from _path(dataset.local, dataset.external, declared, context.at("datasets", name, "path"))
        for part in dataset.parts:
            yield from _path(getattr(dataset, part), False, "put it below `path`", context.at("datasets", name, part))
        if dataset.prompt_file is not None:
            where = context.at("datasets", name, "prompt_file")
            yield from _path(dataset.prompt_file, False, "copy it into the project", where)
    for name, stage in context.recipe.stages.items():
        for use in stage.files:
            yield from _path(use.file, False, "copy it into the project", context.at("stages", name, *use.path))
    for name, model in context.recipe.models.items():
        if model.path is not None:
            linked = "link it into the project"
            yield from _path(model.path, False, linked, context.at("models", name, "path"))
    for section in ("models", "datasets"):
        for name, entry in getattr(context.recipe, section).items():
            if getattr(entry, "id", "") in (".", ".."):  # which becomes the name of a folder
                message = f"`{entry.id}` is no id of a hub"
                yield Diagnostic("R0311", message, "write `OWNER/NAME`", (context.at(section, name, "id"),))


def _path(path: str, external: bool, otherwise: str, place: Span) -> Iterator[Diagnostic]:
    pure = PurePosixPath(path)
    if pure.is_absolute():
        if not external:
            help = f"write a path inside the project and map it in `machine.yaml`, or {otherwise}"
            yield Diagnostic("R0312", f"`{path}` is absolute, so it fits one machine only", help, (place,))
    elif external:
        message = f"`{path}` is relative, and `external` is about absolute paths"
        yield Diagnostic("R0312", message, "remove `external: true`", (place,))
    elif "://" in path:
        help = "bring the data into the project (`dvc import-url` does) and write its path there"
        yield Diagnostic("R0311", f"`{path}` is an address and no path", help, (place,))
    elif "\\" in path:
        yield Diagnostic("R0311", f"`{path}` has a backslash", "separate folders by `/`", (place,))
    elif ".." in pure.parts:
        yield Diagnostic("R0311", f"`{path}` leaves the project", "write a path below the project's root", (place,))
