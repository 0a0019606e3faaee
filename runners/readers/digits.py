"""scikit-learn's bundled handwritten digits: 1,797 pictures of 8 × 8 pixels, enlarged without smoothing."""

from __future__ import annotations

from runners.data.rows import Read, Source
from runners.readers import made

BRIGHTEST = 16


def read(source: Source) -> Read:
    """One row for each digit, in scikit-learn's order; the classes are `0` to `9`."""
    import numpy
    from sklearn.datasets import load_digits

    digits = load_digits()
    size = int(source.dataset["size"])
    nearest = numpy.arange(size) * 8 // size
    pixels = (digits.images.astype(numpy.int64) * 255 // BRIGHTEST).astype(numpy.uint8)
    rows = tuple(
        made.row(source, number, pixels[number][nearest][:, nearest], str(label))
        for number, label in enumerate(digits.target)
    )
    return Read(rows, classes=tuple(map(str, digits.target_names)))
