"""recipe mv OLD NEW: rename a recipe with its pipelines, results and records, so that nothing runs again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from compiler.move import names
from compiler.move.alone import alone
from compiler.move.names import Move
from compiler.move.refuse import refuse
from compiler.move.steps import Step, steps, tidy
from schema.base import NAME
from schema.console import complete_recipe, fail, guarded, located
from schema.diagnostics import Diagnostic, RecipeError
from schema.load import Loaded, load, project_root

OLD = typer.Argument(metavar="OLD", help="The recipe, by its name or file.", autocompletion=complete_recipe)
NEW = typer.Argument(metavar="NEW", help="Its new name.")
DRY = typer.Option("--dry-run", help="Say what would be done, and change nothing.")


def mv(
    old: Annotated[Path, OLD],
    new: Annotated[str, NEW],
    dry_run: Annotated[bool, DRY] = False,
) -> None:
    """Rename a recipe with its lock, pipelines, results, logs and run records; nothing runs again."""
    if re.fullmatch(NAME, new) is None:
        fail(f"`{new}` is not a name: write lower-case letters and digits, joined by `-` or `_`")
    sources: dict[str, str] = {}
    root, move, loaded = guarded(lambda: _meant(old, new, sources), sources)
    if (move.old_file, move.old) == (move.new_file, move.new):
        fail(f"`{move.old}` is called that already")
    guarded(lambda: _carry_out(root, move, loaded, dry_run, sources), sources)
    if not dry_run:
        _tell_to_commit(root, move)


def _meant(old: Path, new: str, sources: dict[str, str]) -> tuple[Path, Move, Loaded | None]:
    """The project, the move and its recipe; a move that was cut off goes on without looking at its recipe again.

    Raises:
        RecipeError: the recipe cannot be loaded, R0441 it is a link, R0444 another move was cut off.
    """
    root = project_root(Path("recipes", "any.yaml").absolute())
    begun = names.begun(root)
    if begun is None:
        _refuse_link(located(old))
        loaded = load(located(old), sources)
        moved = Path(loaded.file).with_name(f"{new}{Path(loaded.file).suffix}").as_posix()
        return loaded.root, Move(loaded.file, moved, loaded.instances[0].recipe.name, new), loaded
    if not begun.is_called(str(old), new):
        message = f"renaming `{begun.old}` to `{begun.new}` was cut off"
        help = f"finish it first: `recipe mv {begun.old} {begun.new}`"
        raise RecipeError([Diagnostic("R0444", message, help)])
    return root, begun, None


def _refuse_link(file: Path) -> None:
    if file.is_symlink():
        message, help = f"{file} is a link, and its text belongs to another file", "put the file itself there"
        raise RecipeError([Diagnostic("R0441", message, help)])


def _carry_out(root: Path, move: Move, loaded: Loaded | None, dry: bool, sources: dict[str, str]) -> None:
    with alone(root, move, dry):
        if loaded is not None:
            refuse(root, move, loaded, sources)
        if dry:
            for step in list(steps(root, move)):
                print(f"would do  {step.words}")
            return
        try:
            names.begin(root, move)
            tidy(root, move)
            for step in steps(root, move):
                _do(step)
            names.end(root)
        except OSError as error:
            raise RecipeError([_unwritable(error, move)]) from None


def _do(step: Step) -> None:
    step.act()
    print(f"done  {step.words}", flush=True)


def _unwritable(error: OSError, move: Move) -> Diagnostic:
    message = f"{error.filename or 'a file'} cannot be changed: {(error.strerror or str(error)).lower()}"
    help = f"make room or access, and call `recipe mv {move.old} {move.new}` again: it goes on from here"
    return Diagnostic("R0407", message, help)


def _tell_to_commit(root: Path, move: Move) -> None:
    print(f"`{move.old}` is called `{move.new}` now; nothing that ran has to run again")
    if (root / ".git").exists():
        files = [name for name in ("recipes", "pipelines", "dvc.yaml", "dvc.lock") if (root / name).exists()]
        print(f"commit it: git add --all {' '.join(files)}; other files that name it: git grep -nw -e {move.old}")
