"""YOLO's text labels: `0 0.5 0.5 0.2 0.4` is class 0, the centre of a box, its width and height, as shares of the picture.

images/a/1.jpg has its boxes in labels/a/1.txt. A picture without such a file, or with an empty one, shows nothing.
"""

from __future__ import annotations

from pathlib import Path

from runners.data import dense
from runners.data.rows import Corners, Picture, Place, Read, Row, Source
from runners.readers import files
from schema.diagnostics import Diagnostic

ENDING = ".txt"
EMPTY = "pictures without labels"


def read(source: Source) -> Read:
    """A row for each picture, by name; a picture with a broken line is none."""
    shown = {part: f"{source.path}/{source.dataset[part]}" for part in ("images", "labels")}
    folders = {part: files.below(source, part, str(source.dataset[part])) for part in shown}
    refused: list[Diagnostic] = []
    pictures = files.pictures(folders["images"], shown["images"], refused)
    stems = files.stems(pictures, shown["images"], refused)
    labels = {name: path for name, path in files.found(folders["labels"]).items() if name != "classes.txt"}
    for name in labels:
        if not name.endswith(ENDING) or name.removesuffix(ENDING) not in stems:
            message = f"{shown['labels']}/{name} belongs to no picture"
            refused.append(Place(f"{shown['labels']}/{name}").refuse("R0673", message, "add the picture, or remove it"))
    rows: list[Row] = []
    for stem, name in stems.items():
        picture = Picture(f"{shown['images']}/{name}", pictures[name])
        label = labels.get(stem + ENDING)
        row = _row(source, picture, label, f"{shown['labels']}/{stem}{ENDING}")
        rows.append(row) if isinstance(row, Row) else refused.extend(row)
    missing = sum(stem + ENDING not in labels for stem in stems)
    lost = len(pictures) - len(rows)
    return Read(
        tuple(rows), tuple(refused), tuple(source.dataset["classes"]), {EMPTY: missing} if missing else {}, lost=lost
    )


def _row(source: Source, picture: Picture, label: Path | None, shown: str) -> Row | list[Diagnostic]:
    """The row of a picture, or all that is wrong with its labels."""
    classes: list[str] = source.dataset["classes"]
    size = dense.size_of(picture.file)
    if label is None or size is None:  # an unreadable picture is told later
        return Row(Place(picture.path), (), pictures=(picture,))
    try:
        lines = label.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        return [Place(shown).refuse("R0670", "the labels are not UTF-8", "save them again")]
    things = [_thing(line, Place(shown, number), size, classes) for number, line in enumerate(lines, 1) if line.strip()]
    problems = [thing for thing in things if isinstance(thing, Diagnostic)]
    if problems:
        return problems
    good = [thing for thing in things if not isinstance(thing, Diagnostic)]
    boxes, holds = tuple(box for box, _ in good), tuple(name for _, name in good)
    return Row(Place(shown), (), pictures=(picture,), boxes=boxes, holds=holds)


def _thing(line: str, place: Place, size: tuple[int, int], classes: list[str]) -> tuple[Corners, str] | Diagnostic:
    fields = line.split()
    if len(fields) != 5:
        help = "write `CLASS X Y WIDTH HEIGHT`"
        return place.refuse("R0670", f"the line has {len(fields)} fields and not 5", help)
    number = int(fields[0]) if fields[0].isascii() and fields[0].isdigit() else -1
    if number not in range(len(classes)):
        help = f"`classes` has {len(classes)} names: 0 is `{classes[0]}`"
        return place.refuse("R0672", f"unknown class id {fields[0][:20]}", help)
    try:
        x, y, width, height = map(float, fields[1:])
    except ValueError:
        return place.refuse("R0670", f"`{line[:60]}` has a field that is no number", "write shares from 0 to 1")
    box = (
        (x - width / 2) * size[0],
        (y - height / 2) * size[1],
        (x + width / 2) * size[0],
        (y + height / 2) * size[1],
    )
    if (wrong := dense.problem(box, size)) is not None:
        help = "values are shares of the picture, from 0 to 1; draw it again, or write `on_bad: skip`"
        return place.refuse("R0671", f"the box {wrong}", help)
    return dense.cut(box, size), classes[number]
