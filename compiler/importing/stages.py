"""Calls → the stages of a draft, linked where the paths of the input show what reads what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from compiler.importing import alignment, delivery, distillation, fields, trl
from compiler.importing.call import Call, environment
from compiler.importing.draft import Draft
from compiler.importing.left import Given, Left
from compiler.importing.options import is_on
from compiler.importing.places import HUB_ID, model_entry, normal
from compiler.importing.rows import Rows, free
from schema.models import TINY
from schema.signature import find_model, known_model_types
from schema.stages.quantize import CALIBRATED

MOST = 64
"""Launches of one input: each is held against the compiler several times."""


METHODS = ("gptq", "awq", "bnb", "fp8")
"""How ms-swift makes models smaller in a recipe."""


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


def _only(given: Mapping[str, Given], name: str) -> dict[str, Given]:
    return {name: given[name]} if name in given else {}


class _Builder:
    def __init__(self, built: Built, folder: Path) -> None:
        self.built, self.draft, self.folder = built, built.draft, folder
        self.products: list[Product] = []
        self.entries: dict[str, str] = {}
        self.rows = Rows(built.draft)

    def add(self, call: Call) -> None:
        given = {**environment(call), **call.common}
        steps = {"train": self._train, "export": self._export, "predict": self._predict}
        steps |= {"deploy": self._deploy, "distill": self._distill}
        steps[call.kind](call, given)

    # Stages

    def _train(self, call: Call, given: Mapping[str, Given]) -> None:
        draft = self.draft
        task = _task(given)
        if task in ("classify", "tag") and "num_labels" not in given:
            raise LeftOut("a classifier needs `--num_labels`, the number of its classes")
        kind = {"generate": call.stage, "embed": "embed"}.get(task, "classify")
        aligned = kind in alignment.TASKS
        model, entry = self._compared(call, given) if aligned else self._model(call, given)
        stage = free(self.draft, "train")
        self._enter(stage, kind, call, entry)
        draft.put(("stages", stage, "model"), model)
        if call.engine == "trl":
            draft.put(("stages", stage, "engine", "name"), "trl")
        fields.hardware(draft, call, given)
        fields.deepspeed(draft, call, stage, given, self.folder)
        self.rows.training(call, stage, given, alignment.TASKS.get(kind, task))
        fields.tuner(draft, call, stage, given)
        fields.precision(draft, call, stage, entry, given)
        fields.batch(draft, call, stage, given)
        fields.cadences(draft, call, stage, given)
        fields.trackers(draft, stage, given)
        fields.best(draft, stage, given)
        if aligned:
            alignment.reference(draft, stage, given, model != entry)
            alignment.read(draft, call, stage, given, self.folder)
        if call.engine == "trl":
            trl.read(draft, call, stage, given)
        elif kind != "grpo":
            fields.length(draft, stage, given)
        if not aligned:
            fields.head(draft, stage, task, given)
        fields.generic(draft, call, stage, kind, entry, given)
        if call.engine == "trl":
            trl.freeze(draft, call, stage, entry)
        if aligned:
            alignment.defaults(draft, call, stage)
        full = fields.draft_value(draft, ("stages", stage, "tuner", "kind")) == "full"
        out = given.get("output_dir")
        named = given.get("model")
        path = out.value if out and not out.odd else f"output/{PurePosixPath(named.value if named else model).name}"
        self.products.append(Product(normal(path), stage, not full, entry, task))

    def _export(self, call: Call, given: Mapping[str, Given]) -> None:
        if "quant_method" in given or "quant_bits" in given:
            self._quantize(call, given)
        elif "merge_lora" in given and is_on(given["merge_lora"].values):
            self._merge(call, given)
        else:
            raise LeftOut("recipes merge adapters and quantise models; they have no kind of stage for another export")

    def _quantize(self, call: Call, given: Mapping[str, Given]) -> None:
        model, entry, product = self._served(call, given)
        draft, rows, method = self.draft, given.get("dataset"), given.get("quant_method")
        if method is None or method.value not in METHODS:
            raise LeftOut("recipes quantise with " + ", ".join(f"`--quant_method {known}`" for known in METHODS))
        if method.value in CALIBRATED and (rows is None or not rows.values):
            raise LeftOut(f"`{method.value}` looks at data: add `--dataset`")
        stage = free(draft, "small")
        self._enter(stage, "quantize", call, entry)
        draft.put(("stages", stage, "model"), model)
        if rows is not None and not rows.odd and rows.values:
            name, count = self.rows.of(rows.values[0], rows, "generate", "data")
            draft.put(("stages", stage, "data"), f"{name}.train", rows)
            if count is not None and "quant_n_samples" not in given:
                draft.put(("stages", stage, "samples"), count, rows)
            for text in rows.values[1:]:
                draft.left.append(rows.left(f"`{text}`: a stage that quantises reads one data set"))
        fields.precision(draft, call, stage, entry, _only(given, "torch_dtype"))
        fields.generic(draft, call, stage, "quantize", entry, given)
        out = given.get("output_dir")
        if out is not None and not out.odd:
            self.products.append(
                Product(normal(out.value), stage, False, entry, product.task if product else "generate")
            )

    def _deploy(self, call: Call, given: Mapping[str, Given]) -> None:
        model, entry, product = self._served(call, given)
        stage = free(self.draft, "served")
        self._enter(stage, "deploy", call, entry)
        draft = self.draft
        draft.put(("stages", stage, "model"), model)
        asked = delivery.question(draft, product.stage if product else None)
        if asked is None:
            reason = f"a server is asked one question: `{delivery.PLACEHOLDER}` stands in the recipe for you to replace"
            draft.left.append(Left("R0732", call.place, call.program, reason))
            named = Given("dataset", "dataset", (delivery.PLACEHOLDER,), call.place, "")
            asked = f"{self.rows.of(delivery.PLACEHOLDER, named, 'generate', 'questions')[0]}.train"
        draft.put(("stages", stage, "data"), asked)
        if call.engine == "vllm":
            draft.put(("stages", stage, "server"), "vllm")
            draft.put(("stages", stage, "toolchain"), "vllm")
        fields.hardware(draft, call, given)
        dtype = "dtype" if call.engine == "vllm" else "torch_dtype"
        fields.precision(draft, call, stage, entry, _only(given, dtype))
        fields.generic(draft, call, stage, "deploy", entry, given)

    def _served(self, call: Call, given: Mapping[str, Given]) -> tuple[str, str | None, Product | None]:
        """The model of a stage that takes no adapter, what is below it, and the training that it comes from."""
        if "adapters" not in given:
            product = self._linked(given, "model")
            return *self._model(call, given), product
        product = self._linked(given, "adapters")
        if product is None or not product.adapter:
            raise LeftOut("no stage before it writes the adapter that it uses")
        self._same_base(product, given)
        merges = {entry.value: str(path[1]) for path, entry in self.draft.placed.items() if path[2:] == ("adapter",)}
        stage = merges.get(product.stage)
        if stage is None or self.draft.placed[("stages", stage, "kind")].value != "merge":
            stage = free(self.draft, "merged")
            self.draft.put(("stages", stage, "kind"), "merge")
            self.draft.put(("stages", stage, "adapter"), product.stage)
        return stage, product.model, product

    def _merge(self, call: Call, given: Mapping[str, Given]) -> None:
        product = self._linked(given, "adapters")
        if product is None or not product.adapter:
            raise LeftOut("no stage before it writes the adapter that it merges")
        self._same_base(product, given)
        stage = free(self.draft, "merged")
        self._enter(stage, "merge", call, product.model)
        self.draft.put(("stages", stage, "adapter"), product.stage)
        out = given.get("output_dir")
        path = out.value if out and not out.odd else f"{given['adapters'].value.rstrip('/')}-merged"
        self.products.append(Product(normal(path), stage, False, product.model, product.task))

    def _predict(self, call: Call, given: Mapping[str, Given]) -> None:
        draft = self.draft
        asked = given.get("val_dataset") or given.get("dataset")
        if asked is None or asked.odd or not asked.values:
            raise LeftOut("without `--val_dataset` there are no rows to answer")
        product = self._linked(given, "adapters" if "adapters" in given else "model")
        if "adapters" not in given:
            model, entry = self._model(call, given)
        elif product is None:
            raise LeftOut("no stage before it writes the adapter that it uses")
        else:
            self._same_base(product, given)
            model, entry = product.stage, product.model
        stage = free(self.draft, "answers")
        self._enter(stage, "predict", call, entry)
        task = product.task if product is not None else "generate"
        sources = [self.rows.of(text, asked, task, "questions") for text in asked.values]
        draft.put(("stages", stage, "model"), model)
        draft.put(("stages", stage, "data"), f"{sources[0][0]}.train")
        for text, (_, count) in zip(asked.values, sources, strict=True):
            if count is not None:
                draft.left.append(asked.left(f"`{text}`: a stage that answers takes all rows of its data"))
        for text in asked.values[1:]:
            draft.left.append(asked.left(f"`{text}`: a stage that answers reads one data set"))
        fields.hardware(draft, call, given)
        fields.precision(draft, call, stage, entry, _only(given, "torch_dtype"))
        fields.generic(draft, call, stage, "predict", entry, given)
        draft.put(("stages", stage, "parse"), "none" if task == "generate" else "label")

    def _distill(self, call: Call, given: Mapping[str, Given]) -> None:
        stage = free(self.draft, "student")
        self._enter(stage, "distill", call, "teacher")
        fields.hardware(self.draft, call, given)
        distillation.put(self.draft, stage, given, call.place)

    def _enter(self, stage: str, kind: str, call: Call, model: str | None) -> None:
        self.draft.put(("stages", stage, "kind"), kind)
        self.built.stages[stage] = call
        self.built.models[stage] = model

    # Models

    def _linked(self, given: Mapping[str, Given], option: str) -> Product | None:
        """The product of an earlier call at the path of an option, or below which it lies."""
        named = given.get(option)
        if named is None or named.odd or not named.values:
            return None
        path = normal(named.value)
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
        entry = below.model if below else self.entries.get(normal(named.value))
        if entry != product.model:
            self.draft.left.append(
                named.left("the adapter was trained on another model, which the recipe uses here too")
            )

    def _model(self, call: Call, given: Mapping[str, Given]) -> tuple[str, str | None]:
        """What a stage says as its model, and the entry of `models` below it."""
        named = given.get("model")
        if named is None or not named.values:
            option = "--model_name_or_path" if call.engine == "trl" else "--model"
            raise LeftOut(f"it names no model: add `{option} OWNER/NAME`")
        if named.odd:
            raise LeftOut(f"its model is not known: {named.odd}")
        product = self._linked(given, "model")
        if product is not None and not product.adapter:
            return product.stage, product.model
        text = named.value if HUB_ID.match(named.value) else normal(named.value)
        if text not in self.entries:
            self.entries[text] = self._enter_model(text, named, given)
        return self.entries[text], self.entries[text]

    def _compared(self, call: Call, given: Mapping[str, Given]) -> tuple[str, str | None]:
        """The same of a stage that goes on in an adapter, or is compared with one, of a stage before."""
        option = next((name for name in ("adapters", "ref_adapters") if name in given), None)
        if option is None:
            return self._model(call, given)
        product = self._linked(given, option)
        if product is None or not product.adapter:
            raise LeftOut(f"no stage before it writes the adapter of `--{option}`")
        self._same_base(product, given)
        return product.stage, product.model

    def _enter_model(self, text: str, named: Given, given: Mapping[str, Given]) -> str:
        spec = model_entry(text)
        type_ = given.get("model_type")
        known = type_ is not None and type_.value in known_model_types()
        types = sorted({entry.model_type for entry in find_model(spec["id"])})
        if not known and len(types) != 1 and not spec["id"].startswith(TINY):
            said = " or ".join(f"`{name}`" for name in types) or "TYPE"
            why = "fits several types of model" if types else "is no model that ms-swift knows"
            raise LeftOut(f"`{spec['id']}` {why}: add `--model_type` with {said}")
        if known and not types and "path" not in spec and not HUB_ID.match(spec["id"]):
            raise LeftOut(f"`{text}` is outside of the project: link the model into it, and name it there")
        entry = "base" if not self.entries else f"base-{len(self.entries) + 1}"
        for key, value in spec.items():
            self.draft.put(("models", entry, key), value)
        hub = given.get("use_hf")
        if hub is not None and hub.value.lower() in ("true", "1", ""):
            self.draft.put(("models", entry, "hub"), "huggingface", hub)
        return entry
