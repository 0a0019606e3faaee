"""What differs from machine to machine stands in `machine.yaml` at the project's root, which is not committed.

gpus: [0, 1]                                     # which GPUs runs may use
data: {data/animals: /mnt/ssd/animals}           # a path of a recipe → where it lies here
env: {NCCL_P2P_DISABLE: "1"}                     # for engines
endpoints: {modelscope: https://modelscope.cn, huggingface: https://hf-mirror.com}
allow_other_versions: false                      # run with other versions than a recipe was compiled for
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from schema.base import Model
from schema.diagnostics import RecipeError
from schema.models import Hub
from schema.shape import to_diagnostics
from schema.source import parse, read_source
from schema.tree import to_data

FILE = "machine.yaml"


class Machine(Model):
    """One machine."""

    gpus: tuple[int, ...] | None = None
    """Indices of the GPUs that runs may use; all when absent."""
    data: dict[str, str] = {}
    """A path of a recipe → where it lies on this machine."""
    env: dict[str, str] = {}
    """Environment variables for engines."""
    endpoints: dict[Hub, str] = {}
    """Addresses of hubs or their mirrors."""
    allow_other_versions: bool = False
    """Run with other package versions than a recipe was compiled for."""


def load_machine(root: Path) -> Machine:
    """The machine file of a project, or its defaults where there is none.

    Raises:
        RecipeError: everything that is wrong with the file.
    """
    path = root / FILE
    if not path.exists():
        return Machine()
    text = read_source(path, FILE).text
    if not text.strip():
        return Machine()
    tree = parse(text, FILE)
    try:
        return Machine.model_validate_json(json.dumps(to_data(tree)))
    except ValidationError as error:
        raise RecipeError(to_diagnostics(error, tree, Machine)) from None


def place_of(root: Path, place: str) -> Path:
    """Where a place that the machine file names lies: `~` is the home, and a relative path begins at the project."""
    return root / Path(place).expanduser()
