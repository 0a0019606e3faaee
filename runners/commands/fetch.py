"""recipe fetch recipes/animals-lora.yaml: put its models and data sets where the stages read them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schema.console import FINDINGS, AsFormat, Format, asked_for, complete_recipe, guarded, report
from schema.diagnostics import Diagnostic, RecipeError
from schema.render import to_json

if TYPE_CHECKING:
    from runners.fetch import Download
    from runners.pipeline import Pipeline

INTERRUPTED = 130  # what a shell says of a program that was ended by Ctrl-C
FORMAT_VERSION = 1


def fetch(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Recipes.", autocompletion=complete_recipe)],
    variant: Annotated[str | None, typer.Option(help="An instance of each recipe.")] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Verify what is here, and take the rest from the store.")
    ] = False,
    format: AsFormat = Format.TEXT,
) -> None:
    """Download the models and data sets of compiled recipes, and build their tiny models."""
    asked, as_json = [asked_for(file, variant) for file in files], format is Format.JSON

    from runners import fetch as fetching  # here something will be loaded over a network
    from runners import pipeline

    wanted: dict[Path, dict[tuple[str, str | None], Download]] = {}
    for loaded, instance in asked:
        compiled = guarded(lambda: pipeline.load(loaded.root, instance.label, loaded.file))  # noqa: B023
        found = guarded(
            lambda: fetching.downloads(compiled.downloads, fetching.locked(compiled.root, compiled.file))  # noqa: B023
        )
        wanted.setdefault(compiled.root, {}).update({(d.to, d.asset.sha256 if d.asset else None): d for d in found})
        if not found and not as_json:
            print(f"{compiled.label} needs nothing from a hub")
        if not offline:
            guarded(lambda: _toolchains(compiled))  # noqa: B023
    for root, downloads in wanted.items():
        _ensure(root, list(downloads.values()), offline, as_json)


def _toolchains(pipeline: Pipeline) -> None:
    """Make the environments of the toolchains that stages of a compiled recipe run in."""
    from runners import compiled, toolchains

    for step in pipeline.steps:
        toolchains.ensure(compiled.load(pipeline.root / pipeline.folder / step.name), lambda: None)


def _ensure(root: Path, wanted: list[Download], offline: bool, as_json: bool) -> None:
    """Have them, and say which were fetched; or the end of the program with what is wrong."""
    from runners import fetch as fetching

    fetched: list[Download] = []
    wrong: tuple[Diagnostic, ...] = ()
    try:
        fetched = fetching.ensure(root, wanted, offline=offline, quiet=as_json)
    except RecipeError as error:
        wrong = error.diagnostics
    except KeyboardInterrupt:
        print("stopped; the next fetch goes on from here", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        told = [_told(root, download, download in fetched) for download in wanted]
        document = {"format_version": FORMAT_VERSION, "downloads": told, "diagnostics": json.loads(to_json(wrong))}
        print(json.dumps(document, indent=1, ensure_ascii=False))
    elif not wrong:
        for download in wanted:
            print(f"{download.name}: {'fetched to' if download in fetched else 'already in'} {download.to}")
    if wrong:
        report(wrong, {})
        raise typer.Exit(FINDINGS)


def _told(root: Path, download: Download, fetched: bool) -> dict[str, Any]:
    from runners.fetch import remembered

    asset = download.asset or remembered(root, download)
    return {
        "kind": download.kind,
        "id": download.id,
        "revision": download.revision,
        "to": download.to,
        "state": "fetched" if fetched else "there" if (root / download.to).exists() else "missing",
        "pinned": download.asset is not None,
        "sha256": asset.sha256 if asset else None,
    }
