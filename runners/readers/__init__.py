"""One file for each kind of data set, with a function `read`: the data set's description → its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runners.data.rows import Read, Source
from runners.readers import (
    coco,
    csv,
    database,
    digits,
    frame_folder,
    hub,
    image_folder,
    jsonl,
    masks,
    motions,
    okvqa,
    parquet,
    scenes,
    shapes,
    video_folder,
    yolo,
)

READERS: Mapping[str, Callable[[Source], Read]] = {
    "image-folder": image_folder.read,
    "jsonl": jsonl.read,
    "csv": csv.read,
    "parquet": parquet.read,
    "hub": hub.read,
    "sqlite": database.read_file,
    "sql": database.read_server,
    "digits": digits.read,
    "shapes": shapes.read,
    "okvqa": okvqa.read,
    "coco": coco.read,
    "yolo": yolo.read,
    "masks": masks.read,
    "frame-folder": frame_folder.read,
    "video-folder": video_folder.read,
    "scenes": scenes.read,
    "motions": motions.read,
}
