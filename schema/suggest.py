"""What somebody meant by a name that is not known: the nearest known one, or our field for an engine's option.

>>> nearest("learning_rat", ["learning_rate", "schedule"])
'learning_rate'
>>> field_help("gradient_accumulation_steps", ["batch", "epochs"])
'write `batch.global`: accumulation is derived from it'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from schema.synonyms import NOTES, SYNONYMS, VALUES

__all__ = ["NOTES", "SYNONYMS", "VALUES", "field_help", "nearest", "nearest_choice"]

Loc = tuple[str | int, ...]


def nearest(name: str, known: Iterable[str], synonyms: Mapping[str, str] | None = None) -> str | None:
    """The known name that was most likely meant, or what `synonyms` says of it; None when nothing is near."""
    names = {_plain(k): k for k in known}
    plain = _plain(name)
    if plain in names:
        return names[plain]
    table = {_plain(k): v for k, v in (synonyms or {}).items()}
    if plain in table:
        return table[plain]
    if close := _closest(plain, names, 0.6):
        return names[close]
    close = _closest(plain, table, 0.8)
    return table[close] if close else None


def nearest_choice(value: str, choices: Iterable[str]) -> str | None:
    """The choice that was most likely meant, also by an engine's word for it: `bf16` is `bfloat16`."""
    known = list(choices)
    return nearest(value, known, {word: choice for word, choice in VALUES.items() if choice in known})


def field_help(name: str, known: Iterable[str], here: Loc = ()) -> str:
    """What to write instead of the unknown field `name` in the map at `here`; empty when nothing is near."""
    target = nearest(name, known, SYNONYMS)
    note = NOTES.get(_plain(name), "")
    if target is None:
        return note
    return f"write `{_relative(target, here)}`" + (f": {note}" if note else "")


def _relative(target: str, here: Loc) -> str:
    """`optimizer.learning_rate` is `learning_rate` where we already stand in an `optimizer`."""
    *parents, field = target.split(".")
    tail = here[-len(parents) :]
    inside = parents and len(tail) == len(parents) and all(p in (h, "NAME") for p, h in zip(parents, tail, strict=True))
    return field if inside else target


def _plain(name: str) -> str:
    return name.strip().lstrip("-").replace("-", "_").lower()


def _closest(name: str, known: Iterable[str], at_least: float) -> str | None:
    from rapidfuzz.distance import OSA  # only here: an error is the only way to need it

    if not name:
        return None
    scored = [(max(OSA.normalized_similarity(name, k), _shortened(name, k)), -_apart(name, k), k) for k in known if k]
    score, _, best = max(scored, default=(0.0, 0, ""))
    return best if score >= at_least else None


def _apart(name: str, known: str) -> int:
    """How far apart their characters are, to choose among equals: `zero4` is nearer to `zero3` than to `zero1`."""
    return sum(abs(ord(a) - ord(b)) for a, b in zip(name, known, strict=False))


def _shortened(name: str, known: str) -> float:
    """`attn` and `eval` are near `attention` and `evaluation`: all letters in order, the first three the same."""
    if len(name) < 3 or name[:3] != known[:3]:
        return 0.0
    letters = iter(known)
    return 0.7 if all(letter in letters for letter in name) else 0.0
