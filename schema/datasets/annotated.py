"""Pictures with what stands in them: boxes, outlines, or a class for each pixel.

roads:   {kind: coco, path: data/roads, annotations: annotations.json, images: images, split: {validation: 0.2}}
beans:   {kind: yolo, path: data/beans, classes: [leaf, pod], split: {validation: 0.2}}
streets: {kind: masks, path: data/streets, classes: [background, road, car], split: {validation: 0.2}}
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schema.datasets.base import LocalDataset, Task

ClassNames = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
Below = Annotated[str, Field(min_length=1)]


class Coco(LocalDataset):
    """A folder with pictures and one file of annotations in COCO's JSON form: boxes to detect, outlines to segment by."""

    tasks: ClassVar[tuple[Task, ...]] = ("detect", "segment")
    parts: ClassVar[tuple[str, ...]] = ("annotations", "images")
    kind: Literal["coco"]
    annotations: Below = "annotations.json"
    """The JSON file, below `path`."""
    images: Below = "."
    """The folder below `path` that `file_name` of each picture starts from."""

    def makes(self, task: Task) -> tuple[str, ...]:
        """Outlines become masks."""
        return ("masks",) if task == "segment" else ()


class Yolo(LocalDataset):
    """A folder of pictures and one of labels: for each picture a text file with `CLASS X Y WIDTH HEIGHT`, as shares, a line."""

    tasks: ClassVar[tuple[Task, ...]] = ("detect",)
    parts: ClassVar[tuple[str, ...]] = ("images", "labels")
    kind: Literal["yolo"]
    images: Below = "images"
    """The folder of pictures, below `path`."""
    labels: Below = "labels"
    """The folder of labels, below `path`."""
    classes: ClassNames
    """The names of the classes, in the order of their numbers."""


class Masks(LocalDataset):
    """A folder of pictures and one of masks of the same names: indexed PNGs whose values are classes, 255 is left out."""

    tasks: ClassVar[tuple[Task, ...]] = ("segment",)
    parts: ClassVar[tuple[str, ...]] = ("images", "masks")
    kind: Literal["masks"]
    images: Below = "images"
    """The folder of pictures, below `path`."""
    masks: Below = "masks"
    """The folder of masks, below `path`."""
    classes: ClassNames
    """The names of the classes, in the order of the values in the masks."""
