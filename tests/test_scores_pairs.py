"""Scores of embeddings: against plain loops, and in cases whose values are known."""

import csv
import json
import math
import random

import numpy
import pytest

from runners.scores import pairs
from schema.diagnostics import RecipeError


def write(folder, rows, texts, own):
    to = folder / "embeddings"
    to.mkdir(parents=True, exist_ok=True)
    for name, values in (("rows", rows), ("texts", texts)):
        values = numpy.array(values, dtype=numpy.float32)
        numpy.save(to / f"{name}.npy", values / numpy.linalg.norm(values, axis=1, keepdims=True))
    index = {
        "rows": [{"prompt": f"row {n}", "images": [f"{n}.png"], "text": place} for n, place in enumerate(own)],
        "texts": [f"text {n}" for n in range(len(texts))],
    }
    (to / "index.json").write_text(json.dumps(index))
    return to


def score(folder, rows, texts, own, *more):
    embeddings = write(folder, rows, texts, own)
    assert pairs.main(["--embeddings", str(embeddings), "--to", str(folder / "scores"), *more]) == 0
    with (folder / "scores/ranks.csv").open(newline="") as stream:
        return json.loads((folder / "scores/metrics.json").read_bytes()), list(csv.DictReader(stream))


def drawn(seed, rows=13, texts=7, width=5):
    dice = random.Random(seed)
    points = [[[dice.gauss(0, 1) for _ in range(width)] for _ in range(count)] for count in (rows, texts)]
    return *points, [dice.randrange(texts) for _ in range(rows)]


def unit(point):
    length = math.sqrt(sum(x * x for x in point))
    return [x / length for x in point]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def by_loops(rows, texts, own):
    rows, texts = [unit(row) for row in rows], [unit(text) for text in texts]
    distance = lambda a, b: sum((x - y) ** 2 for x, y in zip(a, b, strict=True))  # noqa: E731
    everyone = [(r, t) for r in range(len(rows)) for t in range(len(texts))]
    strangers = [dot(rows[r], texts[t]) for r, t in everyone if own[r] != t]

    def uniformity(points):
        couples = [(a, b) for i, a in enumerate(points) for b in points[i + 1 :]]
        return math.log(sum(math.exp(-2 * distance(a, b)) for a, b in couples) / len(couples))

    ranks = []
    for r, row in enumerate(rows):
        ordered = sorted(range(len(texts)), key=lambda t: -dot(row, texts[t]))
        ranks.append(ordered.index(own[r]) + 1)
    return ranks, {
        "rows": len(rows),
        "texts": len(texts),
        "similarity_pairs": sum(dot(rows[r], texts[own[r]]) for r in range(len(rows))) / len(rows),
        "similarity_others": sum(strangers) / len(strangers),
        "alignment": sum(distance(rows[r], texts[own[r]]) for r in range(len(rows))) / len(rows),
        "uniformity_rows": uniformity(rows),
        "uniformity_texts": uniformity(texts),
        **{f"recall_at_{k}": sum(rank <= k for rank in ranks) / len(ranks) for k in (1, 2, 5)},
    }


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("at_once", [4, 1024])
def test_every_metric_is_what_loops_give(tmp_path, monkeypatch, seed, at_once):
    monkeypatch.setattr(pairs, "AT_ONCE", at_once)
    case = drawn(seed)
    ranks, expected = by_loops(*case)
    metrics, rows = score(tmp_path, *case, "--at", "1", "2", "5")
    assert metrics == {name: pytest.approx(value, abs=2e-6) for name, value in expected.items()}
    assert [int(row["rank"]) for row in rows] == ranks
    assert all((row["rank"] == "1") == (row["nearest"] == row["text"]) for row in rows)


def test_perfect_embeddings(tmp_path):
    points = [[1, 0], [0, 1], [-1, 0]]
    metrics, _ = score(tmp_path, points, points, [0, 1, 2], "--at", "1")
    assert metrics["recall_at_1"] == metrics["similarity_pairs"] == 1.0 and metrics["alignment"] == 0.0
    # Squared distances 2, 2 and 4: log((2 exp(-4) + exp(-8)) / 3).
    assert metrics["uniformity_rows"] == pytest.approx(math.log((2 * math.exp(-4) + math.exp(-8)) / 3), abs=1e-6)


def test_a_model_that_puts_everything_into_one_point_finds_nothing(tmp_path):
    metrics, rows = score(tmp_path, [[1, 2]] * 4, [[1, 2]] * 3, [0, 1, 2, 0], "--at", "1", "2", "3")
    assert metrics["recall_at_1"] == metrics["recall_at_2"] == 0.0 and metrics["recall_at_3"] == 1.0
    assert metrics["uniformity_rows"] == pytest.approx(0.0, abs=1e-5)
    assert {row["rank"] for row in rows} == {"3"}


def test_vectors_that_are_no_numbers_are_no_finds(tmp_path):
    folder = write(tmp_path, *drawn(3))
    vectors = numpy.load(folder / "rows.npy")
    vectors[[2, 5], 1] = numpy.nan
    numpy.save(folder / "rows.npy", vectors)
    with pytest.raises(RecipeError, match="2 of 13 vectors of rows are no numbers"):
        pairs.main(["--embeddings", str(folder), "--to", str(tmp_path / "scores")])


def test_only_the_metrics_that_are_asked_for(tmp_path):
    metrics, _ = score(tmp_path, *drawn(1), "--metrics", "alignment")
    assert sorted(metrics) == ["alignment", "rows", "texts"]


def test_embeddings_that_are_no_pairs(tmp_path):
    folder = write(tmp_path, *drawn(2))
    index = json.loads((folder / "index.json").read_bytes())
    for wrong in (
        index | {"texts": []},
        index | {"rows": [{"prompt": "", "images": []}, *index["rows"][1:]]},
        index | {"rows": index["rows"][1:]},
    ):
        (folder / "index.json").write_text(json.dumps(wrong))
        with pytest.raises(RecipeError) as caught:
            pairs.main(["--embeddings", str(folder), "--to", str(tmp_path / "scores")])
        assert caught.value.diagnostics[0].code == "R0654"
