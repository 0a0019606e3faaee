"""Calls → the stages of a draft, linked where the paths of the input show what reads what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from compiler.importing import alignment, distillation, fields
from compiler.importing.calls import Call, environment
from compiler.importing.draft import Draft, number
from compiler.importing.left import Given, Left
from schema.base import NAME
from schema.models import TINY, place_of
from schema.signature import find_model, known_model_types

PLACEHOLDER = "data/train.jsonl"
"""Where data is until somebody says it."""
MOST = 64
"""Launches of one input: each is held against the compiler several times."""
_MODELS = ".recipe/models/"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+\Z")
_DATASET = re.compile(r"(?:(HF|MS|hf|ms)::)?(.*?)(?:#(\d+))?\Z", re.DOTALL)
_OURS = re.compile(r"(?:base|train|merged|answers|data|validation|questions|compiled)(?:-\d+)?\Z")
"""Names of stages and models."""
_KINDS = {".jsonl": "jsonl", ".json": "jsonl", ".csv": "csv", ".parquet": "parquet"}


class LeftOut(Exception):
    """A call that cannot become a stage, with the reason."""


@dataclass(slots=True)
class Product:
    """What a call writes, at a path of the input, as a stage of the recipe. `model` is the entry of `models` below it."""

    path: str
    stage: str
    adapter: bool
    model: str | None
    task: str
    """What rows it is asked about are prepared for."""


@dataclass(slots=True)
class Built:
    """A draft, and the stage of each call that has one."""

    draft: Draft
    stages: dict[str, Call] = field(default_factory=dict)
    models: dict[str, str | None] = field(default_factory=dict)
    """Stage → the entry of `models` that it uses."""


def build(calls: Sequence[Call], name: str, description: str, folder: Path, refused: Mapping[int, str]) -> Built:
    """A draft with a stage for every call that can be one. `refused` are calls by number that cannot, and why."""
    builder = _Builder(Built(Draft(name, description)), folder)
    for number_, call in enumerate(calls):
        try:
            if number_ in refused:
                raise LeftOut(refused[number_])
            if number_ >= MOST:
                raise LeftOut(f"a recipe takes the first {MOST} launches of an input")
            builder.add(call)
        except LeftOut as left_out:
            builder.draft.left.append(Left("R0733", call.place, call.raw, str(left_out)))
    return builder.built


def _task(given: Mapping[str, Given]) -> str:
    """What the rows of a training are prepared for, by the engine's task."""
    said, problem = (given[name].value if name in given else "" for name in ("task_type", "problem_type"))
    if said == "seq_cls":
        return "tag" if problem == "multi_label_classification" else "classify"
    return "embed" if said == "embedding" else "generate"


