"""A tree to a `Recipe`: pydantic judges the shape, and what it finds becomes diagnostics with places."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schema.base import Model
from schema.diagnostics import Diagnostic, RecipeError, Span
from schema.recipe import OLDEST, VERSION, Recipe
from schema.tree import MapNode, Node, ScalarNode, SeqNode, child, find, key_span, to_data, value_span
from schema.yaml_core import EXACT

Location = tuple[int | str, ...]

_TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "`true` or `false`",
    "dict_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
    "tuple_type": "a list",
    "list_type": "a list",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


def validate(tree: MapNode) -> Recipe:
    """The recipe that a composed tree describes.

    Raises:
        RecipeError: everything that is wrong with its shape.
    """
    _, found = judged(tree)
    if isinstance(found, Recipe):
        return found
    raise RecipeError(_diagnostics(found, tree, Recipe))


def judged(tree: MapNode, data: Any = None) -> tuple[Any, Recipe | list[ErrorDetails]]:
    """The data of a tree, or what is left of it, typed by the schema; and the recipe, or what is wrong."""
    data = to_data(tree) if data is None else data
    found = _errors(data)
    if isinstance(found, list) and _retype(data, tree, found):
        found = _errors(data)
    return data, found


def to_diagnostics(error: ValidationError, tree: MapNode, model: type[Model]) -> list[Diagnostic]:
    """What pydantic found in the data of a tree, with places."""
    return _diagnostics(error.errors(include_url=False, include_input=False), tree, model)


def _diagnostics(errors: list[ErrorDetails], tree: MapNode, model: type[Model]) -> list[Diagnostic]:
    """Without the echo of an error inside a field that already has one at the same place.

    A recipe of an old version says only that: its fields are those of another language.
    """
    version = child(tree, "version")
    if model is Recipe and is_old(version):
        return [other_version(version, tree.span.file, value_span(tree, ("version",)))]
    seen: dict[tuple[Span, ...], Diagnostic] = {}
    for error in errors:
        if error["type"] == "too_short" and any(_below(other["loc"], error["loc"]) for other in errors):
            continue  # pydantic counts only the items that it accepted
        diagnostic = _diagnostic(error, tree, model)
        seen.setdefault(diagnostic.spans, diagnostic)
    return list(seen.values())


def _errors(data: Any) -> Recipe | list[ErrorDetails]:
    try:
        return Recipe.model_validate_json(json.dumps(data))
    except ValidationError as error:
        return error.errors(include_url=False, include_input=False)


def _retype(data: Any, tree: Node, errors: Sequence[ErrorDetails]) -> bool:
    """Scalars are typed by the schema: a plain `2024` is text where text is wanted, and `4.0` a whole number."""
    changed = False
    for error in errors:
        path = real_path(tree, error["loc"])
        node = find(tree, path)
        if not path or not isinstance(node, ScalarNode) or node.value is None:
            continue
        value = _retyped(node, error)
        if value is not None:
            _container(data, path[:-1])[path[-1]] = value
            changed = True
    return changed


def _retyped(node: ScalarNode, error: ErrorDetails) -> str | int | None:
    if error["type"] == "string_type" and node.plain:
        return node.raw
    if error["type"] == "literal_error" and node.plain and f"'{node.raw}'" in error["ctx"]["expected"]:
        return node.raw
    if error["type"] in ("int_type", "int_from_float") and isinstance(node.value, float) and node.value.is_integer():
        return int(node.value) if abs(node.value) <= EXACT else None
    return None


def real_path(tree: Node, location: Location) -> Location:
    """A pydantic location without the kinds of union members that it contains, which may be called like a field."""
    path: list[int | str] = []
    node: Node | None = tree
    told_apart: Node | None = None
    for number, part in enumerate(location):
        if node is not told_apart and isinstance(node, MapNode) and _is_kind(child(node, "kind"), part):
            told_apart = node
            continue
        below = child(node, part) if node is not None else None
        if below is not None or number == len(location) - 1:
            path.append(part)
            node = below
    return tuple(path)


def _is_kind(node: Node | None, part: int | str) -> bool:
    return isinstance(node, ScalarNode) and node.value == part


def _container(data: Any, path: Location) -> Any:
    for part in path:
        data = data[part]
    return data


def _below(location: Location, above: Location) -> bool:
    return len(location) > len(above) and location[: len(above)] == above


def _diagnostic(error: ErrorDetails, tree: MapNode, top: type[Model]) -> Diagnostic:
    location, kind = error["loc"], error["type"]
    path = real_path(tree, location)
    key = kind == "extra_forbidden" or path[-1:] == ("[key]",)
    path = path[:-1] if path[-1:] == ("[key]",) else path
    node, name = find(tree, path), next((part for part in reversed(path) if isinstance(part, str)), "")
    span = _span(tree, path, key)
    context: Mapping[str, Any] = error.get("ctx") or {}
    if kind.startswith("R0"):
        written = name if key else _text(node, name)
        return Diagnostic(kind, f"`{written}`: {error['msg']}", context["help"], (span,))
    if kind == "extra_forbidden":
        return _unknown_field(top, location, path, name, span)
    if kind in ("missing", "union_tag_not_found"):
        return _missing(top, location, kind, path, name, span)
    if kind in ("literal_error", "union_tag_invalid"):
        return _bad_choice(kind, context, tree, path, name, span)
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        message = f"`{name}` is {_text(node, name)}, and has to be {words} {context[bound]}"
        return Diagnostic("R0105", message, f"write a number {words} {context[bound]}", (span,))
    if kind in ("too_short", "string_too_short"):
        return Diagnostic(
            "R0105", f"`{name}` is empty or too short", f"write at least {context['min_length']}", (span,)
        )
    wanted = _TYPES.get(kind)
    if wanted is None:
        return Diagnostic("R0102", f"`{name}`: {error['msg'][:1].lower()}{error['msg'][1:]}", "", (span,))
    return Diagnostic("R0102", f"`{name}` has to be {wanted}, and is {_described(node)}", _cure(node, wanted), (span,))


def _span(tree: MapNode, path: Location, key: bool) -> Span:
    return key_span(tree, path) if key else value_span(tree, path)


def _unknown_field(top: type[Model], location: Location, path: Location, name: str, span: Span) -> Diagnostic:
    from schema.suggest import field_help  # loads the fuzzy matcher, which only a mistake pays for

    model, siblings = _models_at(top, location[:-1])
    owners = [kind for kind, sibling in siblings.items() if name in _fields(sibling)]
    if owners:
        kinds = " or ".join(f"`kind: {kind}`" for kind in owners)
        message = f"`{name}` is an option of {kinds}, not of `kind: {_kind_of(model)}`"
        return Diagnostic("R0109", message, f"remove `{name}`, or change `kind`", (span,))
    known = _fields(model) if model is not None else []
    help = field_help(name, known, path[:-1]) or f"remove it; known here: {', '.join(sorted(known))}"
    return Diagnostic("R0101", f"unknown field `{name}`", help, (span,))


def _missing(top: type[Model], location: Location, kind: str, path: Location, name: str, span: Span) -> Diagnostic:
    if kind == "union_tag_not_found":
        _, members = _models_at(top, location)
        choices = ", ".join(f"`{member}`" for member in members)
        return Diagnostic("R0104", f"`{name}` has no `kind`", f"add `kind:` with one of {choices}", (span,))
    owner = f"`{path[-2]}`" if len(path) > 1 else "the recipe" if top is Recipe else "the file"
    return Diagnostic("R0104", f"{owner} has no `{name}`", f"add `{name}:`", (span,))


def _bad_choice(
    kind: str, context: Mapping[str, Any], tree: MapNode, path: Location, name: str, span: Span
) -> Diagnostic:
    from schema.suggest import nearest_choice  # as above

    expected = context["expected_tags" if kind == "union_tag_invalid" else "expected"]
    choices = [choice.strip().strip("'") for choice in expected.replace(" or ", ", ").split(", ")]
    if kind == "union_tag_invalid":
        path, name = (*path, "kind"), "kind"
        span = _span(tree, path, key=False)
    node = find(tree, path)
    if path == ("version",):
        return other_version(node, tree.span.file, span)
    written = f"`{_text(node, name)}`" if isinstance(node, ScalarNode) else _described(node)
    guess = nearest_choice(_text(node, ""), choices) if isinstance(node, ScalarNode) else None
    listed = ", ".join(f"`{choice}`" for choice in choices)
    help = f"did you mean `{guess}`? choices: {listed}" if guess else f"write one of {listed}"
    return Diagnostic("R0103", f"`{name}` cannot be {written}", help, (span,))


def other_version(node: Node | None, file: str, span: Span) -> Diagnostic:
    """R0108: a recipe of another version than the present one, by the value of its `version`."""
    written = f"`{_text(node, '')}`" if isinstance(node, ScalarNode) else _described(node)
    message, help = f"version {written} of the language is not known", f"write `version: {VERSION}`"
    if is_old(node):
        message = f"version {written} of the language is old: the present one is {VERSION}"
        help = f"run `recipe migrate {file}`"
    elif isinstance(node, ScalarNode) and type(node.value) is int and node.value > VERSION:
        help = f"use a newer `recipe` program: this one knows version {VERSION}"
    return Diagnostic("R0108", message, help, (span,))


def is_old(node: Node | None) -> bool:
    """Whether the value of `version` is one that `recipe migrate` knows."""
    return isinstance(node, ScalarNode) and type(node.value) is int and OLDEST <= node.value < VERSION


def _text(node: Node | None, name: str) -> str:
    if isinstance(node, ScalarNode):
        return node.raw if len(node.raw) <= 60 else node.raw[:57] + "…"
    return name


def _described(node: Node | None) -> str:
    if isinstance(node, MapNode):
        return "a map"
    if isinstance(node, SeqNode):
        return "a list"
    if node is None or node.value is None:
        return "empty"
    return f"the text `{_text(node, '')}`" if isinstance(node.value, str) else f"`{_text(node, '')}`"


def _cure(node: Node | None, wanted: str) -> str:
    if isinstance(node, ScalarNode) and not node.plain and "number" in wanted:
        return "remove the quotes"
    if isinstance(node, ScalarNode) and node.value in ("yes", "no", "on", "off", "y", "n") and "true" in wanted:
        return "write `true`" if node.value in ("yes", "on", "y") else "write `false`"
    return f"write {wanted}"


def _fields(model: type[Model]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _kind_of(model: type[Model] | None) -> str:
    return str(get_args(model.model_fields["kind"].annotation)[0]) if model and "kind" in model.model_fields else ""


def _models_at(top: type[Model], location: Location) -> tuple[type[Model] | None, dict[str, type[Model]]]:
    """The model that describes the map at a location, and the members of the union it was chosen from, by kind."""
    annotation: Any = top
    members: dict[str, type[Model]] = {}
    for part in location:
        annotation = _bare(annotation)
        if isinstance(annotation, type) and issubclass(annotation, Model):
            members = {}
            by_name = {field.alias or name: field.annotation for name, field in annotation.model_fields.items()}
            annotation = by_name.get(str(part))
        elif get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
        elif get_origin(annotation) is tuple:
            annotation = get_args(annotation)[0]
        elif members := _members(annotation):
            annotation = members.get(str(part))
        else:
            return None, {}
    annotation = _bare(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation, {kind: member for kind, member in members.items() if member is not annotation}
    return None, _members(annotation)


def _bare(annotation: Any) -> Any:
    """An annotation without `Annotated` and without `| None`."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    arguments = [argument for argument in get_args(annotation) if argument is not type(None)]
    if len(arguments) == 1 and len(get_args(annotation)) == 2 and get_origin(annotation) not in (tuple, dict, Literal):
        return _bare(arguments[0])
    return annotation


def _members(annotation: Any) -> dict[str, type[Model]]:
    models = [a for a in get_args(annotation) if isinstance(a, type) and issubclass(a, Model)]
    return {_kind_of(model): model for model in models}
