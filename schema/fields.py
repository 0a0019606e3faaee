"""The fields of the language and what may stand in them, for `recipe explain FIELD`. Read from its JSON Schema.

A field is named by its path. The names that people give to models, data sets and stages are left out, and the fields of a
map that has a `kind` stand below that kind: `models.dtype`, `stages.grpo.batch.micro`, `stages.grpo.tuner.lora.rank`.

>>> [field.path for field in asked("grpo.batch.micro")]
['stages.grpo.batch.micro']
>>> [field.path for field in asked("stages.train.tuner.dora")][:2]
['stages.sft.tuner.lora.dora', 'stages.classify.tuner.lora.dora']
>>> asked("models.base.dtype")[0].default
'bfloat16'
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

Json = dict[str, Any]
NAMED = ("models", "datasets", "stages", "variants", "axes")
"""Maps whose entries people name."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field at its path; a kind, which is a map with that `kind`, has no `values`. `default` is None where there is none."""

    path: str
    values: str
    default: Any
    required: bool
    about: str

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def parent(self) -> str:
        return self.path.rpartition(".")[0]


def asked(path: str) -> list[Field]:
    """The fields and kinds that a path names: the whole path, or the end of longer ones; none when nothing has it."""
    wanted = _without_name(path.strip(".").split("."))
    found = [field for field in fields() if field.path.split(".") == wanted]
    return found or [field for field in fields() if _ends(field.path.split("."), wanted)]


def below(path: str) -> list[Field]:
    """The fields of a map, or its kinds; those of the recipe itself when the path is empty."""
    return [field for field in fields() if field.parent == path]


def _without_name(words: list[str]) -> list[str]:
    """A path as it stands in a recipe, `stages.train.batch`, without the name that somebody has given."""
    given = words[0] in NAMED and len(words) > 1 and words[1] not in {field.name for field in below(words[0])}
    return [words[0], *words[2:]] if given else words


def _ends(path: list[str], wanted: list[str]) -> bool:
    """Whether a path ends so; the kinds on its way need not be named."""
    if path[-1] != wanted[-1]:
        return False
    rest = iter(reversed(path[:-1]))
    return all(word in rest for word in reversed(wanted[:-1]))


@cache
def fields() -> tuple[Field, ...]:
    """All fields and kinds of the language, those of a map together and in the order of the language."""
    return tuple(_below(_resolved({"$ref": "#/$defs/Recipe"}), ()))


def _below(owner: Json, path: tuple[str, ...]) -> Iterator[Field]:
    for name, value in owner.get("properties", {}).items():
        if name == "kind" and path:
            continue  # it is in the path
        node = _resolved(value)
        here = (*path, name)
        required = name in owner.get("required", ()) and "default" not in node
        yield Field(".".join(here), values(node), node.get("default"), required, node.get("description", ""))
        if name != "variants":  # a variant has the fields of the recipe
            yield from _inside(node, here)


def _inside(node: Json, path: tuple[str, ...]) -> Iterator[Field]:
    """What stands below a value: the fields of a map, or kinds with their fields."""
    for owner in _maps(node):
        kind = owner["properties"].get("kind", {}).get("const")
        if kind is None:
            yield from _below(owner, path)
            continue
        here = (*path, kind)
        yield Field(".".join(here), "", None, False, owner.get("description", ""))
        yield from _below(owner, here)


def _maps(node: Json) -> list[Json]:
    """The maps with fields that a value may be, or hold: in a list, or under names that people give."""
    if "properties" in node:
        return [node]
    inner = [*_alternatives(node), *([node["items"]] if "items" in node else []), *_entries(node)]
    return [owner for value in inner for owner in _maps(_resolved(value))]


def _alternatives(node: Json) -> list[Json]:
    return [value for value in (*node.get("anyOf", ()), *node.get("oneOf", ())) if value != {"type": "null"}]


def _entries(node: Json) -> list[Json]:
    return [value for pattern, value in node.get("patternProperties", {}).items() if pattern != "^x-"]


@cache
def _definitions() -> Json:
    definitions: Json = json.loads((files("schema") / "recipe-v1.schema.json").read_text("utf-8"))["$defs"]
    return definitions


def _resolved(node: Json) -> Json:
    """A value's description with what it refers to; what is said at the place itself goes first."""
    alternatives = _alternatives(node)
    if len(alternatives) == 1:  # or null
        node = {**alternatives[0], **{k: v for k, v in node.items() if k not in ("anyOf", "oneOf")}}
    if "$ref" in node:
        return {**_resolved(_definitions()[node["$ref"].rpartition("/")[2]]), **node}
    return node


def values(node: Json) -> str:
    """What may be written, in few words.

    >>> values({"type": "integer", "minimum": 1})
    'integer ≥ 1'
    >>> values({"enum": ["none", "all", True]})
    'none | all | true'
    """
    node = _resolved(node)
    if "const" in node:
        return _plain(node["const"])
    if "enum" in node:
        return " | ".join(dict.fromkeys(_plain(value) for value in node["enum"]))
    if alternatives := _alternatives(node):
        return " | ".join(dict.fromkeys(map(values, alternatives)))
    kinds = node.get("type", "object" if "properties" in node else [])
    kinds = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
    if "string" in kinds:  # what is written without quotes is text, too
        return "text" + "".join(f", such as `{example}`" for example in node.get("examples", [])[:1])
    if "array" in kinds:
        return f"list of {values(node.get('items') or next(iter(node.get('prefixItems', ())), {}))}"
    if "object" in kinds:
        return "map"
    return " | ".join(f"{WORDS.get(kind, kind)}{_bounds(node)}" for kind in kinds) or "any value"


WORDS = {"boolean": "true | false"}
BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
LARGEST = 2**53 - 1  # of an integer in any recipe, and no bound worth telling


def _bounds(node: Json) -> str:
    told: Iterable[str] = (
        f"{sign} {node[key]}" for key, sign in BOUNDS.items() if node.get(key) not in (None, LARGEST)
    )
    return "".join(f" {bound}" for bound in told)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
