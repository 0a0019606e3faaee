"""recipe new NAME --from animals-lora: a commented recipe to start from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from schema.base import NAME
from schema.console import complete_recipe, fail, guarded, located
from schema.load import load
from schema.source import read_source


def new(
    name: Annotated[str, typer.Argument(help="The new recipe's name.")],
    source: Annotated[
        Path, typer.Option("--from", help="The recipe to start from.", autocompletion=complete_recipe)
    ] = Path("animals-lora"),
) -> None:
    """Write recipes/NAME.yaml: another recipe with its comments, under a new name."""
    if re.match(NAME, name) is None:
        fail(f"`{name}` is not a name: write lower-case letters and digits, joined by `-` or `_`")
    target = Path("recipes", f"{name}.yaml")
    origin = located(source)
    texts: dict[str, str] = {}
    loaded = guarded(lambda: load(origin, texts), texts)
    text = guarded(lambda: read_source(origin, str(origin)), texts).text
    place = loaded.instances[0].at("name")
    lines = text.splitlines(keepends=True)
    line = lines[place.line - 1]
    lines[place.line - 1] = line[: place.column - 1] + name + line[place.end_column - 1 :]
    target.parent.mkdir(exist_ok=True)
    try:
        with target.open("x", encoding="utf-8", newline="") as file:
            file.write("".join(lines))
    except FileExistsError:
        fail(f"{target} exists already")
    print(f"{target}  edit it, then `recipe compile {target}`")
