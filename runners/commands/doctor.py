"""recipe doctor recipes/animals-lora.yaml: what this machine lacks for a recipe, and what to do about each."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from schema.console import FINDINGS, AsFormat, Format, asked_for, chosen, complete_recipe, complete_variant, guarded

if TYPE_CHECKING:
    from runners.doctor import Finding

FORMAT_VERSION = 1
WORDS = {"lacks": "lacks", "note": "to do", "ok": "ok"}
STYLES = {"lacks": "red", "note": "yellow", "ok": ""}
WIDE = 1000  # characters of a line that no terminal shows


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
    """What is lacking first; the packages that are as they should be in one row."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
    lacking = sum(finding.status == "lacks" for finding in findings)
    console.print(Text.assemble((label, "bold"), f"  lacking: {lacking or 'nothing'}"))
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("", "what", "found, and what to do"):
        table.add_column(title, overflow="fold")
    packages = [f for f in findings if (f.about, f.status) == ("package", "ok")]
    rows = [(f.status, f"{f.about} {f.what}", f.found, f.help) for f in findings if f not in packages]
    if packages:
        rows.append(("ok", "packages", ", ".join(f"{f.what} {f.found}" for f in packages), ""))
    for status, what, found, help in sorted(rows, key=lambda row: list(WORDS).index(row[0])):
        told = f"{found}\n→ {help}" if help else found
        table.add_row(WORDS[status], Text(what), Text(told), style=STYLES[status])
    console.print(table)
    console.print()
