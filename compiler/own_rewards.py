"""Rewards of the project's own, read without being run: mistakes that would otherwise end a stage when it starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from schema.diagnostics import Diagnostic, RecipeError, Span
from schema.load import Instance, Loaded
from schema.rewards import FileReward, PathReward
from schema.stages import Grpo
from schema.suggest import nearest


def findings(loaded: Loaded, sources: dict[str, str]) -> dict[Diagnostic, None]:
    """R0550, R0551, R0554, R0575: what is wrong with the rewards of a recipe, each once.

    Args:
        sources: Receives the text of every file that is read, under the name that diagnostics use.
    """
    return {found: None for instance in loaded.instances for found in _instance(loaded.root, instance, sources)}


def _instance(root: Path, instance: Instance, sources: dict[str, str]) -> Iterator[Diagnostic]:
    for name, stage in instance.recipe.stages.items():
        for number, reward in enumerate(stage.rewards if isinstance(stage, Grpo) else ()):
            if isinstance(reward, FileReward | PathReward):
                path = ("stages", name, "rewards", number)
                field = "path" if isinstance(reward, PathReward) else "file"
                yield from _reward(root, reward, instance.at(*path, field), instance.at(*path), sources)


def _reward(
    root: Path, reward: FileReward | PathReward, named: Span, place: Span, sources: dict[str, str]
) -> Iterator[Diagnostic]:
    """What is wrong with the file or function of a reward; `named` is where the recipe names the file."""
    from schema import own_code  # parses Python, which few recipes bring

    file, function = reward.function_of
    written = root / file
    try:
        content = written.read_bytes()
    except OSError:
        yield _missing(root, file, named)
        return
    form = f"path: {reward.path.rpartition('.')[0]}.{{}}" if isinstance(reward, PathReward) else own_code.FORM
    shown = os.path.relpath(written)
    sources[shown] = content.decode(errors="replace")
    try:
        tree = own_code.parse(content, shown)
        found = [*own_code.neighbours(tree, shown, (root, written.parent))]
        found += own_code.unfit(tree, shown, function, reward.parameters, form)
    except RecipeError as error:
        found = [*error.diagnostics]
    for diagnostic in found:
        yield replace(diagnostic, spans=(place, *diagnostic.spans))


def _missing(root: Path, file: str, place: Span) -> Diagnostic:
    """R0575: a warning, since a machine may map the file, or DVC bring it."""
    beside = (other.name for other in sorted((root / file).parent.glob("*.py")))
    meant = nearest(Path(file).name, beside)
    help = (
        f"write it, or `{Path(file).with_name(meant).as_posix()}`"
        if meant
        else "write it; the stage cannot start without it"
    )
    return Diagnostic("R0575", f"{file} is not in the project", help, (place,), "warning")
