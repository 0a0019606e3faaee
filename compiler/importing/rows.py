"""Rows that stages read: the data sets of an input, each prepared once for each use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from compiler.importing.call import Call
from compiler.importing.draft import Draft, number
from compiler.importing.left import Given, Left
from compiler.importing.places import dataset_entry, normal
from schema.base import NAME

PLACEHOLDER = "data/train.jsonl"
"""Where data is until somebody says it."""
_DATASET = re.compile(r"(?:(HF|MS|hf|ms)::)?(.*?)(?:#(\d+))?\Z", re.DOTALL)
_OURS = re.compile(r"(?:base|train|merged|small|served|answers|data|validation|questions|compiled)(?:-\d+)?\Z")
"""Names of stages and models."""


def free(draft: Draft, wanted: str) -> str:
    """A name of a stage that is not taken, with a number behind it where it is."""
    taken = {path[1] for path in draft.below("stages")}
    count, name = 2, wanted
    while name in taken:
        name, count = f"{wanted}-{count}", count + 1
    return name


class Rows:
    """The stages that prepare the rows of a draft."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.known: dict[tuple[str, str], str] = {}

    def training(self, call: Call, stage: str, given: Mapping[str, Given], task: str) -> None:
        draft = self.draft
        named = given.get("dataset")
        if named is None or named.odd or not named.values:
            reason = f"it does not say where its data is: `{PLACEHOLDER}` stands in the recipe for you to replace"
            draft.left.append(Left("R0732", call.place, "", reason))
            named = Given("dataset", "dataset", (PLACEHOLDER,), call.place, "")
        sources = [self.of(text, named, task, "data") for text in named.values]
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
        self._validation(stage, given, task, [name for name, _ in sources])

    def _validation(self, stage: str, given: Mapping[str, Given], task: str, trained: list[str]) -> None:
        path = ("stages", stage, "evaluation", "data")
        ratio, named = given.get("split_dataset_ratio"), given.get("val_dataset")
        if "eval_strategy" in given and given["eval_strategy"].value == "no":
            return
        if named is not None and not named.odd and named.values:
            sources = [self.of(text, named, task, "validation") for text in named.values]
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

    def of(self, text: str, given: Given, task: str, wanted: str) -> tuple[str, int | None]:
        """The stage that prepares a data set, and how many rows of it are wanted."""
        match = _DATASET.match(text)
        assert match is not None
        hub, name, count = match.groups()
        key = (f"{hub or ''}::{normal(name)}", task)
        if key not in self.known:
            stage = free(self.draft, wanted)
            dataset = self._dataset(hub, name, given)
            self.draft.put(("stages", stage, "kind"), "prepare")
            self.draft.put(("stages", stage, "dataset"), dataset)
            if task != "generate":
                self.draft.put(("stages", stage, "task"), task)
            self.known[key] = stage
        return self.known[key], int(count) if count and 0 < int(count[:16]) < 2**53 and len(count) < 16 else None

    def _dataset(self, hub: str | None, name: str, given: Given) -> str:
        draft = self.draft
        entry = self._entry(name)
        spec = dataset_entry(hub, name, given)
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
