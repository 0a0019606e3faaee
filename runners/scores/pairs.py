"""Score embeddings: how close pairs are, how spread all are, and how often a row finds the text that belongs to it.

python -m runners.scores.pairs --embeddings outputs/embed/vectors/embeddings --to outputs/embed/found --at 1 5 10

With x a row, y the text that belongs to it, all of length 1: similarity is the mean cosine of pairs, and of rows with texts
that do not belong to them. Alignment is the mean of |x - y|^2 over pairs, 0 at best. Uniformity is the logarithm of the mean
of exp(-2 |x - x'|^2) over two different rows, and the same over texts: 0 where all are one point, and the lower, the more
they are spread (Wang and Isola, arXiv:2005.10242, with alpha = 2 and t = 2). Recall at k is the share of rows whose text is
among the k nearest of all texts; a text that is exactly as near counts as nearer, so a collapsed model finds nothing.

Written are metrics.json (flat numbers) and ranks.csv: each row, its text's rank from 1 on, and the text that was nearest.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runners import cli
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_atomically, write_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGITS = 6
METRICS = ("similarity", "alignment", "uniformity", "recall")
AT_ONCE = 1024  # rows that are held against all others at once


@dataclass(frozen=True, slots=True)
class Pairs:
    """Embeddings of rows and of texts, and which text belongs to which row."""

    rows: NDArray[Any]
    """(rows, width), each of length 1."""
    texts: NDArray[Any]
    """(texts, width), each of length 1; no text twice."""
    own: NDArray[Any]
    """(rows,): the place of the text that belongs to the row."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0654 when the embeddings are no pairs."""
    parser = argparse.ArgumentParser(
        prog="python -m runners.scores.pairs", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--embeddings", type=Path, required=True, metavar="DIR")
    parser.add_argument("--metrics", nargs="+", choices=METRICS, default=list(METRICS))
    parser.add_argument("--at", nargs="+", type=int, default=[1, 5, 10], metavar="K")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(argv)
    index = json.loads((options.embeddings / "index.json").read_bytes())
    pairs = read(options.embeddings, index)
    ranked, nearest = ranks(pairs)
    options.to.mkdir(parents=True, exist_ok=True)
    metrics = metrics_of(pairs, ranked, options.metrics, options.at)
    write_json(options.to / "metrics.json", metrics)
    write_atomically(options.to / "ranks.csv", _table(index, pairs, ranked, nearest).encode(), durable=False)
    print(", ".join(f"{name} {value:.4g}" for name, value in metrics.items()))
    return 0


def read(folder: Path, index: Mapping[str, Any]) -> Pairs:
    """The embeddings of a folder. Errors: RecipeError R0654."""
    import numpy

    if not index["texts"] or not all("text" in row for row in index["rows"]):
        message = f"{folder} holds embeddings of rows without texts that belong to them"
        raise RecipeError([Diagnostic("R0654", message, "embed rows that were prepared with `task: embed`")])
    rows, texts = (numpy.load(folder / name, allow_pickle=False).astype(float) for name in ("rows.npy", "texts.npy"))
    if len(rows) != len(index["rows"]) or len(texts) != len(index["texts"]):
        message = f"{folder} has {len(rows)} and {len(texts)} vectors, and its index names others"
        raise RecipeError([Diagnostic("R0654", message, "run the `features` stage again with `--force`")])
    for name, vectors in (("rows", rows), ("texts", texts)):
        if broken := int((~numpy.isfinite(vectors)).any(axis=1).sum()):
            message = f"{broken} of {len(vectors)} vectors of {name} are no numbers"  # none is nearer than they are
            help = "see whether the loss of the training stayed a number"
            raise RecipeError([Diagnostic("R0654", message, help)])
    return Pairs(rows, texts, numpy.array([row["text"] for row in index["rows"]]))


def ranks(pairs: Pairs) -> tuple[NDArray[Any], NDArray[Any]]:
    """(rows,): from 1 on, the rank of each row's own text, and the place of the nearest one."""
    import numpy

    found = [_ranked(similar, own) for similar, own in _blocks(pairs)]
    return numpy.concatenate([rank for rank, _ in found]), numpy.concatenate([nearest for _, nearest in found])


def _blocks(pairs: Pairs) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """The cosine of some rows with all texts, and those rows' own texts."""
    for begin in range(0, len(pairs.rows), AT_ONCE):
        yield pairs.rows[begin : begin + AT_ONCE] @ pairs.texts.T, pairs.own[begin : begin + AT_ONCE]


def _ranked(similar: NDArray[Any], own: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    import numpy

    of_own = similar[numpy.arange(len(own)), own]
    return (similar >= of_own[:, None]).sum(axis=1), similar.argmax(axis=1)


def metrics_of(pairs: Pairs, ranked: NDArray[Any], wanted: Sequence[str], at: Sequence[int]) -> dict[str, float]:
    """Name → value."""
    own = pairs.texts[pairs.own]
    metrics: dict[str, float] = {"rows": len(pairs.rows), "texts": len(pairs.texts)}
    if "similarity" in wanted:
        close = (pairs.rows * own).sum(axis=1)
        metrics["similarity_pairs"] = close.mean()
        if len(pairs.texts) > 1:
            everything = sum(float(similar.sum()) for similar, _ in _blocks(pairs))
            metrics["similarity_others"] = (everything - close.sum()) / (len(pairs.rows) * (len(pairs.texts) - 1))
    if "alignment" in wanted:
        metrics["alignment"] = ((pairs.rows - own) ** 2).sum(axis=1).mean()
    if "uniformity" in wanted:
        for name, points in (("rows", pairs.rows), ("texts", pairs.texts)):
            if len(points) > 1:
                metrics[f"uniformity_{name}"] = uniformity(points)
    if "recall" in wanted:
        for k in sorted(set(at)):
            metrics[f"recall_at_{k}"] = (ranked <= k).mean()
    return {name: value if isinstance(value, int) else round(float(value), DIGITS) for name, value in metrics.items()}


def uniformity(points: NDArray[Any]) -> float:
    """log of the mean of exp(-2 |x - x'|^2) over all two of the points, which have shape (points, width) and length 1."""
    import numpy

    # |x - x'|^2 = 2 - 2 x·x' for length 1; each two are summed twice, and each point with itself once, as exp(0).
    total = 0.0
    for begin in range(0, len(points), AT_ONCE):
        total += float(numpy.exp(-4 + 4 * (points[begin : begin + AT_ONCE] @ points.T)).sum())
    return math.log((total - len(points)) / (len(points) * (len(points) - 1)))


def _table(index: Mapping[str, Any], pairs: Pairs, ranked: NDArray[Any], nearest: NDArray[Any]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("prompt", "images", "text", "rank", "nearest"))
    texts = index["texts"]
    for row, own, rank, first in zip(index["rows"], pairs.own, ranked, nearest, strict=True):
        writer.writerow((row["prompt"], " ".join(row["images"]), texts[own], int(rank), texts[first]))
    return text.getvalue()


if __name__ == "__main__":
    cli.run(main)
