"""Data sets: one file for each kind. `Dataset` is any of them, told apart by `kind`."""

from typing import Annotated

from pydantic import Field

from schema.datasets.digits import Digits
from schema.datasets.hub import HubDataset
from schema.datasets.image_folder import ImageFolder
from schema.datasets.okvqa import Okvqa
from schema.datasets.shapes import Shapes
from schema.datasets.tables import Csv, Jsonl, Parquet

KINDS = (ImageFolder, Jsonl, Csv, Parquet, HubDataset, Digits, Shapes, Okvqa)

Dataset = Annotated[
    ImageFolder | Jsonl | Csv | Parquet | HubDataset | Digits | Shapes | Okvqa,
    Field(discriminator="kind"),
]
