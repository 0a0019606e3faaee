"""What a trainer has told of its own settings (`runners.watch`), read by `recipe exec`.

.recipe/checkpoints/<key>/trainer.json      written before the first step and after the last
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runners.compiled import Stage
from runners.watch.compare import Difference
from runners.watch.report import ENDING, FORMAT, NAME, PLAN
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import read_json, remove

TOLD = ("held", "not_compared", "parameters", "after")
"""What a run record has of a report."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the first process told, and where any process differs from the plan, before its first step and after its last."""

    told: Mapping[str, Any]
    before: tuple[Difference, ...]
    after: tuple[Difference, ...]

    def as_json(self) -> dict[str, Any]:
        """The part of a run record: before the first step nothing differed. `after` is null when nobody looked again."""
        looked = self.told.get("after") is not None or self.after
        return {name: self.told.get(name) for name in TOLD} | {
            "after": [difference.as_json() for difference in self.after] if looked else None
        }


def expected(stage: Stage) -> bool:
    """Whether the script has its trainer watched."""
    return PLAN in (stage.root / stage.script).read_text()


def forget(folder: Path) -> None:
    """Remove what an earlier try has told."""
    for path in _files(folder):
        remove(path)


def read(folder: Path) -> Report | None:
    """What the trainers of a work folder have told; None when none has."""
    documents = [d for path in _files(folder) if isinstance(d := read_json(path), dict) and d.get("format") == FORMAT]
    if not documents:
        return None
    return Report(documents[0], tuple(_all(documents, "before")), tuple(_all(documents, "after")))


def told(path: Path) -> bool:
    """Whether a file of a work folder is what a trainer has told."""
    return path.name.startswith(NAME) and path.name.endswith(ENDING)


def _files(folder: Path) -> list[Path]:
    """That of the first process comes first."""
    return sorted(filter(told, folder.glob(f"{NAME}*")), key=lambda path: (len(path.name), path.name))


def _all(documents: list[dict[str, Any]], when: str) -> Iterator[Difference]:
    """Each difference once: processes of one training mostly differ in the same way."""
    seen: list[Difference] = []
    for found in (Difference(**entry) for document in documents for entry in document[when] or ()):
        if found not in seen:
            seen.append(found)
            yield found


def refuse(stage: Stage, report: Report) -> None:
    """Errors: RecipeError when the trainer held other values before its first step."""
    if report.before:
        listed = "; ".join(map(str, report.before))
        message = f"the trainer of {stage.title} did not hold what was planned, and made no step. {listed}"
        help = "look for what sets it otherwise: a plugin, a variable under `env:` of machine.yaml, another release of the engine"
        raise RecipeError([Diagnostic("R0514", message, help)])


def silent(stage: Stage) -> RecipeError:
    """The error of a trainer that ended well and has told nothing."""
    message = f"the trainer of {stage.title} never told what it held: nothing shows that it ran as planned"
    help = f"compile again: `recipe compile {stage.recipe_file}`; its script has the trainer watched"
    return RecipeError([Diagnostic("R0515", message, help)])
