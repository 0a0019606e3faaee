"""COCO's JSON form: pictures, categories, and annotations with boxes and outlines.

{"images": [{"id": 1, "file_name": "1.jpg", "width": 640, "height": 480}],
 "categories": [{"id": 3, "name": "car"}],
 "annotations": [{"id": 7, "image_id": 1, "category_id": 3, "bbox": [x, y, width, height], "segmentation": [[x, y, …]]}]}

Labels are numbered in the order of the categories' ids. To segment, number 0 is what no outline covers, a smaller thing
covers a larger one, and crowds (`iscrowd`) are left out of training; to detect, crowds are no boxes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runners.data import dense, json_arrays
from runners.data.dense import IGNORED
from runners.data.rows import Corners, Picture, Place, Read, Row, Source
from runners.readers import made, outlines
from schema.diagnostics import Diagnostic, RecipeError

BACKGROUND = "background"


@dataclass(slots=True)
class Shot:
    """A picture of the file, and what is annotated in it."""

    number: int
    place: Place
    picture: Picture
    size: tuple[int, int]
    things: list[Mapping[str, Any]] = field(default_factory=list)
    bad: bool = False


class File:
    """The file of annotations while it is read; `refused` gathers what is wrong in it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.folder = source.located("folder")
        self.name = f"{source.path}/{source.dataset['annotations']}"
        self.refused: list[Diagnostic] = []
        self.text = json_arrays.Text(self._text())
        try:
            self.arrays = json_arrays.arrays(self.text.text)
        except (json.JSONDecodeError, RecursionError) as error:
            place = Place(self.name, getattr(error, "lineno", 1))
            message = f"this is no COCO file: {getattr(error, 'msg', 'nested too deeply')}"
            raise RecipeError([place.refuse("R0670", message, "write it again", getattr(error, "colno", 1))]) from None
        missing = [key for key in ("images", "categories", "annotations") if key not in self.arrays]
        if missing:
            message = f"this is no COCO file: it has no array `{missing[0]}`"
            raise RecipeError([Place(self.name).refuse("R0670", message, "name another file in `annotations`")])

    def _text(self) -> str:
        file = self.folder / str(self.source.dataset["annotations"])
        if not file.is_file():
            help = "put it there, or correct `annotations`"
            raise RecipeError([Place(self.name).refuse("R0601", f"there is no file `{self.name}`", help)])
        try:
            return file.read_text("utf-8")
        except UnicodeDecodeError:
            raise RecipeError([Place(self.name).refuse("R0670", "this file is not UTF-8", "write it again")]) from None

    def refuse(self, code: str, offset: int, message: str, help: str) -> None:
        """Note what is wrong with the element at an offset."""
        line, column = self.text.place(offset)
        self.refused.append(Place(self.name, line).refuse(code, message, help, column))

    def categories(self) -> dict[int, str]:
        """Id → name, in the order of the ids. Errors: RecipeError R0670, for without them no label has a meaning."""
        found: dict[int, str] = {}
        for number, (offset, value) in enumerate(self.arrays["categories"]):
            if not _has(value, id=int, name=str):
                self.refuse("R0670", offset, f"categories[{number}] has no whole `id` and `name`", "write both")
            elif value["id"] in found or value["name"] in found.values():
                self.refuse("R0670", offset, f"categories[{number}] has the id or name of another", "remove one")
            else:
                found[value["id"]] = value["name"]
        if self.refused:
            raise RecipeError(self.refused)
        return dict(sorted(found.items()))

    def shots(self) -> dict[int, Shot | None]:
        """Id → picture; None for one that cannot be used, which is noted."""
        found: dict[int, Shot | None] = {}
        for number, (offset, value) in enumerate(self.arrays["images"]):
            if not _has(value, id=int, file_name=str) or value["id"] in found:
                help = "each has its own `id`, and a `file_name`"
                self.refuse("R0670", offset, f"images[{number}] has no `id` of its own or no `file_name`", help)
            else:
                found[value["id"]] = self._shot(number, offset, value)
        return found

    def _shot(self, number: int, offset: int, value: Mapping[str, Any]) -> Shot | None:
        picture = self.source.picture(value["file_name"], self.folder / str(self.source.dataset["images"]))
        if isinstance(picture, str):
            self.refuse(
                "R0612", offset, f"images[{number}]: {picture}", "correct `images` of the data set, or the name"
            )
            return None
        declared = tuple(value.get(side) for side in ("width", "height"))
        size = dense.size_of(picture.file)
        if size is None:
            message = f"images[{number}]: the picture {picture.path} cannot be read"
            self.refuse("R0604", offset, message, "replace it, or write `on_bad: skip`")
            return None
        if None not in declared and size != declared:
            message = f"images[{number}]: {picture.path} has {size[0]} × {size[1]} pixels, and the file says "
            self.refuse("R0674", offset, f"{message}{declared[0]} × {declared[1]}", "annotate the picture as it is")
            return None
        line, _ = self.text.place(offset)
        return Shot(number, Place(self.name, line), picture, size)


