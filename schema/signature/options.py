"""Checks of named options, as a recipe passes them through to an engine."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from schema.signature.names import FIELDS, RENAMED, near
from schema.signature.problem import Problem
from schema.signature.recorded import Option, Signature
from schema.signature.registry import vocabulary
from schema.signature.values import Unfit, arguments, resolve

PLUGINS = frozenset({"external_plugins", "custom_register_path"})
"""Options that load a plugin."""

_APART = frozenset({("rlhf", "loss_type")})
"""Command and option whose names are others than those of the registry: each kind of alignment has its own losses."""


def check_options(signature: Signature, options: Iterable[tuple[str, Any]]) -> list[Problem]:
    """What is wrong with options that are given by name, with values as YAML has them.

    Names are those of the command with underscores or dashes. Rules across options are `check_rules`.
    """
    given = list(options)
    return [*_repeated(signature, given), *_each(signature, given)]


def _repeated(signature: Signature, given: Sequence[tuple[str, Any]]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name, _ in given:
        found = signature.find(name)
        if found is None or found[0].repeatable:
            continue
        if found[0].name in seen:
            yield repeated(found[0], name, seen[found[0].name])
        seen.setdefault(found[0].name, name)


def repeated(option: Option, name: str, first: str) -> Problem:
    """An option that stands there twice: the engine takes the last one and says nothing."""
    how = f"as `{first}` and as `{name}`" if name != first else "twice"
    return Problem("repeated", name, f"`{option.name}` is given {how}; the last one wins in silence", "keep one")


def _each(signature: Signature, given: Sequence[tuple[str, Any]]) -> Iterator[Problem]:
    plugins = has_plugins(signature, [name for name, _ in given])
    for name, value in given:
        found = signature.find(name)
        if found is None:
            yield unknown(signature, name)
            continue
        try:
            arguments(signature, name, value)
            yield from names_unknown(signature, found[0], resolve(signature, name, value), plugins)
        except Unfit as unfit:
            yield Problem(unfit.kind, name, unfit.reason, unfit.help)


def has_plugins(signature: Signature, names: Iterable[str]) -> bool:
    """Whether a plugin is loaded, which may add names to the registries."""
    return any(found is not None and found[0].name in PLUGINS for found in map(signature.find, names))


def unknown(signature: Signature, name: str) -> Problem:
    """An option that the command lacks: its new name, the nearest one, and our field where one exists."""
    bare = name.lstrip("-").replace("-", "_")
    program = " ".join(signature.program)
    renamed = RENAMED.get(bare)
    if renamed in signature.options:
        message = f"{program} has no option `{bare}`: it is called `{renamed}`"
        return Problem("renamed", name, message, f"write `{renamed}`.{_field(renamed)}".rstrip("."))
    close = near(bare, (n for n in [*signature.options, *_negatives(signature)]))
    help = f"did you mean `{close[0]}`?{_field(close[0])}" if close else _field(bare).strip()
    return Problem("unknown", name, f"{program} has no option `{bare}`", help)


def _negatives(signature: Signature) -> list[str]:
    return [flag.lstrip("-") for option in signature.options.values() for flag in option.negative[:1]]


def _field(name: str | None) -> str:
    field = FIELDS.get(name or "")
    return f" The recipe has a field for it: `{field}`" if field else ""


def names_unknown(signature: Signature, option: Option, value: Any, plugins: bool) -> Iterator[Problem]:
    """Warnings about names that the engine looks up in a registry, late."""
    if option.type == "truthy" and value is not None:
        yield from _reads_as_true(option, value)
    if signature.engine != "ms-swift" or plugins or (signature.command, option.name) in _APART:
        return
    known = vocabulary(option.name)
    for name in _names(option, value) if known else ():
        if name not in known:
            yield _not_registered(option, name, known)


def _names(option: Option, value: Any) -> list[str]:
    names = value if isinstance(value, list) else [value]
    parts = [part for name in names for part in (str(name).split("+") if option.name == "loss_scale" else [str(name)])]
    # transformers takes attention kernels of its hub as owner/name
    return [part for part in parts if not (option.name == "attn_impl" and "/" in part)]


def _not_registered(option: Option, name: str, known: Collection[str]) -> Problem:
    close = near(name, sorted(known))
    listed = ", ".join(f"`{one}`" for one in sorted(known)[:16]) + (", …" if len(known) > 16 else "")
    help = f"did you mean `{close[0]}`?" if close else f"it is one of {listed}"
    return Problem("vocabulary", option.name, f"no `{option.name}` is registered under `{name}`", help)


def _reads_as_true(option: Option, value: bool) -> Iterator[Problem]:
    if value:
        message = f"`{option.name}` is true whatever is written after it, even `False`"
        yield Problem("trap", option.name, message, "leave it out to get false")
