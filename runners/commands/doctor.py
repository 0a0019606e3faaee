"""recipe doctor recipes/animals-lora.yaml: what this machine lacks for a recipe, and what to do about each."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schema.console import FINDINGS, AsFormat, Format, asked_for, chosen, complete_recipe, complete_variant, guarded

if TYPE_CHECKING:
    from runners.doctor import Finding

FORMAT_VERSION = 1
WORDS = {"ok": "ok", "note": "to do", "lacks": "lacks"}


def doctor(
    file: Annotated[
        Path | None, typer.Argument(metavar="RECIPE", help="All recipes when absent.", autocompletion=complete_recipe)
    ] = None,
    variant: Annotated[
        str | None, typer.Option(help="An instance of the recipe.", autocompletion=complete_variant)
    ] = None,
    format: AsFormat = Format.TEXT,
) -> None:
    """Say what this machine lacks for a recipe, and what to do about each. Nothing is changed."""
    found = {}
    for path in [file] if file else chosen(None):
        label, findings = _examined(path, variant if file else None)
        found[label] = findings
    if format is Format.JSON:
        told = {label: [asdict(finding) for finding in findings] for label, findings in found.items()}
        print(json.dumps({"format_version": FORMAT_VERSION, "recipes": told}, indent=1, ensure_ascii=False))
    else:
        for label, findings in found.items():
            _table(label, findings)
    if any(finding.status == "lacks" for findings in found.values() for finding in findings):
        raise typer.Exit(FINDINGS)


def _examined(path: Path, variant: str | None) -> tuple[str, list[Finding]]:
    """A recipe's instance and what was found; its compiled stages say what they need."""
    from runners import compiled, pipeline  # not what completing a command line needs
    from runners.doctor import Patient, examine

    loaded, instance = asked_for(path, variant)
    built = guarded(lambda: pipeline.load(loaded.root, instance.label, loaded.file))
    names = [step.name for step in built.steps]
    stages = guarded(lambda: tuple(compiled.load(loaded.root / built.folder / name) for name in names))
    return instance.label, examine(Patient(loaded, instance, built, stages, os.environ))


def _table(label: str, findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table

    lacking = sum(finding.status == "lacks" for finding in findings)
    console = Console(highlight=False)
    console.print(f"[bold]{label}[/bold]  lacking: {lacking or 'nothing'}")
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("", "what", "found", "what to do"):
        table.add_column(title, overflow="fold")
    for finding in findings:
        style = {"lacks": "red", "note": "yellow", "ok": ""}[finding.status]
        what = f"{finding.about} {finding.what}"
        table.add_row(WORDS[finding.status], what, finding.found, finding.help, style=style)
    console.print(table)
    console.print()
