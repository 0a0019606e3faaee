"""What the tests of data preparation share: descriptions of data sets, pictures, and what was refused."""

import json
from pathlib import Path

import pytest
from PIL import Image

from runners.prepare import prepare
from schema.diagnostics import RecipeError

SPLIT = {"validation": 0.25, "test": 0.0, "stratify": True}
ROOT = Path(__file__).parent.parent


def config(kind, task="generate", split=SPLIT, prompt="What is it?", system=None, seed=7, **dataset):
    return {
        "dataset": {"kind": kind, "on_bad": "error", **dataset},
        "task": task,
        "prompt": prompt,
        "system": system,
        "split": split,
        "seed": seed,
    }


def rows(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def refused(description, root, to="out"):
    """(code, file, line) of each diagnostic."""
    with pytest.raises(RecipeError) as caught:
        prepare(description, root / to, root)
    return [
        (found.code, *((found.spans[0].file, found.spans[0].line) if found.spans else ("", 0)))
        for found in caught.value.diagnostics
    ]


def picture(path, color, size=(6, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)
