"""Pictures below a folder, also in folders within, and the file that belongs to each of them."""

from __future__ import annotations

from pathlib import Path

from runners.data.rows import Place, Source, is_text
from runners.readers.image_folder import NEVER_DATA, SUFFIXES
from schema.diagnostics import Diagnostic, RecipeError


def below(source: Source, name: str, folder: str) -> Path:
    """The folder that the field `name` of a data set says. Errors: RecipeError R0601 when it is not there."""
    place = source.located("folder") / folder
    if not place.is_dir():
        shown = f"{source.path}/{folder}"
        help = f"put it there, or correct `{name}`"
        raise RecipeError([Place(shown).refuse("R0601", f"there is no folder `{shown}`", help)])
    return place


def found(folder: Path) -> dict[str, Path]:
    """Path below the folder → file, in the order of the paths; hidden files are none."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: files[name] for name in sorted(files) if not _hidden(name)}


def _hidden(name: str) -> bool:
    parts = name.split("/")
    return parts[-1] in NEVER_DATA or any(part.startswith(".") for part in parts)


def pictures(folder: Path, shown: str, refused: list[Diagnostic]) -> dict[str, Path]:
    """Path → picture, below a folder that messages call `shown`; what is no picture is refused.

    Errors: RecipeError R0602 when there is none.
    """
    files = found(folder)
    kept = {name: path for name, path in files.items() if path.suffix.lower() in SUFFIXES and is_text(name)}
    for name in files.keys() - kept.keys():
        place = Place(ascii(f"{shown}/{name}") if not is_text(name) else f"{shown}/{name}")
        refused.append(place.refuse("R0605", f"{place.file} is no picture by its name", "move it elsewhere"))
    if not kept:
        raise RecipeError([*refused, Place(shown).refuse("R0602", f"the folder `{shown}` has no pictures", "add some")])
    return kept


def stems(names: dict[str, Path], shown: str, refused: list[Diagnostic]) -> dict[str, str]:
    """Path without its ending → path. Two files that differ in their ending only are refused: who belongs to them?"""
    kept: dict[str, str] = {}
    for name in names:
        stem = name.rpartition(".")[0]
        if stem in kept:
            message = f"{shown}/{name} and {kept[stem].rpartition('/')[2]} have one name"
            refused.append(Place(f"{shown}/{name}").refuse("R0673", message, "rename one of them"))
        else:
            kept[stem] = name
    return kept
