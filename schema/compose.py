"""Compose one tree from several: `extends`, `variants` and `--set`. Places survive, so errors point at what was written.

Maps merge, everything else replaces. A map whose `kind` changes is replaced as a whole, because its other fields belong
to the old kind. An entry of `models`, `datasets` or `stages` that is set to null is taken away.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from schema.base import NAME
from schema.diagnostics import Diagnostic, RecipeError, Span
from schema.source import parse
from schema.tree import Entry, MapNode, Node, ScalarNode, SeqNode

REMOVABLE = ("models", "datasets", "stages")
"""The maps whose entries can be taken away."""
FIXED = ("version", "name", "extends", "variants", "axes")
"""What a variant cannot change: they say which recipe this is."""


def merge(base: Node, over: Node) -> Node:
    """`over` on top of `base`."""
    if not (isinstance(base, MapNode) and isinstance(over, MapNode)):
        return over
    if None not in (_kind(base), _kind(over)) and _kind(base) != _kind(over):
        return over
    items = dict(base.items)
    for key, entry in over.items.items():
        below = items.get(key)
        items[key] = entry if below is None else Entry(entry.key_span, merge(below.value, entry.value))
    return MapNode(over.span, items)


def join_bases(bases: Iterable[MapNode], own: MapNode) -> MapNode:
    """The bases of one file, which may not contradict each other where `own` does not decide, under `own`."""
    joined: Node | None = None
    conflicts: list[Diagnostic] = []
    for base in bases:
        if joined is not None:
            conflicts += _conflicts(joined, base, own, ())
        joined = base if joined is None else merge(joined, base)
    if conflicts:
        raise RecipeError(conflicts)
    result = own if joined is None else merge(joined, own)
    assert isinstance(result, MapNode)
    return result


def finish(tree: MapNode) -> MapNode:
    """A composed tree without notes and without entries that were set to null."""
    items = dict(_without_notes(tree).items)
    for section in REMOVABLE:
        entry = items.get(section)
        if entry is not None and isinstance(entry.value, MapNode):
            kept = {name: e for name, e in entry.value.items.items() if not _is_null(e.value)}
            items[section] = Entry(entry.key_span, MapNode(entry.value.span, kept))
    return MapNode(tree.span, items)


def overlays(tree: MapNode) -> dict[str, tuple[MapNode, ...]]:
    """The name of each variant of a recipe → the overlays that make it, in order.

    Raises:
        RecipeError: everything that is wrong with the variants' names and shapes, and with the axes.
    """
    parts = variant_parts(tree)
    maps = {name: entry.value for name, entry in _section(tree, "variants").items() if isinstance(entry.value, MapNode)}
    return {variant: tuple(maps[name] for name in names) for variant, names in parts.items()}


def variant_parts(tree: MapNode) -> dict[str, tuple[str, ...]]:
    """The name of each variant of a recipe → the entries of `variants` that make it, in order.

    Raises:
        RecipeError: as `overlays`.
    """
    variants, axes = _section(tree, "variants"), _section(tree, "axes")
    wrong = [*_bad_names(variants), *_bad_names(axes), *_bad_variants(variants), *_bad_axes(axes, variants)]
    if wrong:
        raise RecipeError(wrong)
    groups = [_members(entry.value) for entry in axes.values()]
    in_axes = {name for group in groups for name in group}
    found: dict[str, tuple[str, ...]] = {name: (name,) for name in variants if name not in in_axes}
    for names in product(*groups) if groups else ():
        joined = "-".join(names)
        if joined in found:
            place = tree.items["axes"].key_span
            raise RecipeError(
                [Diagnostic("R0213", f"two variants are called `{joined}`", "rename one of them", (place,))]
            )
        found[joined] = names
    return found


def _bad_names(section: Mapping[str, Entry]) -> Iterator[Diagnostic]:
    help = "write lower-case letters and digits, joined by `-` or `_`"
    for name, entry in section.items():
        if re.fullmatch(NAME, name) is None:
            yield Diagnostic("R0107", f"`{name}`: this is not a name", help, (entry.key_span,))


def _bad_variants(variants: Mapping[str, Entry]) -> Iterator[Diagnostic]:
    for name, entry in variants.items():
        node = entry.value
        if not isinstance(node, MapNode):
            yield Diagnostic("R0102", f"variant `{name}` is not a map", "write the fields that differ", (node.span,))
            continue
        for field in FIXED:
            if field in node.items:
                message = f"variant `{name}` sets `{field}`, which belongs to the whole recipe"
                yield Diagnostic("R0212", message, f"remove `{field}` here", (node.items[field].key_span,))


def _bad_axes(axes: Mapping[str, Entry], variants: Mapping[str, Entry]) -> Iterator[Diagnostic]:
    known = ", ".join(f"`{name}`" for name in variants)
    for name, entry in axes.items():
        node = entry.value
        if not isinstance(node, SeqNode) or not node.items:
            yield Diagnostic("R0102", f"axis `{name}` is not a list of variants", "write `[NAME, NAME]`", (node.span,))
            continue
        for member in node.items:
            if not isinstance(member, ScalarNode) or member.raw not in variants:
                named = (
                    f"the variant `{member.raw}`, which does not exist"
                    if isinstance(member, ScalarNode)
                    else "no variant"
                )
                help = f"name entries of `variants`: {known}" if known else "add `variants`"
                yield Diagnostic("R0209", f"axis `{name}` names {named}", help, (member.span,))


def _members(axis: Node) -> list[str]:
    """The variants of an axis."""
    members = axis.items if isinstance(axis, SeqNode) else ()
    return list(dict.fromkeys(member.raw for member in members if isinstance(member, ScalarNode)))


def instance(tree: MapNode, layers: Iterable[MapNode]) -> MapNode:
    """A recipe with the overlays of one variant, ready to be validated."""
    merged: Node = MapNode(tree.span, {k: e for k, e in tree.items.items() if k not in ("variants", "axes")})
    for layer in layers:
        merged = merge(merged, layer)
    assert isinstance(merged, MapNode)
    return finish(merged)


def assignment(text: str) -> MapNode:
    """The overlay that `--set a.b=c` stands for; the value is read as YAML.

    Raises:
        RecipeError: there is no `=`, or the value is not YAML.
    """
    path, equals, value = text.partition("=")
    keys = path.split(".")
    if not equals or not all(keys):
        help = "write a field's path and its value, such as `stages.train.epochs=3`"
        raise RecipeError([Diagnostic("R0210", f"`{text}` is not an assignment", help)])
    if keys[0] in FIXED:
        message, help = f"`{keys[0]}` says which recipe this is", "set a field of it, such as `seed`"
        raise RecipeError([Diagnostic("R0210", message, help)])
    tree: Node = parse(f"value: {value}\n", "--set").items["value"].value
    span = tree.span
    for key in reversed(keys):
        tree = MapNode(span, {key: Entry(span, tree)})
    assert isinstance(tree, MapNode)
    return tree


def _section(tree: MapNode, name: str) -> Mapping[str, Entry]:
    entry = tree.items.get(name)
    if entry is None or _is_null(entry.value):
        return {}
    if isinstance(entry.value, MapNode):
        return _without_notes(entry.value).items
    raise RecipeError(
        [Diagnostic("R0102", f"`{name}` is not a map", "write names and what they mean", (entry.value.span,))]
    )


def _kind(node: MapNode) -> object:
    entry = node.items.get("kind")
    return entry.value.value if entry is not None and isinstance(entry.value, ScalarNode) else None


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.value is None


def _without_notes(node: MapNode) -> MapNode:
    return MapNode(
        node.span,
        {k: Entry(e.key_span, _clean(e.value)) for k, e in node.items.items() if not k.startswith("x-")},
    )


def _clean(node: Node) -> Node:
    if isinstance(node, MapNode):
        return _without_notes(node)
    if isinstance(node, SeqNode):
        return SeqNode(node.span, tuple(_clean(item) for item in node.items))
    return node


def _conflicts(left: Node, right: Node, own: Node | None, path: tuple[str, ...]) -> Iterator[Diagnostic]:
    """Values that two bases of one file both set, differently, and the file itself does not."""
    if isinstance(left, MapNode) and isinstance(right, MapNode):
        for key in [k for k in left.items if k in right.items] if own is None or isinstance(own, MapNode) else []:
            mine = own.items.get(key) if isinstance(own, MapNode) else None
            yield from _conflicts(
                left.items[key].value, right.items[key].value, mine.value if mine else None, (*path, key)
            )
    elif own is None and not _same(left, right):
        yield Diagnostic(
            "R0207",
            f"two bases set `{'.'.join(path)}` to different values",
            "set it in this recipe, or in only one of the bases",
            (_labelled(right.span, "and here"), _labelled(left.span, "set here")),
        )


def _same(left: Node, right: Node) -> bool:
    if isinstance(left, ScalarNode) and isinstance(right, ScalarNode):
        return left.value == right.value and type(left.value) is type(right.value)
    if isinstance(left, SeqNode) and isinstance(right, SeqNode):
        return len(left.items) == len(right.items) and all(map(_same, left.items, right.items))
    if isinstance(left, MapNode) and isinstance(right, MapNode):
        return left.items.keys() == right.items.keys() and all(
            _same(left.items[key].value, right.items[key].value) for key in left.items
        )
    return False


def _labelled(span: Span, label: str) -> Span:
    return Span(span.file, span.line, span.column, span.end_line, span.end_column, label)
