"""recipe run recipes/quickstart.yaml: the same work as `dvc repro`, watched."""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schema.console import asked_for, complete_recipe, complete_stage, complete_variant, fail, guarded
from schema.diagnostics import Diagnostic, RecipeError
from schema.load import Instance

if TYPE_CHECKING:
    from runners.events import Ended
    from runners.pipeline import Pipeline
    from runners.run import Wish
    from runners.views import View

FAILED = 1
STOPPED = 130  # what a shell says of a program that was ended by Ctrl-C
_GPUS = re.compile(r"\d+(,\d+)*")


class Format(StrEnum):
    """For eyes, or one JSON object a line for programs."""

    TEXT = "text"
    JSONL = "jsonl"


def run(
    file: Annotated[Path, typer.Argument(help="The recipe.", autocompletion=complete_recipe)],
    variant: Annotated[
        str | None, typer.Option(help="An instance of the recipe.", autocompletion=complete_variant)
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(help="Only this stage; what it reads has to be up to date.", autocompletion=complete_stage),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run although nothing changed, and from the start.")] = False,
    gpus: Annotated[str | None, typer.Option(metavar="2,3", help="Which GPUs to use on this machine.")] = None,
    format: Annotated[Format, typer.Option(help="How the run is shown.")] = Format.TEXT,
) -> None:
    """Run the stages of a compiled recipe that are out of date, and show how they come along."""
    loaded, instance = asked_for(file, variant)
    if gpus is not None:
        guarded(lambda: _check_gpus(gpus, instance))

    from runners.pipeline import load  # from here on something runs, and loading what runs it does not matter
    from runners.run import Wish

    pipeline = guarded(lambda: load(loaded.root, instance.label, loaded.file))
    ended = guarded(lambda: _watched(pipeline, Wish(stage, force, gpus), _view(format)))
    if ended.state == "failed":
        raise typer.Exit(FAILED)
    if ended.state == "stopped":
        raise typer.Exit(STOPPED)
    if format is Format.TEXT:
        _tell_results(pipeline, ended)


def _check_gpus(gpus: str, instance: Instance) -> None:
    if not _GPUS.fullmatch(gpus):
        fail(f"--gpus takes numbers with commas, such as 2,3, not `{gpus}`")
    named, wanted = len(set(gpus.split(","))), instance.recipe.hardware.gpus
    if named < wanted:
        message = f"--gpus {gpus} names {named} GPU{'s' if named > 1 else ''}, and the recipe runs on {wanted}"
        help = "name as many; fewer processes would be another recipe"
        raise RecipeError([Diagnostic("R0524", message, help, (instance.at("hardware", "gpus"),))])


def _view(format: Format) -> View:
    from runners import views

    if format is Format.JSONL:
        return views.JsonLines()
    return views.Table() if sys.stdout.isatty() else views.Lines()


def _watched(pipeline: Pipeline, wish: Wish, view: View) -> Ended:
    """Run, and have every event shown; the last one with the scores."""
    from dataclasses import replace

    from runners import results
    from runners.run import run as walk

    with view:
        ended = walk(pipeline, wish, view.show, view.tick)
        if ended.state in ("done", "up to date") and _whole(pipeline, wish):
            ended = replace(ended, scores=results.metrics(pipeline))
            if ended.scores and ended.state == "done":
                ended = replace(ended, plots=results.plots_page(pipeline))
        view.show(ended)
    return ended


def _whole(pipeline: Pipeline, wish: Wish) -> bool:
    """Whether this run leads to scores: all stages, or one that evaluates."""
    from runners import results

    return wish.stage is None or pipeline.step(wish.stage).kind in results.SCORING


def _tell_results(pipeline: Pipeline, ended: Ended) -> None:
    if not ended.scores:
        return
    if ended.state == "up to date":
        named = pipeline.label.partition("/")[2]
        print(f"its scores: recipe scores {pipeline.file}" + (f" --variant {named}" if named else ""))
        return
    from runners.results import present

    present(pipeline)
    if ended.plots:
        print(f"\nplots: {pipeline.root / ended.plots}")
