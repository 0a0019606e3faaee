"""Hold rows out by seed, so that nothing held out was seen in training: rows that share a picture stay together."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runners.data.rows import Row
from schema.diagnostics import Diagnostic, RecipeError

SEEDS = 2**32  # numpy's legacy generator, which scikit-learn's splitters use, takes seeds below this
SHOWN = 5

Fingerprints = Mapping[Path, str]


@dataclass(frozen=True, slots=True)
class Shares:
    """The shares of rows that are held out; training gets the rest."""

    validation: float
    test: float
    stratify: bool

    @property
    def held_out(self) -> dict[str, float]:
        """Split → share, for those that get rows."""
        return {name: share for name in ("test", "validation") if (share := getattr(self, name)) > 0}


def same_input(rows: Sequence[Row], fingerprints: Fingerprints) -> list[list[int]]:
    """Indices of rows that ask the same about the same pictures, two or more at a time."""
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        groups[(_pictures(row, fingerprints), json.dumps(row.asked), row.tools)].append(index)
    return [group for group in groups.values() if len(group) > 1]


def contradictions(
    rows: Sequence[Row], repeated: Sequence[Sequence[int]]
) -> Iterator[tuple[Diagnostic, Sequence[int]]]:
    """For each group of equal rows with more than one label: a diagnostic and the group."""
    for group in repeated:
        labels = {label: index for index in reversed(group) if (label := _told(rows[index])) is not None}
        if len(labels) > 1:
            (first, i), (second, j), *_ = sorted(labels.items(), key=lambda item: item[1])
            what = "picture is" if rows[i].pictures else "question is"
            message = f"the same {what} labelled `{first}` in {rows[i].place} and `{second}` in {rows[j].place}"
            spans = (rows[j].place.span(f"`{second}` here"), rows[i].place.span(f"`{first}` here"))
            yield Diagnostic("R0613", message, "keep the right one", spans), group


def _told(row: Row) -> str | None:
    """What a row says of its classes, as text."""
    return ", ".join(sorted(row.labels)) if row.labels is not None else row.label


def units(rows: Sequence[Row], fingerprints: Fingerprints) -> list[list[int]]:
    """Indices of rows that have to stay on one side: those linked by a picture, or equal in text without pictures."""
    leader = list(range(len(rows)))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    first: dict[Hashable, int] = {}
    for index, row in enumerate(rows):
        shown = _pictures(row, fingerprints)
        # Clips may share a frame, such as a black one at their beginning.
        for key in (shown,) if row.clip else shown or (json.dumps(row.asked),):
            a, b = sorted((find(index), find(first.setdefault(key, index))))
            leader[b] = a
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for index in range(len(rows)):
        groups[find(index)].append(index)
    return list(groups.values())


def _pictures(row: Row, fingerprints: Fingerprints) -> tuple[str, ...]:
    return tuple(fingerprints[picture.file] for picture in row.pictures)


def split(rows: Sequence[Row], together: Sequence[Sequence[int]], shares: Shares, seed: int) -> dict[str, list[int]]:
    """Split → indices of its rows in their order. Errors: RecipeError R0614 when there are too few."""
    labels = [rows[unit[0]].label for unit in together]
    stratify = shares.stratify and any(label is not None for label in labels)
    counts = {name: math.ceil(share * len(together) - 1e-9) for name, share in shares.held_out.items()}
    found = list(_too_few(rows, together, counts, labels if stratify else None))
    if found:
        raise RecipeError(found)
    remaining = list(range(len(together)))
    chosen: dict[str, list[int]] = {}
    for name, count in counts.items():
        remaining, chosen[name] = _draw(remaining, count, labels if stratify else None, seed)
    chosen["train"] = remaining
    return {name: sorted(i for unit in chosen[name] for i in together[unit]) for name in ("train", *reversed(counts))}


def _draw(pool: list[int], count: int, labels: Sequence[str | None] | None, seed: int) -> tuple[list[int], list[int]]:
    from sklearn.model_selection import train_test_split

    strata: Any = [str(labels[unit]) for unit in pool] if labels else None
    try:
        kept, drawn = train_test_split(pool, test_size=count, random_state=seed % SEEDS, stratify=strata)
    except ValueError as error:
        message = f"{len(pool)} examples cannot be split in the shares of the classes: {error}"
        raise RecipeError([Diagnostic("R0614", message, "hold out less, or write `stratify: false`")]) from error
    return kept, drawn


def _too_few(
    rows: Sequence[Row],
    together: Sequence[Sequence[int]],
    counts: Mapping[str, int],
    labels: Sequence[str | None] | None,
) -> Iterator[Diagnostic]:
    if not counts:
        return
    sides = {"train": len(together) - sum(counts.values()), **counts}
    if min(sides.values()) < 1:
        message = f"{len(together)} different examples are too few to hold out {_listed(counts)}"
        yield Diagnostic("R0614", message, "add rows, or hold out less")
        return
    if labels is None:
        return
    classes = Counter(map(str, labels))
    for name, examples in sorted(classes.items()):
        if examples < len(sides):
            place = next(rows[u[0]].place for u, label in zip(together, labels, strict=True) if str(label) == name)
            message = f"the class `{name}` has too few different examples: {examples} for {len(sides)} splits"
            yield place.refuse("R0614", message, f"add examples until it has {len(sides)}, or write `stratify: false`")
    for name, count in sides.items():
        if count < len(classes):
            message = f"{name} gets {count} examples, which are fewer than the {len(classes)} classes"
            yield Diagnostic("R0614", message, "add rows, hold out another share, or write `stratify: false`")


def _listed(counts: Mapping[str, int]) -> str:
    return " and ".join(f"{count} for {name}" for name, count in counts.items())
