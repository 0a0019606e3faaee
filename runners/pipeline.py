"""A compiled pipeline as `recipe run` sees it: its stages in the order of its dvc.yaml, and which of them each needs.

pipelines/animals-lora/dvc.yaml        the stages, what they read and what they hand over
pipelines/animals-lora/manifest.json   kind and key of each, and what has to be downloaded
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schema.diagnostics import Diagnostic, RecipeError
from schema.files import read_json

COMPILED = "compiled"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Step:
    """A stage: `after` names the stages whose outputs it reads, `given` are the other paths that it reads.

    `out` is its folder. Paths are relative to the root.
    """

    name: str
    kind: str
    key: str
    out: str
    after: tuple[str, ...]
    given: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A compiled recipe: `label` is `NAME` or `NAME/VARIANT`, `file` the recipe relative to the root."""

    root: Path
    label: str
    file: str
    steps: tuple[Step, ...]
    plots: tuple[str, ...]
    downloads: tuple[Mapping[str, Any], ...]

    @property
    def folder(self) -> str:
        """Relative to the root."""
        return f"pipelines/{self.label}"

    def target(self, stage: str) -> str:
        """The name of a stage, or of a plot with `:` before it, for DVC in the root."""
        return f"{self.folder}/dvc.yaml:{stage}"

    def step(self, name: str) -> Step:
        """A stage by its name. Errors: RecipeError that lists the stages."""
        for step in self.steps:
            if step.name == name:
                return step
        known = ", ".join(step.name for step in self.steps)
        raise RecipeError([Diagnostic("R0521", f"{self.label} has no stage `{name}`", f"its stages: {known}")])

    def upstream(self, step: Step) -> tuple[Step, ...]:
        """Every stage that a stage needs, in the order they run."""
        needed = set(step.after)
        for earlier in reversed(self.steps):
            if earlier.name in needed:
                needed.update(earlier.after)
        return tuple(earlier for earlier in self.steps if earlier.name in needed)

    def checkpoints(self, step: Step) -> Path:
        """Where a stage's trainer leaves its checkpoints and `logging.jsonl`."""
        return self.root / ".recipe" / "checkpoints" / step.key / "checkpoints"


def load(root: Path, label: str, file: str) -> Pipeline:
    """The pipeline that a recipe was compiled to. Errors: RecipeError when it was not, or was by another version."""
    folder = root / "pipelines" / label
    manifest, stages = _read(folder, label, file)
    try:
        return Pipeline(
            root,
            label,
            file,
            tuple(_steps(stages["stages"], manifest["stages"])),
            tuple(name for entry in stages.get("plots", ()) for name in entry),
            tuple(manifest["downloads"]),
        )
    except (KeyError, TypeError, AttributeError):
        raise _not_compiled(f"pipelines/{label} is not what this version compiles", file) from None


def _read(folder: Path, label: str, file: str) -> tuple[Any, Any]:
    import yaml

    manifest = read_json(folder / "manifest.json")
    if not isinstance(manifest, dict):
        raise _not_compiled(f"`{file}` is not compiled: there is no pipelines/{label}", file)
    if manifest.get("format_version") != FORMAT_VERSION:
        raise _not_compiled(f"pipelines/{label} was compiled by another version", file)
    try:
        text = (folder / "dvc.yaml").read_text("utf-8")
        return manifest, yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, ValueError, yaml.YAMLError):
        raise _not_compiled(f"pipelines/{label}/dvc.yaml is not as it was compiled", file) from None


def _not_compiled(message: str, file: str) -> RecipeError:
    return RecipeError([Diagnostic("R0520", message, f"run `recipe compile {file}`")])


def _steps(stages: Mapping[str, Any], manifest: Mapping[str, Any]) -> Iterator[Step]:
    outs = {path: name for name, stage in stages.items() if name != COMPILED for path in _outs(stage)}
    for name, stage in stages.items():
        if name != COMPILED:
            about = manifest[name]
            makers = {path: _maker(path, outs) for path in stage["deps"]}
            after = dict.fromkeys(maker for maker in makers.values() if maker)
            given = (path.replace("\\${", "${") for path, maker in makers.items() if not maker)  # as DVC reads it
            yield Step(name, about["kind"], about["key"], about["out"], tuple(after), tuple(given))


def _outs(stage: Mapping[str, Any]) -> Iterable[str]:
    for section in ("outs", "metrics", "plots"):
        for entry in stage.get(section, ()):
            yield from entry if isinstance(entry, dict) else (entry,)


def _maker(path: str, outs: Mapping[str, str]) -> str | None:
    """The stage whose output a path is, or lies in."""
    while path:
        if path in outs:
            return outs[path]
        path = path.rpartition("/")[0]
    return None
