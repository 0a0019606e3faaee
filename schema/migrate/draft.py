"""What a transform looks at: recipes of an old version, file by file and instance by instance."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from schema.compose import instance, overlays, variant_parts
from schema.load import Reader, compose
from schema.source import parse
from schema.tree import MapNode, Node, ScalarNode, find


@dataclass(frozen=True, slots=True)
class Layer:
    """A map with sections such as `stages`: a whole file, or the part of a variant that stands in a file."""

    root: MapNode
    variant: str | None = None

    def stage(self, name: str) -> MapNode | None:
        """What it says about a stage."""
        found = find(self.root, ("stages", name))
        return found if isinstance(found, MapNode) else None


@dataclass(frozen=True, slots=True)
class Stack:
    """One instance of a recipe: its layers, the lowest first, and the tree that they compose to."""

    file: str
    variant: str | None
    layers: tuple[Layer, ...]
    tree: MapNode

    @property
    def name(self) -> str:
        """`recipes/animals-lora.yaml`, or with its variant behind it."""
        return self.file if self.variant is None else f"{self.file}, variant `{self.variant}`"

    def alone(self) -> Stack:
        """The same instance as a recipe of one file without variants."""
        return Stack(self.file, self.variant, (Layer(self.tree),), self.tree)

    def effective(self, stage: str) -> tuple[Layer, ...]:
        """The layers whose words about a stage count: those below another `kind`, or below its removal, do not."""
        found: list[Layer] = []
        kind: object = None
        for layer in self.layers:
            here = find(layer.root, ("stages", stage))
            said = value(here, "kind")
            if _is_null(here) or (None not in (kind, said) and kind != said):
                found = []
            kind = said if said is not None else None if _is_null(here) else kind
            found.append(layer)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Draft:
    """Recipes that are migrated together, with all files they are written in; each file is parsed once."""

    roots: Mapping[str, MapNode]
    """File, as messages name it → its own tree."""
    stacks: tuple[Stack, ...]

    def training_stages(self) -> Iterator[tuple[str, MapNode]]:
        """What any layer says about a training stage, each map once, in the order of the text."""
        maps = {
            id(node): (layer_stage, node)
            for stack in self.stacks
            for layer in stack.layers
            for layer_stage in training(stack)
            if (node := layer.stage(layer_stage)) is not None
        }
        return iter(sorted(maps.values(), key=lambda found: found[1].span))


def read(files: Iterable[Path], reader: Reader, sources: dict[str, str]) -> Draft:
    """The recipes of some files, whatever version they are.

    Raises:
        RecipeError: what is wrong with the texts, the files they extend and their variants.
    """
    roots: dict[str, MapNode] = {}
    stacks: list[Stack] = []
    names: dict[str, str] = {}
    for file in files:
        tree, used = compose(file, sources, reader)
        own = [names.setdefault(os.path.realpath(name), name) for name in used]
        for name in own:
            if name not in roots:
                roots[name] = parse(sources[name], name)
        stacks += _stacks(tree, own, roots)
    return Draft(roots, tuple(stacks))


def _stacks(tree: MapNode, files: list[str], roots: Mapping[str, MapNode]) -> Iterator[Stack]:
    """The instances of a recipe, the plain one first."""
    whole = tuple(Layer(roots[name]) for name in files)
    parts, layers = variant_parts(tree), overlays(tree)
    yield Stack(files[-1], None, whole, instance(tree, ()))
    for variant, names in parts.items():
        over = [Layer(root, name) for name in names for file in files if (root := _overlay(roots[file], name))]
        yield Stack(files[-1], variant, (*whole, *over), instance(tree, layers[variant]))


def _overlay(root: MapNode, variant: str) -> MapNode | None:
    found = find(root, ("variants", variant))
    return found if isinstance(found, MapNode) else None


def training(stack: Stack) -> list[str]:
    """The training stages of an instance."""
    stages = find(stack.tree, ("stages",))
    named = stages.items if isinstance(stages, MapNode) else {}
    return [name for name, entry in named.items() if value(entry.value, "kind") in ("sft", "classify")]


def value(node: Node | None, *path: str) -> object:
    """The value of a scalar below a node; None where there is none, or null."""
    found = find(node, path) if node is not None else None
    return found.value if isinstance(found, ScalarNode) else None


def _is_null(node: Node | None) -> bool:
    return isinstance(node, ScalarNode) and node.value is None
