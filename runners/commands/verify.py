"""recipe verify quickstart/train: are its outputs still those that its record names? And does it give them again?"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schema.console import FINDINGS, AsFormat, Format, guarded
from schema.load import project_root

if TYPE_CHECKING:
    from runners.rerun import Again
    from runners.runs import Run
    from runners.verify import Change, Verdict

FORMAT_VERSION = 1
WORDS = {"missing": "is missing", "changed": "has other bytes", "extra": "was added"}


def verify(
    run: Annotated[str, typer.Argument(help="RECIPE/STAGE, the path of a record, or the beginning of a digest of it.")],
    rerun: Annotated[bool, typer.Option("--rerun", help="Also run the stage again, elsewhere, and compare.")] = False,
    format: AsFormat = Format.TEXT,
) -> None:
    """Check the outputs of a run against its record."""
    from runners.verify import named, verify  # what reads much is not needed to complete a command line

    root, as_json = project_root(Path("recipes", "any.yaml")), format is Format.JSON
    if as_json:
        os.environ["RECIPE_QUIET"] = "1"  # standard output is for the document
    runs, sound = [], True
    for found in guarded(lambda: named(root, run)):
        verdict = guarded(lambda: verify(root, found))  # noqa: B023
        _say(_lines(verdict), as_json)
        again = _again(root, found) if rerun else None
        if again:
            _say(_told_again(verdict, again), as_json)
        runs.append(_document(verdict, again))
        sound = sound and verdict.sound and not (again and again.changes)
    if as_json:
        print(json.dumps({"format_version": FORMAT_VERSION, "runs": runs}, indent=1, ensure_ascii=False))
    if not sound:
        raise typer.Exit(FINDINGS)


def _say(lines: Iterable[str], as_json: bool) -> None:
    """For eyes, at once: a second run can take long."""
    if not as_json:
        print("\n".join(lines), flush=True)


def _again(root: Path, run: Run) -> Again:
    """The second run, or the end of the program with the reason why there is none."""
    from runners.failures import of_system
    from runners.rerun import rerun
    from runners.supervise import Control, Stopped, say
    from schema.diagnostics import RecipeError

    def supervised() -> Again:
        try:
            with Control() as control:
                return rerun(root, run, control)
        except OSError as error:
            raise RecipeError([of_system(error, root)]) from None

    try:
        return guarded(supervised)
    except Stopped as stopped:
        say(f"{stopped}; nothing of the project was touched")
        raise typer.Exit(128 + stopped.number) from None


def _document(verdict: Verdict, again: Again | None) -> dict[str, Any]:
    return {
        "recipe": verdict.run.recipe,
        "stage": verdict.run.stage,
        "record": verdict.run.file,
        "sound": verdict.sound,
        "files": verdict.files,
        "outputs": [asdict(change) for change in verdict.outputs],
        "inputs": [asdict(change) for change in verdict.inputs],
        "contradictions": list(verdict.contradictions),
        "rerun": _rerun(again) if again else None,
    }


def _rerun(again: Again) -> dict[str, Any]:
    return {
        "same": not again.changes,
        "promised": again.promised,
        "seconds": again.seconds,
        "changes": [asdict(change) for change in again.changes],
        "values": [asdict(value) for value in again.values],
        "machine": {name: {"recorded": old, "here": new} for name, (old, new) in again.machine.items()},
        "kept": again.kept,
    }


def _lines(verdict: Verdict) -> Iterator[str]:
    told = "as its record names them" if not verdict.outputs else f"{len(verdict.outputs)} not as its record names them"
    yield f"{verdict.run.title}: {_files(verdict.files)}, {told}"
    yield from _changed(verdict.outputs)
    for name in verdict.contradictions:
        yield f"  {verdict.run.file}: its digest `{name}` is not that of what else it says, so it was edited"
    for change in verdict.inputs:
        yield f"  note: the input {change.file} {WORDS[change.how]} now; that says nothing of the outputs"


def _told_again(verdict: Verdict, again: Again) -> Iterator[str]:
    from runners.events import duration

    told = "byte for byte the same" if not again.changes else f"{_files(len(again.changes))} otherwise"
    yield f"{verdict.run.title}: run again in {duration(again.seconds)}, {told}"
    yield from _changed(again.changes)
    yield from (f"    {value.file}: {value.name} {_shown(value.old)} → {_shown(value.new)}" for value in again.values)
    if again.kept:
        yield f"  what it wrote is kept in {again.kept}/result"
        yield f"  the same bits are promised on the same CPU model with as many threads: {_machine(again)}"


def _changed(changes: tuple[Change, ...]) -> Iterator[str]:
    return (f"  {change.file} {WORDS[change.how]}" for change in changes)


def _machine(again: Again) -> str:
    from runners.rerun import PROMISED

    pairs = ((PROMISED[name], old, new) for name, (old, new) in again.machine.items())
    return "; ".join(
        f"{name} {old}, the same here" if old == new else f"{name} {old}, here {new}" for name, old, new in pairs
    )


def _files(number: int) -> str:
    return f"{number} file{'' if number == 1 else 's'}"


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