class _Builder:
    def __init__(self, built: Built, folder: Path) -> None:
        self.built, self.draft, self.folder = built, built.draft, folder
        self.products: list[Product] = []
        self.entries: dict[str, str] = {}
        self.rows: dict[tuple[str, str], str] = {}

    def add(self, call: Call) -> None:
        given = {**environment(call), **call.given}
        steps = {"train": self._train, "merge": self._merge, "predict": self._predict, "distill": self._distill}
        steps[call.kind](call, given)

    # Stages

    def _train(self, call: Call, given: Mapping[str, Given]) -> None:
        draft = self.draft
        task = _task(given)
        if task in ("classify", "tag") and "num_labels" not in given:
            raise LeftOut("a classifier needs `--num_labels`, the number of its classes")
        kind = {"generate": call.stage, "embed": "embed"}.get(task, "classify")
        aligned = kind in alignment.TASKS
        model, entry = self._compared(given) if aligned else self._model(given)
        stage = self._name("train")
        self._enter(stage, kind, call, entry)
        draft.put(("stages", stage, "model"), model)
        fields.hardware(draft, call, given)
        fields.deepspeed(draft, call, stage, given, self.folder)
        self._training_data(call, stage, given, alignment.TASKS.get(kind, task))
        fields.tuner(draft, call, stage, given)
        fields.precision(draft, call, stage, entry, given)
        fields.batch(draft, call, stage, given)
        fields.cadences(draft, call, stage, given)
        fields.trackers(draft, stage, given)
        fields.best(draft, stage, given)
        if aligned:
            alignment.reference(draft, stage, given, model != entry)
            alignment.read(draft, call, stage, given)
        if kind != "grpo":
            fields.length(draft, stage, given)
        if not aligned:
            fields.head(draft, stage, task, given)
        fields.generic(draft, call, stage, kind, entry, given)
        if aligned:
            alignment.defaults(draft, call, stage)
        full = fields.draft_value(draft, ("stages", stage, "tuner", "kind")) == "full"
        out = given.get("output_dir")
        path = out.value if out and not out.odd else f"output/{PurePosixPath(given['model'].value).name}"
        self.products.append(Product(_normal(path), stage, not full, entry, task))

    def _merge(self, call: Call, given: Mapping[str, Given]) -> None:
        merges = given.get("merge_lora")
        if merges is None or merges.value.lower() not in ("true", "1", ""):
            raise LeftOut("recipes merge adapters; they have no kind of stage for another export")
        product = self._linked(given, "adapters")
        if product is None or not product.adapter:
            raise LeftOut("no stage before it writes the adapter that it merges")
        self._same_base(product, given)
        stage = self._name("merged")
        self._enter(stage, "merge", call, product.model)
        self.draft.put(("stages", stage, "adapter"), product.stage)
        out = given.get("output_dir")
        path = out.value if out and not out.odd else f"{given['adapters'].value.rstrip('/')}-merged"
        self.products.append(Product(_normal(path), stage, False, product.model, product.task))

    def _predict(self, call: Call, given: Mapping[str, Given]) -> None:
        draft = self.draft
        asked = given.get("val_dataset") or given.get("dataset")
        if asked is None or asked.odd or not asked.values:
            raise LeftOut("without `--val_dataset` there are no rows to answer")
        product = self._linked(given, "adapters" if "adapters" in given else "model")
        if "adapters" not in given:
            model, entry = self._model(given)
        elif product is None:
            raise LeftOut("no stage before it writes the adapter that it uses")
        else:
            self._same_base(product, given)
            model, entry = product.stage, product.model
        stage = self._name("answers")
        self._enter(stage, "predict", call, entry)
        task = product.task if product is not None else "generate"
        sources = [self._rows(text, asked, task, "questions") for text in asked.values]
        draft.put(("stages", stage, "model"), model)
        draft.put(("stages", stage, "data"), f"{sources[0][0]}.train")
        for text, (_, count) in zip(asked.values, sources, strict=True):
            if count is not None:
                draft.left.append(asked.left(f"`{text}`: a stage that answers takes all rows of its data"))
        for text in asked.values[1:]:
            draft.left.append(asked.left(f"`{text}`: a stage that answers reads one data set"))
        fields.hardware(draft, call, given)
        fields.precision(
            draft, call, stage, entry, {"torch_dtype": given["torch_dtype"]} if "torch_dtype" in given else {}
        )
        fields.generic(draft, call, stage, "predict", entry, given)
        draft.put(("stages", stage, "parse"), "none" if task == "generate" else "label")

    def _distill(self, call: Call, given: Mapping[str, Given]) -> None:
        if why := distillation.misnamed(given):
            raise LeftOut(why)
        stage = self._name("student")
        self._enter(stage, "distill", call, "teacher")
        fields.hardware(self.draft, call, given)
        distillation.put(self.draft, stage, given)

    def _enter(self, stage: str, kind: str, call: Call, model: str | None) -> None:
        self.draft.put(("stages", stage, "kind"), kind)
        self.built.stages[stage] = call
        self.built.models[stage] = model

    def _name(self, wanted: str) -> str:
        taken = {path[1] for path in self.draft.below("stages")}
        count = 2
        name = wanted
        while name in taken:
            name, count = f"{wanted}-{count}", count + 1
        return name

    # Models

    def _linked(self, given: Mapping[str, Given], option: str) -> Product | None:
        """The product of an earlier call at the path of an option, or below which it lies."""
        named = given.get(option)
        if named is None or named.odd or not named.values:
            return None
        path = _normal(named.value)
        exact = [product for product in self.products if product.path == path]
        around = [product for product in self.products if path.startswith(f"{product.path}/")]
        found = exact or sorted(around, key=lambda product: len(product.path))
        return found[-1] if found else None

    def _same_base(self, product: Product, given: Mapping[str, Given]) -> None:
        """Tell of a base model that is another than the one on which an adapter was trained."""
        named = given.get("model")
        if named is None or named.odd or not named.values:
            return
        below = self._linked(given, "model")
        entry = below.model if below else self.entries.get(_normal(named.value))
        if entry != product.model:
            self.draft.left.append(
                named.left("the adapter was trained on another model, which the recipe uses here too")
            )

    def _model(self, given: Mapping[str, Given]) -> tuple[str, str | None]:
        """What a stage says as its model, and the entry of `models` below it."""
        named = given.get("model")
        if named is None or not named.values:
            raise LeftOut("it names no model: add `--model OWNER/NAME`")
        if named.odd:
            raise LeftOut(f"its model is not known: {named.odd}")
        product = self._linked(given, "model")
        if product is not None and not product.adapter:
            return product.stage, product.model
        text = named.value if _HUB_ID.match(named.value) else _normal(named.value)
        if text not in self.entries:
            self.entries[text] = self._enter_model(text, named, given)
        return self.entries[text], self.entries[text]

    def _compared(self, given: Mapping[str, Given]) -> tuple[str, str | None]:
        """The same of a stage that goes on in an adapter, or is compared with one, of a stage before."""
        option = next((name for name in ("adapters", "ref_adapters") if name in given), None)
        if option is None:
            return self._model(given)
        product = self._linked(given, option)
        if product is None or not product.adapter:
            raise LeftOut(f"no stage before it writes the adapter of `--{option}`")
        self._same_base(product, given)
        return product.stage, product.model

    def _enter_model(self, text: str, named: Given, given: Mapping[str, Given]) -> str:
        spec = _spec(text)
        type_ = given.get("model_type")
        known = type_ is not None and type_.value in known_model_types()
        types = sorted({entry.model_type for entry in find_model(spec["id"])})
        if not known and len(types) != 1 and not spec["id"].startswith(TINY):
            said = " or ".join(f"`{name}`" for name in types) or "TYPE"
            why = "fits several types of model" if types else "is no model that ms-swift knows"
            raise LeftOut(f"`{spec['id']}` {why}: add `--model_type` with {said}")
        if known and not types and "path" not in spec and not _HUB_ID.match(spec["id"]):
            raise LeftOut(f"`{text}` is outside of the project: link the model into it, and name it there")
        entry = "base" if not self.entries else f"base-{len(self.entries) + 1}"
        for key, value in spec.items():
            self.draft.put(("models", entry, key), value)
        hub = given.get("use_hf")
        if hub is not None and hub.value.lower() in ("true", "1", ""):
            self.draft.put(("models", entry, "hub"), "huggingface", hub)
        return entry

    # Data

    def _training_data(self, call: Call, stage: str, given: Mapping[str, Given], task: str) -> None:
        draft = self.draft
        named = given.get("dataset")
        if named is None or named.odd or not named.values:
            reason = f"it does not say where its data is: `{PLACEHOLDER}` stands in the recipe for you to replace"
            draft.left.append(Left("R0732", call.place, "", reason))
            named = Given("dataset", "dataset", (PLACEHOLDER,), call.place, "")
        sources = [self._rows(text, named, task, "data") for text in named.values]
        weights = given.get("interleave_prob")
        several = [number(text) for text in weights.values] if weights and not weights.odd else []
        if len(several) != len(sources):
            several = []
        written = [
            {"data": f"{name}.train"}
            | ({"weight": several[place]} if several else {})
            | ({"count": count} if count else {})
            for place, (name, count) in enumerate(sources)
        ]
        simple = len(written) == 1 and written[0].keys() == {"data"}
        draft.put(("stages", stage, "data"), written[0]["data"] if simple else written)
        self._validation_data(stage, given, task, [name for name, _ in sources])

    def _validation_data(self, stage: str, given: Mapping[str, Given], task: str, trained: list[str]) -> None:
        path = ("stages", stage, "evaluation", "data")
        ratio, named = given.get("split_dataset_ratio"), given.get("val_dataset")
        if "eval_strategy" in given and given["eval_strategy"].value == "no":
            return
        if named is not None and not named.odd and named.values:
            sources = [self._rows(text, named, task, "validation") for text in named.values]
            written = [{"data": f"{name}.train"} | ({"count": count} if count else {}) for name, count in sources]
            # An evaluation of GRPO wants whole groups of answers: without them it has no place, and is told.
            source = named if task == "solve" else None
            self.draft.put(path, written[0]["data"] if written == [{"data": written[0]["data"]}] else written, source)
        elif ratio is not None and not ratio.odd and ratio.value not in ("0", "0.", "0.0"):
            for name in dict.fromkeys(trained):
                dataset = self.draft.placed[("stages", name, "dataset")].value
                self.draft.put(("datasets", dataset, "split"), {"validation": number(ratio.value)}, ratio)
            held_out = [f"{name}.validation" for name in dict.fromkeys(trained)]
            self.draft.put(path, held_out[0] if len(held_out) == 1 else [{"data": name} for name in held_out], ratio)

    def _rows(self, text: str, given: Given, task: str, wanted: str) -> tuple[str, int | None]:
        """The stage that prepares a data set, and how many rows of it are wanted."""
        match = _DATASET.match(text)
        assert match is not None
        hub, name, count = match.groups()
        key = (f"{hub or ''}::{_normal(name)}", task)
        if key not in self.rows:
            stage = self._name(wanted)
            dataset = self._dataset(hub, name, given)
            self.draft.put(("stages", stage, "kind"), "prepare")
            self.draft.put(("stages", stage, "dataset"), dataset)
            if task != "generate":
                self.draft.put(("stages", stage, "task"), task)
            self.rows[key] = stage
        return self.rows[key], int(count) if count and 0 < int(count[:16]) < 2**53 and len(count) < 16 else None

    def _dataset(self, hub: str | None, name: str, given: Given) -> str:
        draft = self.draft
        entry = self._entry(name)
        spec = _dataset(hub, name, given)
        if spec is None:
            reason = f"`{name}` cannot be read by a recipe: `{PLACEHOLDER}` stands in the recipe for you to replace"
            draft.left.append(given.left(reason))
            spec = {"kind": "jsonl", "path": PLACEHOLDER}
        for key, value in spec.items():
            draft.put(("datasets", entry, key), value)
        if name.endswith(".json"):
            draft.left.append(given.left(f"`{name}`: recipes read one JSON object a line; make it `.jsonl`"))
        if spec["kind"] == "csv":
            draft.left.append(given.left(f"`{name}`: say in `columns` which column is the prompt and which the answer"))
        return entry

    def _entry(self, name: str) -> str:
        stem = re.sub(r"[^a-z0-9]+", "-", PurePosixPath(name).name.partition(".")[0].lower()).strip("-")[:40].strip("-")
        stem = stem if re.match(NAME, stem) else "rows"
        stem = f"{stem}-rows" if _OURS.match(stem) else stem  # a name means one thing
        taken = {path[1] for path in self.draft.below("datasets")}
        return next(n for n in (stem, *(f"{stem}-{i}" for i in range(2, len(taken) + 3))) if n not in taken)


