"""DVC's record of what ran, `dvc.lock`, as text in blocks: one for each stage, taken over as DVC wrote it.

schema: '2.0'
stages:
  train:                                            # a block
    cmd: sh pipelines/exec.sh exec pipelines/animals-lora/train
    deps:                                           # what was asked, …
    - {path: pipelines/animals-lora/train.json, hash: md5, md5: 5f0c…, size: 4210}
    outs:                                           # … and what came out
    - {path: outputs/animals-lora/train/model, hash: md5, md5: 9b74….dir, size: 88123, nfiles: 3}

DVC writes YAML 1.2, which PyYAML reads and writes differently: a path `yes` or a digest `1e5` would become another value.
So nothing is ever written from values, and values are read as recipes are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from schema.source import scan
from schema.tree import Entry, MapNode, to_data

NAME = "dvc.lock"
SCHEMA = "2.0"
STAGES = "stages"
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


class NotALock(ValueError):
    """A text that DVC would not have written."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some lines, and the value that they stand for."""

    text: str
    value: Any


@dataclass(frozen=True, slots=True)
class DvcLock:
    """A `dvc.lock`: what stands above, its stages in their order, and its other sections, such as `datasets`."""

    head: str
    stages: Mapping[str, Block]
    others: Mapping[str, Block]

    def only(self, stages: Collection[str]) -> DvcLock:
        """The same without the stages that are not named."""
        return replace(self, stages={name: block for name, block in self.stages.items() if name in stages})

    def text(self) -> str:
        """The text of the file."""
        others = dict(self.others)
        schema = others.pop("schema", None)
        stages = f"{STAGES}:\n" + "".join(map(_ended, self.stages.values())) if self.stages else f"{STAGES}: {{}}\n"
        return self.head + (_ended(schema) if schema else "") + stages + "".join(map(_ended, others.values()))


def _ended(block: Block) -> str:
    return block.text if block.text.endswith("\n") else f"{block.text}\n"


def parse(text: str) -> DvcLock:
    """The blocks of a text; an empty one has none.

    Raises:
        NotALock: it is not what DVC writes.
    """
    if not text.strip():
        return DvcLock("", {}, {})
    parsed = scan(text, NAME)
    if parsed.root is None or parsed.diagnostics:
        raise NotALock("; ".join(diagnostic.message for diagnostic in parsed.diagnostics))
    lines = _LINE.findall(text)
    sections = _blocks(parsed.root.items, lines, 1, len(lines) + 1)
    if sections.get("schema", Block("", SCHEMA)).value != SCHEMA:
        raise NotALock(f"its schema is not {SCHEMA}")
    first = min(entry.key_span.line for entry in parsed.root.items.values())
    stages = _stages(parsed.root, lines)
    others = {name: block for name, block in sections.items() if name != STAGES}
    return DvcLock("".join(lines[: first - 1]), stages, others)


def _stages(root: MapNode, lines: list[str]) -> dict[str, Block]:
    entry = root.items.get(STAGES)
    if entry is None or to_data(entry.value) in (None, {}):
        return {}
    if not isinstance(entry.value, MapNode):
        raise NotALock(f"its {STAGES} are no map")
    start = entry.key_span.line
    after = [other.key_span.line for other in root.items.values() if other.key_span.line > start]
    blocks = _blocks(entry.value.items, lines, start + 1, min(after, default=len(lines) + 1))
    if not all(isinstance(block.value, dict) for block in blocks.values()):
        raise NotALock("one of its stages is no map")
    return blocks


def _blocks(items: Mapping[str, Entry], lines: list[str], first: int, end: int) -> dict[str, Block]:
    """The lines of each key of a map, from its own up to those of the next. `end` is the line after the map."""
    begins = [entry.key_span.line for entry in items.values()]
    if begins != sorted(set(begins)) or not all(first <= line < end for line in begins):
        raise NotALock("its keys do not stand on lines of their own")
    ends = [*begins[1:], end]
    return {
        name: Block("".join(lines[begin - 1 : end - 1]), to_data(entry.value))
        for (name, entry), begin, end in zip(items.items(), begins, ends, strict=True)
    }