def read(source: Source) -> Read:
    """A row for each picture, in the order of the file; a picture with a broken annotation is none."""
    file = File(source)
    categories = file.categories()
    shots = file.shots()
    for number, (offset, value) in enumerate(file.arrays["annotations"]):
        shot = _shot_of(file, shots, number, offset, value)
        if shot is None:
            continue
        before = len(file.refused)
        _check(file, shot, categories, number, offset, value)
        shot.bad |= len(file.refused) > before
        shot.things.append(value)
    good = [shot for shot in shots.values() if shot is not None and not shot.bad]
    make = _segmented if source.task == "segment" else _detected
    classes = (BACKGROUND, *categories.values()) if source.task == "segment" else tuple(categories.values())
    crowds = sum(bool(thing.get("iscrowd")) for shot in good for thing in shot.things)
    ignored = {"crowds": crowds} if crowds and source.task == "detect" else {}
    lost = sum(shot is None or shot.bad for shot in shots.values())
    rows = tuple(make(source, shot, categories) for shot in good)
    return Read(rows, tuple(file.refused), classes, ignored, lost=lost)


def _shot_of(file: File, shots: Mapping[int, Shot | None], number: int, offset: int, value: Any) -> Shot | None:
    if not _has(value, image_id=int):
        file.refuse("R0670", offset, f"annotations[{number}] has no whole `image_id`", "name its picture")
        return None
    if value["image_id"] not in shots:
        message = f"annotations[{number}] belongs to picture {value['image_id']}, which `images` does not have"
        file.refuse("R0670", offset, message, "add the picture, or remove the annotation")
        return None
    return shots[value["image_id"]]


def _check(
    file: File, shot: Shot, categories: Mapping[int, str], number: int, offset: int, value: Mapping[str, Any]
) -> None:
    category = value.get("category_id")
    where = f"annotations[{number}] of {shot.picture.path}"
    if not isinstance(category, int) or category not in categories:
        known = ", ".join(map(str, list(categories)[:20]))
        file.refuse("R0672", offset, f"{where} has the unknown class id {category}", f"there are: {known}")
    if file.source.task == "segment":
        problem = outlines.problem(value.get("segmentation"), shot.size)
        if problem is not None:
            code, message = problem
            file.refuse(code, offset, f"{where}: {message}", "draw it again, or write `on_bad: skip`")
    elif not value.get("iscrowd"):
        box = corners(value.get("bbox"))
        problem_of_box = "has no `bbox` of four numbers" if box is None else dense.problem(box, shot.size)
        if problem_of_box is not None:
            help = "draw it again, or write `on_bad: skip`"
            file.refuse("R0671", offset, f"the box of {where} {problem_of_box}", help)


def corners(bbox: Any) -> Corners | None:
    """Left, top, right and bottom of COCO's x, y, width and height."""
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(_is_number(value) for value in bbox):
        return None
    x, y, width, height = map(float, bbox)
    return x, y, x + width, y + height


def _detected(source: Source, shot: Shot, categories: Mapping[int, str]) -> Row:
    boxes: list[Corners] = []
    holds: list[str] = []
    for thing in shot.things:
        box = None if thing.get("iscrowd") else corners(thing["bbox"])
        if box is not None:
            boxes.append(dense.cut(box, shot.size))
            holds.append(categories[thing["category_id"]])
    return Row(shot.place, (), pictures=(shot.picture,), boxes=tuple(boxes), holds=tuple(holds))


def _segmented(source: Source, shot: Shot, categories: Mapping[int, str]) -> Row:
    numbers = {id: number for number, id in enumerate(categories, 1)}
    things = ((IGNORED if t.get("iscrowd") else numbers[t["category_id"]], t["segmentation"]) for t in shot.things)
    pixels = outlines.drawn(things, shot.size)
    names = (BACKGROUND, *categories.values())
    holds = tuple(names[value] for value in outlines.values(pixels) if value != IGNORED)
    mask = made.mask(source, f"{shot.number:06d}", pixels)
    return Row(shot.place, (), pictures=(shot.picture,), mask=mask, holds=holds)


def _has(value: Any, **fields: type) -> bool:
    return isinstance(value, dict) and all(
        isinstance(value.get(name), kind) and not isinstance(value.get(name), bool) for name, kind in fields.items()
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
