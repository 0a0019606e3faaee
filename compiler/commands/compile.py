"""recipe compile recipes/animals-lora.yaml"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from compiler.passes import build
from compiler.plan import Plan
from compiler.render import render
from compiler.render.root import EXEC, EXEC_NAME
from compiler.write import abandoned, clash, differences, remove_pipeline, replace_file, write
from schema.console import FINDINGS, Format, chosen, complete_recipe, fail, guarded, report
from schema.diagnostics import Diagnostic, RecipeError
from schema.load import Loaded, load


def compile(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Recipes; all of recipes/ when none is named.", autocompletion=complete_recipe),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 1 when compiled files are stale.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write below this folder instead of the project's pipelines/.")
    ] = None,
    set: Annotated[
        list[str] | None, typer.Option(metavar="PATH=VALUE", help="Change a field; only together with --out.")
    ] = None,
) -> None:
    """Compile recipes, with their variants, to pipelines/NAME/."""
    if set and out is None:
        fail("--set is for looking: a committed pipeline says what its recipe says. Add --out FOLDER")
    sources: dict[str, str] = {}
    stale: list[Diagnostic] = []
    for file in chosen(files):
        loaded = guarded(lambda file=file: load(file, sources, set or ()), sources)  # type: ignore[misc]
        plans = guarded(lambda loaded=loaded: compiled(loaded), sources)  # type: ignore[misc]
        report([w for plan in plans for w in plan.diagnostics], sources, Format.TEXT)
        place = loaded.root if out is None else out
        if check:
            stale += find_stale(place, plans)
        else:
            guarded(lambda loaded=loaded, plans=plans, place=place: _write(loaded, plans, place), sources)  # type: ignore[misc]
    if check and not stale:
        print("compiled files are up to date")
    if stale:
        report(stale, sources, Format.TEXT)
        raise typer.Exit(FINDINGS)


def compiled(loaded: Loaded) -> list[Plan]:
    """The plans of all instances of a recipe. Raises RecipeError with what is wrong with any of them."""
    plans: list[Plan] = []
    errors: dict[Diagnostic, None] = {}
    for instance in loaded.instances:
        try:
            plans.append(build(loaded, instance.variant))
        except RecipeError as error:
            errors |= dict.fromkeys(error.diagnostics)
    if errors:
        raise RecipeError(errors)
    return plans


def find_stale(root: Path, plans: list[Plan]) -> Iterator[Diagnostic]:
    """The pipelines whose files are not what their recipe compiles to."""
    for plan in plans:
        changed = differences(root / plan.pipeline, render(plan))
        if changed:
            message = f"{plan.pipeline} is stale: {', '.join(changed)}"
            yield Diagnostic("R0405", message, f"recipe changed, run `recipe compile {plan.file}`")
    for folder in abandoned(root, plans[0].file, [plan.pipeline for plan in plans]):
        yield Diagnostic(
            "R0405", f"{folder} belongs to a variant that is gone", f"run `recipe compile {plans[0].file}`"
        )


def _write(loaded: Loaded, plans: list[Plan], place: Path) -> None:
    for plan in plans:
        owner = clash(place, plan.pipeline, loaded.file)
        if owner:
            message = f"{plan.pipeline} belongs to `{owner}`"
            span = loaded.instances[0].at("name")
            raise RecipeError([Diagnostic("R0406", message, "give this recipe another `name`", (span,))])
    replace_file(place / "pipelines" / EXEC_NAME, EXEC)
    for plan in plans:
        files = render(plan)
        changed = write(place / plan.pipeline, files)
        told = f"{len(changed)} of {len(files)} files changed" if changed else "unchanged"
        print(f"{plan.pipeline}  {plan.recipe_hash[:12]}  {told}")
    for folder in abandoned(place, loaded.file, [plan.pipeline for plan in plans]):
        remove_pipeline(place / folder)
        print(f"{folder}  removed: its variant is gone")
    if not any(name == "lock" for name in loaded.files):
        print("not pinned: without a lock the hash says what was asked for, not which bytes were used")
