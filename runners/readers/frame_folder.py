"""Clips as folders of frames: data/gestures/wave/clip-1/0001.jpg → label `wave`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from runners.data.rows import Picture, Place, Read, Row, Source
from runners.readers import files
from runners.readers.image_folder import SUFFIXES
from schema.diagnostics import Diagnostic, RecipeError


def read(source: Source) -> Read:
    """A row for each clip, ordered by class and name, with `frames` of its frames at equal distances."""
    found = entries(source)
    rows: list[Row] = []
    refused: list[Diagnostic] = []
    for label, clips in found.items():
        if not clips:
            refused.append(no_clips(source, label))
        for clip, folder in clips.items():
            shown = f"{source.path}/{label}/{clip}"
            row = _row(source, label, folder, shown)
            rows.append(row) if isinstance(row, Row) else refused.append(row)
    return Read(tuple(rows), tuple(refused), tuple(found))


def _row(source: Source, label: str, folder: Path, shown: str) -> Row | Diagnostic:
    if not folder.is_dir():
        return Place(shown).refuse("R0605", f"{shown} is no folder of frames", "move it elsewhere")
    frames = [(name, path) for name, path in files.found(folder).items() if path.suffix.lower() in SUFFIXES]
    if not frames:
        return Place(shown).refuse("R0676", f"the clip {shown} has no frames", "add some, or remove the folder")
    taken = [frames[index] for index in chosen(len(frames), int(source.dataset["frames"]))]
    pictures = tuple(Picture(f"{shown}/{name}", path) for name, path in taken)
    return Row(Place(shown), source.of_clip, pictures=pictures, label=label, clip=True)


def chosen(present: int, wanted: int) -> list[int]:
    """The numbers of the frames that are taken: the middles of `wanted` equal parts of the clip."""
    return [(2 * index + 1) * present // (2 * wanted) for index in range(wanted)]


def entries(source: Source) -> Mapping[str, Mapping[str, Path]]:
    """Class → clip → its place, all by name. Errors: RecipeError R0602 when there are no class folders."""
    classes = {path.name: path for path in _visible(source.located("folder")) if path.is_dir()}
    if not classes:
        message = f"the folder `{source.path}` has no class folders"
        raise RecipeError([Place(source.path).refuse("R0602", message, "make one folder for each class")])
    return {name: {path.name: path for path in _visible(folder)} for name, folder in classes.items()}


def _visible(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if not path.name.startswith("."))


def no_clips(source: Source, label: str) -> Diagnostic:
    """That a class has nothing in it."""
    place = Place(f"{source.path}/{label}")
    return place.refuse("R0603", f"the class `{label}` has no clips", "add some, or remove its folder")
