"""recipe fetch recipes/animals-lora.yaml: put its models and data sets where the stages read them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from schema.console import asked_for, complete_recipe, guarded

INTERRUPTED = 130  # what a shell says of a program that was ended by Ctrl-C


def fetch(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Recipes.", autocompletion=complete_recipe)],
    variant: Annotated[str | None, typer.Option(help="An instance of each recipe.")] = None,
) -> None:
    """Download the models and data sets of compiled recipes, and build their tiny models."""
    asked = [asked_for(file, variant) for file in files]

    from runners import fetch as fetching  # here something will be loaded over a network
    from runners import pipeline

    for loaded, instance in asked:
        compiled = guarded(lambda: pipeline.load(loaded.root, instance.label, loaded.file))  # noqa: B023
        wanted = guarded(lambda: fetching.downloads(compiled.downloads))  # noqa: B023
        try:
            fetched = guarded(lambda: fetching.ensure(compiled.root, wanted))  # noqa: B023
        except KeyboardInterrupt:
            print("stopped; the next fetch goes on from here", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None
        for download in wanted:
            print(f"{download.name}: {'fetched to' if download in fetched else 'already in'} {download.to}")
        if not wanted:
            print(f"{compiled.label} needs nothing from a hub")
