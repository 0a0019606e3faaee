"""One file for each kind of data set, with a function `read`: the data set's description → its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runners.data.rows import Read, Source
from runners.readers import csv, digits, hub, image_folder, jsonl, okvqa, parquet, shapes

READERS: Mapping[str, Callable[[Source], Read]] = {
    "image-folder": image_folder.read,
    "jsonl": jsonl.read,
    "csv": csv.read,
    "parquet": parquet.read,
    "hub": hub.read,
    "digits": digits.read,
    "shapes": shapes.read,
    "okvqa": okvqa.read,
}
