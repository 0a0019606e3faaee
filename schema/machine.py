"""What differs from machine to machine stands in `machine.yaml` at the project's root, which is not committed.

gpus: [0, 1]                                     # which GPUs runs may use
data: {data/animals: /mnt/ssd/animals}           # a path of a recipe → where it lies here
env: {NCCL_P2P_DISABLE: "1"}                     # for engines
store: ~/.cache/recipe-store                     # where downloads are kept; projects may share one (RECIPE_STORE)
mirrors:                                         # asked in this order, before the hubs (RECIPE_MIRRORS)
  - {hub: huggingface, url: https://mirror.example.com/hf}
hubs: [modelscope, huggingface]                  # which hubs are asked, in this order (RECIPE_HUBS)
endpoints: {huggingface: https://hub.example.com}  # instead of a hub's own address (HF_ENDPOINT, MODELSCOPE_ENDPOINT)
allow_other_versions: false                      # run with other versions than a recipe was compiled for
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import Field, ValidationError

from schema.base import Address, Model
from schema.diagnostics import RecipeError
from schema.models import Hub
from schema.shape import to_diagnostics
from schema.source import parse, read_source
from schema.tree import to_data

FILE = "machine.yaml"


class Mirror(Model):
    """An address that serves the files of a hub."""

    hub: Hub
    """Whose files, and whose protocol."""
    url: Address


class Machine(Model):
    """One machine.

    An environment variable that the example above names goes before its field. Its form, where it holds a list:
    RECIPE_MIRRORS=huggingface=https://mirror.example.com/hf,modelscope=https://… and RECIPE_HUBS=modelscope,huggingface.

    A mirror serves bytes whose digests are known already, so it is never sent a token and never believed about a hash. What
    stands in `endpoints` takes the place of the hub: it resolves names, and is sent the token that the hub's own variables
    and files hold (HF_TOKEN, HF_TOKEN_PATH, HF_HOME/token; MODELSCOPE_API_TOKEN, MODELSCOPE_HOME/credentials).
    """

    gpus: tuple[int, ...] | None = None
    """Indices of the GPUs that runs may use; all when absent."""
    data: dict[str, str] = {}
    """A path of a recipe → where it lies on this machine."""
    env: dict[str, str] = {}
    """Environment variables for engines."""
    store: str | None = None
    """Where downloads are kept, relative to the project's root; `.recipe/store` when absent."""
    mirrors: tuple[Mirror, ...] = ()
    """Asked in this order, before the hubs themselves."""
    hubs: tuple[Hub, ...] = Field(("modelscope", "huggingface"), min_length=1)
    """The hubs that are asked, in this order."""
    endpoints: dict[Hub, Address] = {}
    """Addresses that take the place of a hub."""
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


def here(root: Path, machine: Machine, path: str) -> Path:
    """Where a path of the project really lies: a mapped one that the project does not hold itself will be linked."""
    for mapped, place in machine.data.items():
        own = root / mapped
        if (path == mapped or path.startswith(f"{mapped}/")) and (own.is_symlink() or not own.exists()):
            return place_of(root, place) / path[len(mapped) + 1 :]
    return root / path
