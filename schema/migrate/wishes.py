"""What an instance has to say after a migration, and the file or variant where it is written.

A value that follows from several fields, such as a global batch, is written in the topmost layer that sets one of them:
layers below it leave it open, and no layer above it changes what it follows from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from schema.diagnostics import Diagnostic, RecipeError, Span
from schema.migrate.changes import Edit, Put
from schema.migrate.draft import Layer, Stack
from schema.tree import Scalar, find, key_span


@dataclass(frozen=True, slots=True)
class Wish:
    """The value of a field of a stage in one instance."""

    stack: Stack
    stage: str
    path: tuple[str, ...]
    value: Scalar
    note: str
    """What a person is told when it is written."""
    factors: Mapping[tuple[str, ...], str]
    """The fields that it follows from → what to say about a variant that sets them."""
    near: str = ""
    """The field whose place it takes."""

    @property
    def whole(self) -> tuple[str, ...]:
        """The path from a layer's root."""
        return ("stages", self.stage, *self.path)

    def home(self) -> int:
        """The number of the layer where it is written."""
        effective = {id(layer) for layer in self.stack.effective(self.stage)}
        homes = [
            number
            for number, layer in enumerate(self.stack.layers)
            if any(
                find(layer.root, f) is not None and (f[0] != "stages" or id(layer) in effective) for f in self.factors
            )
        ]
        return homes[-1]


def granted(wishes: Iterable[Wish]) -> Iterator[Edit]:
    """The edits that write values down, each once; a layer that inherits the same value needs none.

    Raises:
        RecipeError: R0722, when instances that share a layer need different values there.
    """
    found = list(wishes)
    homes: dict[tuple[int, tuple[str, ...]], list[Wish]] = {}
    for wish in found:
        homes.setdefault(_target(wish, wish.home()), []).append(wish)
    if conflicts := [_conflict(group) for group in homes.values() if len({repr(w.value) for w in group}) > 1]:
        raise RecipeError(conflicts)
    for target in sorted(homes, key=lambda key: -max(wish.home() for wish in homes[key])):
        if all(_inherits(wish, homes) for wish in homes[target]):
            del homes[target]
    for group in homes.values():
        yield _edit(group[0])


def _target(wish: Wish, number: int) -> tuple[int, tuple[str, ...]]:
    """The map of a layer that a value is written in, and the path there."""
    layer = wish.stack.layers[number]
    stage = layer.stage(wish.stage)
    return (id(layer.root), wish.whole) if stage is None else (id(stage), wish.path)


def _inherits(wish: Wish, homes: Mapping[tuple[int, tuple[str, ...]], list[Wish]]) -> bool:
    """Whether the layers below its home give an instance the value that it wishes for."""
    effective = {id(layer) for layer in wish.stack.effective(wish.stage)}
    below = [n for n in range(wish.home()) if id(wish.stack.layers[n]) in effective]
    given = [homes[target][0] for n in below if (target := _target(wish, n)) in homes]
    return bool(given) and repr(given[-1].value) == repr(wish.value)


def _edit(wish: Wish) -> Edit:
    layer = wish.stack.layers[wish.home()]
    stage = layer.stage(wish.stage)
    put = Put(layer.root, wish.whole, wish.value) if stage is None else Put(stage, wish.path, wish.value, wish.near)
    return Edit(f"{wish.stage}: {_where(wish, layer)}{wish.note}", _place(wish, layer), (put,))


def _where(wish: Wish, layer: Layer) -> str:
    """`variant `big` sets other hardware: `, or nothing for a file."""
    if layer.variant is None:
        return ""
    reasons = [said for factor, said in wish.factors.items() if said and find(layer.root, factor) is not None]
    return f"variant `{layer.variant}` {' and '.join(dict.fromkeys(reasons))}: "


def _place(wish: Wish, layer: Layer) -> Span:
    """The field of a layer that a value follows from."""
    factor = next(factor for factor in wish.factors if find(layer.root, factor) is not None)
    return key_span(layer.root, factor)


def _conflict(wishes: list[Wish]) -> Diagnostic:
    first = wishes[0]
    layer = first.stack.layers[first.home()]
    field = ".".join(first.path)
    values = [
        f"`{value}` in {next(group).stack.name}"
        for value, group in groupby(sorted(wishes, key=lambda w: repr(w.value)), key=lambda w: w.value)
    ]
    where = f"variant `{layer.variant}`" if layer.variant else layer.root.span.file
    message = f"`{field}` of `{first.stage}` has to be {' and '.join(values)}, and {where} cannot say that for each"
    help = f"write variants instead of axes or anchors there, so that each of them can set `{field}`, and migrate again"
    return Diagnostic("R0722", message, help, (_place(first, layer),))
