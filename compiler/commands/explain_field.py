"""recipe explain grpo.batch: what a field is, what may be written there, and what stands below it, in Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from schema.fields import Field, asked, below
from schema.fields import fields as every
from schema.suggest import nearest
from schema.synonyms import NOTES, SYNONYMS

MANY = 4
"""With more meanings than that, a name is told in a line each, without what stands below it."""


def meanings(path: str) -> list[list[Field]]:
    """The fields that a path, or an engine's word for one, stands for; those that are alike in all together."""
    word = _word(path)
    found = asked(word) or asked(_ours(word))
    alike: dict[Any, list[Field]] = {}
    for field in found:
        inner = [(f.name, f.values, f.default, f.about) for f in below(field.path)]
        told = json.dumps([field.values, field.default, field.required, field.about, inner])
        alike.setdefault(told, []).append(field)
    return list(alike.values())


def page(path: str) -> str:
    """What a path stands for; the recipe itself when it is empty. Empty when nothing is called so."""
    if not path:
        return "\n".join(("# A recipe", "", *_lines(below("")), "", *_KINDS, ""))
    found, word = meanings(path), _word(path)
    lines = [] if not found or asked(word) else [f"`{word}` is an engine's word; here it is:", ""]
    if len(found) <= MANY:
        lines += (line for fields in found for line in _whole(fields))
    else:
        lines += (*map(_short, found), "")
    if note := NOTES.get(_plain(word)):
        lines += [f"`{word}`: {note}.", ""]
    return "\n".join(lines)


def as_json(path: str) -> dict[str, Any]:
    """The same for programs."""
    found = meanings(path) if path else [[field] for field in below("")]
    told = [
        {
            **asdict(fields[0]),
            "also": [f.path for f in fields[1:]],
            "fields": [asdict(f) for f in below(fields[0].path)],
        }
        for fields in found
    ]
    return {"fields": told}


def near(path: str) -> str | None:
    """The field that was most likely meant: below the map that is named before it, else anywhere."""
    parent, _, name = path.rpartition(".")
    inside = {field.name for owner in asked(parent) for field in below(owner.path)} if parent else set()
    if found := nearest(name, inside):
        return f"{parent}.{found}"
    return nearest(name, {field.name for field in every()}, SYNONYMS)


_KINDS = (
    "`recipe explain stages` and `recipe explain datasets` list the kinds of both, `recipe explain sft` the fields of a kind,",
    "`recipe explain learning_rate` a field wherever it is.",
)


def _whole(fields: list[Field]) -> Iterator[str]:
    first = fields[0]
    yield from (f"# {first.path}", "")
    if len(fields) > 1:
        yield from (f"Also {', '.join(f'`{field.path}`' for field in fields[1:])}.", "")
    yield from (f"{_values(first) or f'A map with `kind: {first.name}`'}.", "")
    if first.about:
        yield from (first.about, "")
    if inner := below(first.path):
        yield from (*_lines(inner), "")


def _short(fields: list[Field]) -> str:
    return f"- {', '.join(f'`{field.path}`' for field in fields)}: {_said(fields[0])}"


def _lines(fields: list[Field]) -> Iterator[str]:
    for field in fields:
        yield f"- `{field.name}`: {_said(field)}"


def _values(field: Field) -> str:
    """What may be written, and what holds when nothing is.

    >>> _values(Field("x", "integer ≥ 1", 8, False, ""))
    'integer ≥ 1, 8 when absent'
    """
    default = field.default if isinstance(field.default, str) else json.dumps(field.default, ensure_ascii=False)
    absent = (
        "required" if field.required else f"{default} when absent" if field.default not in (None, "", [], {}) else ""
    )
    return ", ".join(part for part in (field.values, absent) if part)


def _said(field: Field) -> str:
    values = _values(field)
    return " ".join((f"{values}." if values else "", *field.about.split())).strip()


def _word(path: str) -> str:
    return path.strip("-. ").removesuffix(".kind")


def _ours(word: str) -> str:
    """The path of the field that an engine's word stands for; empty when it is none."""
    return SYNONYMS.get(_plain(word), "").replace("NAME.", "").removesuffix(".kind")


def _plain(word: str) -> str:
    return word.replace("-", "_").lower()
