"""What an export reads of rows: pictures as numbers, and the classes that are right."""

import numpy as np
import pytest
from PIL import Image

from runners.exporting import pictures
from runners.exporting.subject import Looks

SIDE, CLASSES = 8, ("dark", "light")
LOOKS = Looks((SIDE, SIDE), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def test_pictures_are_stretched_or_cropped():
    picture = Image.new("RGB", (40, 20), "red")
    picture.paste("blue", (15, 0, 25, 20))
    stretched = pictures.fit(picture, Looks((10, 10), (0, 0, 0), (1, 1, 1)))
    cropped = pictures.fit(picture, Looks((10, 10), (0, 0, 0), (1, 1, 1), "crop"))
    assert stretched.size == cropped.size == (10, 10)
    assert stretched.getpixel((0, 5)) == (255, 0, 0)
    assert cropped.getpixel((5, 5)) == (0, 0, 255)
    assert sum(cropped.getpixel((x, 5)) == (0, 0, 255) for x in range(10)) == 4  # of 10, and 2 that blend


def test_pixels_become_numbers_as_the_export_wants_them():
    tensor = pictures.tensors([Image.new("RGB", (SIDE, SIDE), (255, 0, 51))], LOOKS)
    assert tensor.shape == (1, 3, SIDE, SIDE)
    assert tensor.dtype == np.float32
    assert tensor[0, :, 0, 0] == pytest.approx([1, -1, -0.6])


def test_labels_are_numbers_or_names_of_classes():
    rows = [{"label": 1}, {"label": "dark"}]
    assert pictures.labels(rows, CLASSES).tolist() == [1, 0]
    assert pictures.labels([*rows, {"label": "green"}], CLASSES) is None
    assert pictures.labels([{}], CLASSES) is None
    assert pictures.labels([{"label": []}, {"label": [0, "light"]}], CLASSES).tolist() == [[False] * 2, [True] * 2]
    assert pictures.labels([{"label": [0]}, {"label": [2]}], CLASSES) is None
    assert pictures.labels([{"label": [0]}, {"label": 1}], CLASSES) is None


def test_any_number_of_classes_is_right_when_all_are():
    """A class is found from a probability of one half on, where its logit is 0."""
    wanted = pictures.labels([{"label": []}, {"label": [0, 1]}, {"label": [1]}], CLASSES)
    logits = np.array([[-3, -1], [0.5, 0], [2, 3]], dtype=np.float32)
    assert pictures.accuracy(logits, wanted) == round(2 / 3, 6)
    assert pictures.accuracy(logits, np.array([1, 0, 1])) == 1
