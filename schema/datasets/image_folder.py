"""Pictures in one folder for each class.

animals: {kind: image-folder, path: data/animals/train_data, prompt: What animal is in the picture?}
"""

from typing import Literal

from schema.datasets.base import LocalDataset


class ImageFolder(LocalDataset):
    """A folder of class folders of pictures; the class is the folder's name."""

    kind: Literal["image-folder"]
