"""recipe card recipes/animals-lora.yaml --out README.md: a model card for Hugging Face from the run records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from schema.console import asked_for, complete_recipe, complete_stage, complete_variant, fail, guarded


def card(
    file: Annotated[Path, typer.Argument(help="The recipe.", autocompletion=complete_recipe)],
    variant: Annotated[
        str | None, typer.Option(help="An instance of the recipe.", autocompletion=complete_variant)
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(help="The stage whose model it is about, else the last.", autocompletion=complete_stage),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
) -> None:
    """Write a model card: base model, data, settings, scores, hashes, and how to repeat it."""
    loaded, instance = asked_for(file, variant)

    from runners.card import gather  # what reads records is not needed to complain about a recipe
    from runners.card_text import text
    from schema.files import write_atomically

    written = text(guarded(lambda: gather(loaded, instance, stage)))
    if out is None:
        print(written, end="")
        return
    try:
        write_atomically(out, written.encode())
    except OSError as error:
        fail(f"{out} cannot be written: {(error.strerror or str(error)).lower()}")
