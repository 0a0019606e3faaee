"""The JSON Schema of the language, for editors: `recipe schema > schema/recipe-v1.schema.json`.

It is what pydantic says of the models, brought closer to what the loader accepts: a plain `2024` where text is wanted,
`x-…` notes in every map, entries that are taken away with null. A file that extends others, and a variant, are described
by the same models without required fields, because the rest stands elsewhere.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from schema.base import CADENCE, NAME, SIZE, Model
from schema.compose import FIXED, REMOVABLE
from schema.recipe import Recipe
from schema.yaml_core import EXACT, resolve

Json = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
NOTES: Json = {"^x-": {}}
ENTRY = NAME.replace("^", "^(?!x-)", 1)
"""The names of a map's entries that are no notes."""
PART = "Part"
"""Ends the name of a definition without required fields."""
PLAIN = ["string", "number", "boolean"]
"""What text may be when it is written without quotes."""
WITH_UNITS = (SIZE, CADENCE)
"""Patterns that no plain number or truth value fits."""


def text() -> str:
    """The text of `schema/recipe-v1.schema.json`."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def document() -> Json:
    """The JSON Schema."""
    recipe = Recipe.model_json_schema()
    definitions = recipe.pop("$defs") | {"Recipe": recipe}
    for name, model in _models(Model):
        if name in definitions:
            _describe(definitions[name], model)
    whole = {name: _plain(definition) for name, definition in definitions.items()}
    for name in REMOVABLE:
        section = whole["Recipe"]["properties"][name]
        entry = section["patternProperties"][ENTRY]
        _entries(section, {"oneOf": [*entry.get("oneOf", [entry]), {"type": "null"}]})  # null takes an entry away
        section["additionalProperties"] = {"type": "null"}  # whatever it is called
    for name in ("variants", "axes"):  # null takes away those of a base
        whole["Recipe"]["properties"][name]["type"] = ["object", "null"]
    parts = {name + PART: _part(definition) for name, definition in whole.items()}
    parts["Variant"] = _variant(parts["Recipe" + PART])
    for definition in (whole["Recipe"], parts["Recipe" + PART]):
        _entries(definition["properties"]["variants"], {"$ref": "#/$defs/Variant"})
    for definition in whole.values():
        if "kind" in definition.get("properties", {}):  # tells the members of a union apart, default or not
            definition["required"] = sorted({"kind", *definition.get("required", ())})
    return {
        "$schema": DIALECT,
        "title": "Recipe",
        "description": "A fine-tuning recipe, version 1 of the language.",
        "if": {"required": ["extends"], "properties": {"extends": {"minItems": 1}}},
        "then": {"$ref": f"#/$defs/Recipe{PART}"},
        "else": {"$ref": "#/$defs/Recipe"},
        "$defs": _referenced(whole | parts),
    }


def _referenced(definitions: Json) -> Json:
    """The definitions by name, without those that nothing refers to."""
    everything = json.dumps(definitions)
    named = {name for name in definitions if f'"#/$defs/{name}"' in everything}
    return {name: definitions[name] for name in sorted(named | {"Recipe", "Recipe" + PART})}


def _models(base: type[Model]) -> Iterator[tuple[str, type[Model]]]:
    for model in base.__subclasses__():
        yield model.__name__, model
        yield from _models(model)


def _describe(definition: Json, model: type[Model]) -> None:
    """Each field's docstring, which pydantic does not read: reading it at every start would cost too much."""
    written: dict[str, str] = {}
    for ancestor in reversed(model.__mro__):
        if issubclass(ancestor, Model):
            written |= _docstrings(ancestor)
    for name, field in model.model_fields.items():
        if name in written:
            definition["properties"][field.alias or name]["description"] = written[name]


def _docstrings(model: type[Model]) -> dict[str, str]:
    """Field → the string that stands below it in the source."""
    tree = ast.parse(inspect.getsource(sys.modules[model.__module__]))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == model.__name__)
    found: dict[str, str] = {}
    for field, below in pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(words))):
                found[name] = inspect.cleandoc(words)
    return found


def _plain(schema: Any) -> Any:
    """A schema as the loader sees things, without what only pydantic or an API would read."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: _plain(value) for key, value in schema.items() if not _noise(key, value)}
    if "patternProperties" in schema and "additionalProperties" not in schema:
        (entry,) = schema["patternProperties"].values()
        _entries(schema, entry)
        schema["additionalProperties"] = False
    if "enum" in schema:  # a plain `true` is the text "true" where that is a choice
        choices = [resolve(choice) for choice in schema["enum"] if isinstance(choice, str)]
        schema = {**schema, "enum": [*schema["enum"], *(c for c in choices if not isinstance(c, str))]}
        schema.pop("type", None)
    elif schema.get("type") == "string" and "const" not in schema and schema.get("pattern") not in WITH_UNITS:
        schema["type"] = PLAIN
    elif schema.get("type") == "integer" and "exclusiveMaximum" not in schema:
        schema.setdefault("maximum", EXACT)  # beyond it JSON's numbers are not exact, and none is read
    return schema


def _noise(key: str, value: Any) -> bool:
    named = key == "title" and isinstance(value, str)
    return named or key in ("discriminator", "propertyNames") or (key == "default" and value is None)


def _entries(section: Json, entry: Json) -> None:
    """Say what stands under every name of a map."""
    section["patternProperties"] = {ENTRY: entry} | NOTES


def _part(schema: Any) -> Any:
    """A schema without required fields. Lists are replaced as a whole, so their items stay as they are."""
    if isinstance(schema, list):
        return [_part(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    part = {key: value if key == "items" else _part(value) for key, value in schema.items()}
    if isinstance(part.get("$ref"), str):
        part["$ref"] += PART
    if "properties" in part or "patternProperties" in part:
        part.pop("required", None)
        part.pop("minProperties", None)
    if "oneOf" in part:  # without a `kind`, several may fit
        part["anyOf"] = part.pop("oneOf")
    return part


def _variant(recipe: Json) -> Json:
    fields = {name: field for name, field in recipe["properties"].items() if name not in FIXED}
    return {**recipe, "properties": fields, "description": "What differs from the plain recipe."}
