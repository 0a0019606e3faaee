"""Whether a recipe still stands for the same results as when it was compiled last, and what differs otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compiler.diff.stages import identity_changes
from compiler.diff.words import fact
from compiler.plan import Json, Plan, StagePlan
from compiler.render import MANIFEST
from schema.files import read_json


@dataclass(frozen=True, slots=True)
class Proof:
    """One instance, compared with the compiled pipeline that is committed."""

    label: str
    now: str
    """The recipe hash as it is compiled now."""
    committed: str | None
    """The recipe hash of the committed pipeline; None where there is none of this recipe."""
    facts: tuple[str, ...] = ()
    """What differs, stage by stage."""

    @property
    def kept(self) -> bool:
        """Whether there is something to compare with, and it is the same."""
        return self.committed == self.now


def prove(root: Path, plan: Plan) -> Proof:
    """Compare an instance with its folder below `pipelines/`."""
    folder = root / plan.pipeline
    manifest = _manifest(folder, plan.file)
    if manifest is None:
        return Proof(plan.label, plan.recipe_hash, None)
    committed = str(manifest.get("recipe_hash"))
    facts = () if committed == plan.recipe_hash else tuple(_facts(folder, manifest["stages"], plan))
    return Proof(plan.label, plan.recipe_hash, committed, facts)


def _manifest(folder: Path, file: str) -> Json:
    """The manifest of a pipeline that was compiled from a recipe, or None."""
    found = read_json(folder / MANIFEST)
    if not isinstance(found, dict) or not isinstance(found.get("stages"), dict):
        return None
    return found if isinstance(found.get("recipe"), dict) and found["recipe"].get("file") == file else None


def _facts(folder: Path, committed: Json, plan: Plan) -> Iterator[str]:
    moved: set[str] = set()
    for stage in plan.stages:
        if stage.name not in committed:
            yield f"{stage.name}: was not there"
        elif committed[stage.name].get("key") != stage.key:
            moved.add(stage.name)
            yield from (f"{stage.name}: {why}" for why in _reasons(folder, stage, moved))
    yield from (f"{name}: is not there any more" for name in committed if name not in {s.name for s in plan.stages})


def _reasons(folder: Path, stage: StagePlan, moved: set[str]) -> list[str]:
    """Why a stage's key moved: facts of its identity, or a stage before it."""
    before = read_json(folder / f"{stage.name}.json")
    try:
        reasons = [fact(found) for found in identity_changes(before, stage.identity)]
    except (AttributeError, KeyError, TypeError):
        return ["its committed identity cannot be read"]
    upstream = [given.stage for given in stage.inputs if given.stage in moved]
    reasons += [f"follows {name}" for name in dict.fromkeys(upstream)]
    return reasons or ["reads something else"]
