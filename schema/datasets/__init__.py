"""Data sets: one file for each kind. `Dataset` is any of them, told apart by `kind`."""

from typing import Annotated

from pydantic import Field

from schema.datasets.annotated import Coco, Masks, Yolo
from schema.datasets.databases import Sql, Sqlite
from schema.datasets.digits import Digits
from schema.datasets.hub import HubDataset
from schema.datasets.image_folder import ImageFolder
from schema.datasets.okvqa import Okvqa
from schema.datasets.scenes import Motions, Scenes
from schema.datasets.sequences import FrameFolder, VideoFolder
from schema.datasets.shapes import Shapes
from schema.datasets.tables import Csv, Jsonl, Parquet

KINDS = (
    *(ImageFolder, Jsonl, Csv, Parquet, HubDataset, Sqlite, Sql, Digits, Shapes, Okvqa),
    *(Coco, Yolo, Masks, FrameFolder, VideoFolder, Scenes, Motions),
)

Dataset = Annotated[
    ImageFolder | Jsonl | Csv | Parquet | HubDataset | Sqlite | Sql | Digits | Shapes | Okvqa
    | Coco | Yolo | Masks | FrameFolder | VideoFolder | Scenes | Motions,
    Field(discriminator="kind"),
]  # fmt: skip
