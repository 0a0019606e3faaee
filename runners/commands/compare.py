"""recipe compare recipes/okvqa.yaml: one metric of every instance that has run, side by side."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from schema.console import AsPage, PageFormat, complete_recipe, complete_variant, guarded, located
from schema.load import Instance, Loaded, load

WIDTH = 140  # columns where no terminal says how many it has


def compare(
    file: Annotated[Path, typer.Argument(help="The recipe.", autocompletion=complete_recipe)],
    variant: Annotated[
        list[str] | None,
        typer.Option(help="An instance to compare; all when absent.", autocompletion=complete_variant),
    ] = None,
    metric: Annotated[str | None, typer.Option(help="The metric, by its name in metrics.json.")] = None,
    format: AsPage = PageFormat.TEXT,
) -> None:
    """Compare the scores of a recipe's instances, such as several models before and after training."""
    sources: dict[str, str] = {}
    guarded(lambda: _show(load(located(file), sources), variant or [], metric, format), sources)


def _show(loaded: Loaded, variants: list[str], metric: str | None, format: PageFormat) -> None:
    from runners import compare as comparing  # what shows is not needed to complain about a recipe

    instances = [loaded.instance(name) for name in variants] or list(loaded.instances)
    found = comparing.compare(loaded.root, _name(loaded.instances), instances, metric)
    if format is PageFormat.JSON:
        print(json.dumps(comparing.document(found), indent=1, ensure_ascii=False))
    elif format is PageFormat.MARKDOWN:
        print(comparing.markdown(found), end="")
    else:
        _print(*comparing.table(found))


def _name(instances: tuple[Instance, ...]) -> str:
    return str(instances[0].recipe.name)


def _print(table: object, below: str) -> None:
    from rich.console import Console

    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    console.print(table)
    if below:
        console.print(f"\n{below.rstrip()}", markup=False)
