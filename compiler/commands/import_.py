"""recipe import run.sh: a recipe from a script that people run today."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from compiler.importing import Engine, Imported, Left, import_text
from compiler.importing.left import without_secrets
from compiler.importing.write import write
from schema.base import NAME
from schema.console import FINDINGS, fail, guarded, report
from schema.diagnostics import Diagnostic, Span
from schema.files import write_atomically
from schema.source import read_source


def import_(
    file: Annotated[
        Path, typer.Argument(help="A shell script, a trainer's YAML, or the JSON of a distillation service.")
    ],
    name: Annotated[str | None, typer.Option(help="The recipe's name; the file's when absent.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write; recipes/NAME.yaml when absent.")] = None,
    engine: Annotated[
        Engine, typer.Option(help="What trains in the recipe what was run with TRL or a trainer on transformers.")
    ] = "trl",
    force: Annotated[bool, typer.Option("--force", help="Write over a recipe that is there.")] = False,
) -> None:
    """Write a recipe from a script that runs swift, trl, accelerate, deepspeed, torchrun or a distillation.

    Nothing of it is executed.
    """
    named = name if name is not None else _name_of(file)
    if re.match(NAME, named) is None or named.endswith("\n"):
        fail(f"`{named}` is not a name: write lower-case letters and digits, joined by `-` or `_`, behind `--name`")
    target = out if out is not None else Path("recipes", f"{named}.yaml")
    if target.exists() and not force:
        fail(f"{target} exists already: `--force` writes over it, `--out` writes elsewhere")
    sources: dict[str, str] = {}
    text = guarded(lambda: read_source(file, str(file)), sources).text.replace("\r\n", "\n")
    sources[str(file)] = without_secrets(text)
    found = guarded(lambda: import_text(text, file, named, engine), sources)
    if not isinstance(found, Imported):
        _nothing(file, found, sources)
    report([left.diagnostic() for left in found.left if not left.said], sources)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, write(found, file.name, target.parent.name == "recipes").encode())
    except OSError as error:
        fail(f"{target} cannot be written: {(error.strerror or str(error)).lower()}")
    print(_summary(target, found))


def _name_of(file: Path) -> str:
    return re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-") or "imported"


def _nothing(file: Path, left: tuple[Left, ...], sources: dict[str, str]) -> NoReturn:
    place = Span(str(file), 1, 1, 1, 1)
    message = f"nothing in `{file}` becomes a stage of a recipe"
    help = (
        "name a script with `swift sft` or `trl sft`, a trainer behind `accelerate launch`, `deepspeed` or `torchrun`, "
        "or one that is told a `--student_model`"
    )
    report([*(item.diagnostic() for item in left), Diagnostic("R0730", message, help, (place,))], sources)
    raise typer.Exit(FINDINGS)


def _summary(target: Path, found: Imported) -> str:
    missing = sum(not item.said for item in found.left)
    options = sum(len(call.given) for call in found.stages.values())
    count = len(found.stages)
    stages = f"{count} stage{'s' if count > 1 else ''}"
    told = f"{missing} not in the recipe, listed at its end" if missing else "nothing is missing"
    return f"{target}  {stages} from {options} options; {told}. Read it, then `recipe compile {target}`"
