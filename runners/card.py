"""A model card for Hugging Face from the run records: what was trained, from what, with what result, and how to repeat it.

Nothing in it is of another run than the record's: results and settings are followed by the digests of what was read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runners import compiled
from runners.lineage import giver, outside, upstream
from runners.runs import Run, all_runs
from runners.verify import Verdict, verify
from schema.datasets.hub import fetched
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import read_json
from schema.load import Instance, Loaded
from schema.lock import Asset, Lock, name_of
from schema.stages import Evaluate, Predict, Prepare
from schema.training import TrainingStage

MODELS = ("model", "adapter")
"""What a stage hands over that a card can be about."""


@dataclass(frozen=True, slots=True)
class Data:
    """A data set that took part: `pinned` says which bytes, as `huggingface 5f0c…` or `sha256 9b74…`; null when nobody knows."""

    name: str
    id: str | None
    kind: str
    pinned: str | None


@dataclass(frozen=True, slots=True)
class Result:
    """The metrics of a stage that evaluates; `rows` of a split of a data set were answered."""

    run: Run
    data: Data
    split: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that a card tells. `model_id` is null for a model that no hub has."""

    loaded: Loaded
    instance: Instance
    run: Run
    record_sha256: str
    product: str
    model_id: str | None
    model_revision: str | None
    model_pinned: str | None
    data: tuple[Data, ...]
    trainings: tuple[Run, ...]
    results: tuple[Result, ...]
    upstream: tuple[Run, ...]


def gather(loaded: Loaded, instance: Instance, stage: str | None) -> Card:
    """The facts of a card.

    Raises:
        RecipeError: the stage hands over no model, has no record, is compiled otherwise now, or its outputs were changed.
    """
    root, recipe = loaded.root, instance.recipe
    name = _chosen(instance, stage)
    runs = {run.title: run for run in all_runs(root)}
    run = _recorded(loaded, instance, name, runs)
    before = upstream(run, runs)
    pins = _lock(loaded)
    used = recipe.base_model(name)
    spec = recipe.models[used] if used else None
    hub = spec is not None and spec.path is None and not spec.tiny
    read = outside(run, runs)
    return Card(
        loaded,
        instance,
        run,
        hashlib.sha256((root / run.file).read_bytes()).hexdigest(),
        recipe.stages[name].gives,
        spec.id if spec and hub else None,
        spec.revision if spec and hub else None,
        _pinned(pins.models.get(name_of(spec.id, spec.revision)) if pins else None, read.get(spec.folder))
        if spec
        else None,
        tuple(_data(instance, dataset, pins, read) for dataset in _datasets(instance, before)),
        tuple(member for member in (*before.values(), run) if _trains(instance, member)),
        tuple(_results(root, instance, run, runs, pins)),
        tuple(before.values()),
    )


def _chosen(instance: Instance, stage: str | None) -> str:
    """The stage that is meant: as named, or the last that hands over a model."""
    stages = instance.recipe.stages
    giving = [name for name, found in stages.items() if found.gives in MODELS]
    if stage is None and giving:
        return str(giving[-1])
    if stage in giving:
        return str(stage)
    message = (
        f"{instance.label} has no stage that hands over a model" if stage is None else f"`{stage}` hands over no model"
    )
    if stage is not None and stage not in stages:
        message = f"{instance.label} has no stage `{stage}`"
    help = (
        f"those that do: {', '.join(giving)}" if giving else "a card is about the model of `sft`, `classify` or `merge`"
    )
    raise RecipeError([Diagnostic("R0548", message, help)])


def _recorded(loaded: Loaded, instance: Instance, name: str, runs: Mapping[str, Run]) -> Run:
    """The run of a stage, whose record still holds and is of what is compiled now."""
    title, again = f"{instance.label}/{name}", f"run it: `recipe run {loaded.file}`"
    if title not in runs:
        raise RecipeError([Diagnostic("R0546", f"{title} has no record of a run", again)])
    run = runs[title]
    verdict = verify(loaded.root, run)
    if not verdict.sound:
        message = f"{title} is not as its record says: {'; '.join(_wrong(verdict))}"
        raise RecipeError([Diagnostic("R0547", message, f"see `recipe verify {title}`, then {again}")])
    stage = compiled.load(loaded.root / "pipelines" / title)
    if stage.own != run.record["own"]:
        message = f"the record of {title} is of another launch than the one that is compiled now"
        raise RecipeError([Diagnostic("R0549", message, f"{again}, or check out the commit that the record names")])
    return run


def _wrong(verdict: Verdict) -> Iterator[str]:
    yield from (f"{change.file} is {change.how}" for change in verdict.outputs)
    yield from (f"the digest `{name}` of the record is another" for name in verdict.contradictions)


def _trains(instance: Instance, run: Run) -> bool:
    return run.recipe == instance.label and isinstance(instance.recipe.stages.get(run.stage), TrainingStage)


def _lock(loaded: Loaded) -> Lock | None:
    """What the names resolved to, where the recipe has a lock."""
    found = getattr(loaded, "lock", None)
    return getattr(found, "lock", found)


def _pinned(asset: Asset | None, read: Mapping[str, Any] | None) -> str | None:
    """Which bytes: the commits of the lock, or else the digest of what was read."""
    if asset is not None:
        return ", ".join(f"{hub} {asset.sources[hub].commit}" for hub in sorted(asset.sources))
    return f"sha256 {read['sha256']}" if read else None


def _datasets(instance: Instance, before: Mapping[str, Run]) -> list[str]:
    """The names of the data sets that the runs before prepared, in their order."""
    stages = (instance.recipe.stages.get(run.stage) for run in before.values() if run.recipe == instance.label)
    return list(dict.fromkeys(stage.dataset for stage in stages if isinstance(stage, Prepare)))


def _data(instance: Instance, name: str, pins: Lock | None, read: Mapping[str, Mapping[str, Any]]) -> Data:
    dataset = instance.recipe.datasets[name]
    kind = dataset.kind
    if fetched(dataset):
        asset = pins.datasets.get(name_of(dataset.id, dataset.revision)) if pins else None
        return Data(name, dataset.id, kind, _pinned(asset, read.get(dataset.folder)))
    return Data(name, None, kind, _pinned(None, read.get(dataset.local or "")))


def _results(root: Path, instance: Instance, run: Run, runs: Mapping[str, Run], pins: Lock | None) -> Iterator[Result]:
    """Scores of answers that this very model gave."""
    stages = instance.recipe.stages
    for name, stage in stages.items():
        scored = runs.get(f"{instance.label}/{name}")
        if isinstance(stage, Evaluate) and scored and verify(root, scored).sound:
            answered = giver(scored.record["inputs"]["predictions"], runs)
            if answered is None or not _answered_by(answered, run, runs):
                continue
            predict = stages[answered.stage]
            assert isinstance(predict, Predict)
            source, _, split = predict.data.partition(".")
            prepare = stages[source]
            assert isinstance(prepare, Prepare)
            metrics = read_json(root / Path(scored.file).parent / "metrics.json")
            data = _data(instance, prepare.dataset, pins, outside(answered, runs))
            yield Result(scored, data, split, metrics)


def _answered_by(answered: Run, run: Run, runs: Mapping[str, Run]) -> bool:
    given = answered.record["inputs"].get("model")
    return bool(given) and giver(given, runs) is run