def _normal(path: str) -> str:
    """A path without `./` in front and `/` behind."""
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    return path.rstrip("/") or path


def _spec(text: str) -> dict[str, str]:
    """The entry of `models` for what a command names: an id, a folder of fetched models, or a folder of the project."""
    if text.startswith(_MODELS):
        folder, _, revision = text.removeprefix(_MODELS).partition("@")
        spec = {"id": folder.replace("--", "/", 1), **({"revision": revision.replace("--", "/")} if revision else {})}
        if place_of(spec["id"], spec.get("revision")) == text.removeprefix(_MODELS):
            return spec
    if _HUB_ID.match(text) and not text.startswith(".") and not _exists(text):
        return {"id": text}
    name = PurePosixPath(text).name or "model"
    registered = find_model(name)
    id_ = (registered[0].modelscope or registered[0].id) if registered else f"local/{name}"
    if PurePosixPath(text).is_absolute() or _outside(text):
        return {"id": id_ if registered else name}
    return {"id": id_, "path": text}


def _dataset(hub: str | None, name: str, given: Given) -> dict[str, Any] | None:
    """The entry of `datasets` for what a command names; None for what recipes cannot read."""
    spec: dict[str, Any]
    path = _normal(name)
    suffix = PurePosixPath(path).suffix.lower()
    if hub is None and (suffix in _KINDS or _exists(path) or path.startswith("/") or given.written.endswith("_dir")):
        if _outside(path) or not path:
            return None
        kind = _KINDS.get(suffix, "image-folder")
        spec = {"kind": kind, "path": path}
        if path.startswith("/"):
            spec["external"] = True
        return spec | ({"columns": {}} if kind == "csv" else {})
    if _HUB_ID.match(name) and name not in (".", ".."):
        spec = {"kind": "hub", "id": name}
        return spec | ({"hub": "huggingface"} if (hub or "").lower() == "hf" else {})
    return None


def _outside(path: str) -> bool:
    return ".." in PurePosixPath(path).parts or "://" in path or "\\" in path or "\0" in path


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False
