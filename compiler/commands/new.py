"""recipe new NAME --from animals-lora: a commented recipe to start from."""

from __future__ import annotations

import re
import sysconfig
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from schema.base import NAME
from schema.console import complete_recipe, fail, guarded, located, recipe_files
from schema.files import write_atomically
from schema.load import load
from schema.source import read_source

OURS = "../schema/recipe-v1.schema.json"
"""As recipes of ours name it. Elsewhere no folder is called `schema`: Python would take it for the package."""
SHIPPED = (Path(__file__).parents[2], Path(sysconfig.get_path("data"), "share", "recipe-compiler"))
"""Where the recipes of this project may be: its checkout, or what an installation without one has put down."""


def complete_origin(incomplete: str) -> list[str]:
    """Recipes to start from, for shell completion: those here, and the names of ours."""
    here = complete_recipe(incomplete)
    return [*here, *(name for name in _ours() if name.startswith(incomplete) and name not in here)]


def new(
    name: Annotated[str, typer.Argument(help="The new recipe's name.")],
    source: Annotated[
        Path, typer.Option("--from", help="The recipe to start from, here or ours.", autocompletion=complete_origin)
    ] = Path("animals-lora"),
) -> None:
    """Write recipes/NAME.yaml: another recipe with its comments, under a new name."""
    if re.match(NAME, name) is None:
        fail(f"`{name}` is not a name: write lower-case letters and digits, joined by `-` or `_`")
    target = Path("recipes", f"{name}.yaml")
    if target.exists():
        fail(f"{target} exists already")
    origin = _origin(source)
    texts: dict[str, str] = {}
    loaded = guarded(lambda: load(origin, texts), texts)
    text = guarded(lambda: read_source(origin, str(origin)), texts).text
    place = loaded.instances[0].at("name")
    lines = text.splitlines(keepends=True)
    line = lines[place.line - 1]
    lines[place.line - 1] = line[: place.column - 1] + name + line[place.end_column - 1 :]
    target.parent.mkdir(exist_ok=True)
    write_atomically(target, _with_schema("".join(lines)).encode())
    print(f"{target}  edit it, then `recipe compile {target}`")


def _with_schema(text: str) -> str:
    """The text, whose first line names the JSON Schema for editors; where there is none yet, it is put beside recipes."""
    if OURS not in text or Path("recipes", OURS).exists():
        return text
    beside = Path("recipes", Path(OURS).name)
    if not beside.exists():
        write_atomically(beside, (files("schema") / beside.name).read_bytes())
    return text.replace(OURS, beside.name)


def _origin(source: Path) -> Path:
    """The recipe to start from: one of the project, else, by its name alone, one of ours."""
    found = located(source)
    return found if found.exists() or len(source.parts) > 1 else _ours().get(source.stem, found)


def _ours() -> dict[str, Path]:
    return {file.stem: file for folder in reversed(SHIPPED) for file in recipe_files(folder)}
