"""Scores of any number of classes: against counting by hand, and thresholds against trying all of them."""

import json
import random
from fractions import Fraction
from statistics import mean

import pytest

from runners.scores import tags, thresholds
from schema.diagnostics import RecipeError

CLASSES = ["cat", "dog", "cow"]


def write(folder, name, rows):
    """Rows of (label, scores); the input is the row's number, apart for each file."""
    lines = [
        {
            "input": {"prompt": f"{name} {number}", "images": []},
            "label": label,
            "answer": [c for c, score in zip(CLASSES, scores, strict=True) if score >= 0.5],
            "scores": dict(zip(CLASSES, scores, strict=True)),
        }
        for number, (label, scores) in enumerate(rows)
    ]
    file = folder / f"{name}.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "classes.json").write_text(json.dumps(CLASSES))
    return file


def score(folder, rows, chosen_on=None, *more):
    arguments = ["--predictions", write(folder, "test", rows), "--classes", folder / "classes.json"]
    if chosen_on is not None:
        arguments += ["--thresholds-from", write(folder, "validation", chosen_on)]
    assert tags.main([*map(str, arguments), "--to", str(folder / "scores"), *more]) == 0
    return [json.loads((folder / f"scores/{name}.json").read_bytes()) for name in ("metrics", "report", "thresholds")]


def drawn(seed, count=40):
    dice = random.Random(seed)
    return [
        ([c for c in CLASSES if dice.random() < 0.4], [round(dice.random(), 2) for _ in CLASSES]) for _ in range(count)
    ]


def ratio(part, whole, nothing=0):
    return Fraction(part, whole) if whole else Fraction(nothing)


def f1(precision, recall):
    return 2 * precision * recall / (precision + recall) if precision + recall else Fraction(0)


def by_counting(rows, limits):
    """Every metric by its definition, in fractions."""
    actual = [set(label) for label, _ in rows]
    found = [{c for c, s in zip(CLASSES, scores, strict=True) if s >= limits[c]} for _, scores in rows]
    expected = {
        "rows": len(rows),
        "accuracy": ratio(sum(a == f for a, f in zip(actual, found, strict=True)), len(rows)),
    }
    of_class = {}
    for c in CLASSES:
        right = sum(c in a and c in f for a, f in zip(actual, found, strict=True))
        precision, recall = ratio(right, sum(c in f for f in found)), ratio(right, sum(c in a for a in actual))
        of_class[c] = {"precision": precision, "recall": recall, "f1": f1(precision, recall)}
    for name in ("precision", "recall", "f1"):
        expected[f"{name}_macro"] = sum(of_class[c][name] for c in CLASSES) / len(CLASSES)
        weights = {c: sum(c in a for a in actual) for c in CLASSES}
        expected[f"{name}_weighted"] = ratio(
            sum(of_class[c][name] * weights[c] for c in CLASSES), sum(weights.values())
        )
    right = sum(len(a & f) for a, f in zip(actual, found, strict=True))
    precision, recall = ratio(right, sum(map(len, found))), ratio(right, sum(map(len, actual)))
    expected |= {"precision_micro": precision, "recall_micro": recall, "f1_micro": f1(precision, recall)}
    of_row = [
        (
            ratio(len(a & f), len(f), nothing=not a),
            ratio(len(a & f), len(a), nothing=not f),
            ratio(2 * len(a & f), len(a) + len(f), nothing=1),
        )
        for a, f in zip(actual, found, strict=True)
    ]
    for name, values in zip(("precision", "recall", "f1"), zip(*of_row, strict=True), strict=True):
        expected[f"{name}_samples"] = sum(values) / len(rows)
    return expected | average_precisions(rows)


def average_precisions(rows):
    """The sum over thresholds of (gain in recall) × precision; equal scores are one threshold."""
    areas, counts = [], []
    for place, c in enumerate(CLASSES):
        ranked = [(scores[place], c in label) for label, scores in rows]
        positives = sum(right for _, right in ranked)
        if not positives:
            continue
        area, before = Fraction(0), Fraction(0)
        for limit in sorted({s for s, _ in ranked}, reverse=True):
            above = [right for s, right in ranked if s >= limit]
            recall = Fraction(sum(above), positives)
            area += (recall - before) * Fraction(sum(above), len(above))
            before = recall
        areas.append(area)
        counts.append(positives)
    weighted = sum(a * n for a, n in zip(areas, counts, strict=True)) / sum(counts)
    return {"map": sum(areas) / len(areas), "map_weighted": weighted}


@pytest.mark.parametrize("seed", range(6))
def test_every_metric_is_what_counting_gives(tmp_path, seed):
    rows = drawn(seed)
    metrics, report, chosen = score(tmp_path, rows)
    expected = by_counting(rows, dict.fromkeys(CLASSES, 0.5))
    assert metrics == {name: pytest.approx(float(value), abs=1e-6) for name, value in expected.items()}
    assert report["at_half"] == metrics and chosen == dict.fromkeys(CLASSES, 0.5)
    assert json.dumps(metrics) == json.dumps(dict(sorted(metrics.items())))


@pytest.mark.parametrize("seed", range(6))
def test_chosen_thresholds_are_applied_to_the_other_rows(tmp_path, seed):
    rows, others = drawn(seed), drawn(seed + 100)
    metrics, report, chosen = score(tmp_path, rows, others)
    expected = by_counting(rows, chosen)
    assert metrics == {name: pytest.approx(float(value), abs=1e-6) for name, value in expected.items()}
    half = by_counting(rows, dict.fromkeys(CLASSES, 0.5))
    assert report["at_half"] == {name: pytest.approx(float(value), abs=1e-6) for name, value in half.items()}
    tuned, untuned = by_counting(others, chosen), by_counting(others, dict.fromkeys(CLASSES, 0.5))
    assert tuned["f1_macro"] >= untuned["f1_macro"]
    assert any(value != 0.5 for value in chosen.values())


@pytest.mark.parametrize("seed", range(6))
def test_no_other_threshold_has_a_better_f1(tmp_path, seed):
    rows = drawn(seed, count=15)
    table = tags.read(write(tmp_path, "test", rows), CLASSES)
    chosen = thresholds.best(table)
    for place, c in enumerate(CLASSES):
        qualities = {}
        for limit in [n / 200 for n in range(201)]:
            found = [scores[place] >= limit for _, scores in rows]
            right = sum(f and c in label for f, (label, _) in zip(found, rows, strict=True))
            qualities[limit] = ratio(2 * right, sum(found) + sum(c in label for label, _ in rows))
        best = max(qualities.values())
        found = [scores[place] >= chosen[c] for _, scores in rows]
        right = sum(f and c in label for f, (label, _) in zip(found, rows, strict=True))
        assert ratio(2 * right, sum(found) + sum(c in label for label, _ in rows)) == best
        if qualities[0.5] == best:
            assert chosen[c] == 0.5


def test_a_class_that_no_row_has_keeps_one_half_and_has_no_curve(tmp_path):
    rows = [(["cat"], [0.3, 0.6, 0.9]), (["dog"], [0.2, 0.7, 0.1]), ([], [0.1, 0.1, 0.1])]
    metrics, report, chosen = score(tmp_path, rows, rows_of_others())
    assert chosen["cow"] == 0.5
    assert report["classes"]["cow"]["average_precision"] == 0.0 and report["classes"]["cow"]["rows"] == 0
    assert metrics["map"] == pytest.approx(mean([1.0, 1.0]))


def rows_of_others():
    return [(["cat"], [0.25, 0.2, 0.4]), (["dog"], [0.1, 0.9, 0.4]), ([], [0.05, 0.1, 0.8])]


def test_thresholds_by_hand(tmp_path):
    """`cat` is told apart between 0.1 and 0.25; for `dog` one half is as good as anything between 0.2 and 0.9."""
    table = tags.read(write(tmp_path, "test", rows_of_others()), CLASSES)
    assert thresholds.best(table) == {"cat": pytest.approx(0.175), "dog": 0.5, "cow": 0.5}


def test_a_row_without_classes_that_stays_empty_is_right(tmp_path):
    metrics, _, _ = score(tmp_path, [([], [0.1, 0.1, 0.1]), (["cat"], [0.9, 0.1, 0.1])])
    assert metrics["f1_samples"] == metrics["accuracy"] == metrics["precision_samples"] == 1.0


def test_a_model_that_finds_nothing_is_right_only_where_nothing_is(tmp_path):
    metrics, _, _ = score(tmp_path, [([], [0.1, 0.1, 0.1])] + [(["cat"], [0.1, 0.1, 0.1])] * 3)
    assert (
        metrics["precision_samples"]
        == metrics["recall_samples"]
        == metrics["f1_samples"]
        == metrics["accuracy"]
        == 0.25
    )


@pytest.mark.parametrize("broken", ["NaN", "Infinity", "null"])
def test_a_probability_that_is_no_number_is_told_with_its_line(tmp_path, broken):
    file = write(tmp_path, "test", [(["cat"], [0.9, 0.1, 0.1]), (["cat"], [0.9, 0.25, 0.1])])
    file.write_text(file.read_text().replace("0.25", broken))
    with pytest.raises(RecipeError, match="the probability of `dog` is") as caught:
        tags.read(file, CLASSES)
    assert [(found.code, found.spans[0].line) for found in caught.value.diagnostics] == [("R0654", 2)]


def test_only_the_metrics_that_are_asked_for(tmp_path):
    metrics, _, _ = score(tmp_path, drawn(1), None, "--metrics", "map", "accuracy")
    assert sorted(metrics) == ["accuracy", "map", "map_weighted", "rows"]


def test_a_scored_row_among_the_chosen_is_a_leak(tmp_path):
    rows = drawn(3, count=6)
    file = write(tmp_path, "test", rows)
    other = write(tmp_path, "validation", drawn(4, count=6))
    other.write_text(other.read_text() + file.read_text().splitlines()[4] + "\n")
    arguments = ["--predictions", file, "--thresholds-from", other, "--classes", tmp_path / "classes.json"]
    with pytest.raises(RecipeError) as caught:
        tags.main([*map(str, arguments), "--to", str(tmp_path / "scores")])
    (found,) = caught.value.diagnostics
    assert (found.code, found.spans[0].line) == ("R0653", 5)
    assert not (tmp_path / "scores").exists()


GOOD = {"input": {}, "label": ["cat"], "scores": {"cat": 1, "dog": 0, "cow": 0}}


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        GOOD | {"label": "cat"},
        GOOD | {"label": None},
        GOOD | {"label": ["bee"]},
        GOOD | {"scores": {"cat": 1}},
        GOOD | {"scores": None},
    ],
)
def test_predictions_that_cannot_be_scored(tmp_path, line):
    file = tmp_path / "test.jsonl"
    text = line if isinstance(line, str) else json.dumps(line)
    file.write_text(json.dumps(GOOD) + "\n" + text + "\n")
    with pytest.raises(RecipeError) as caught:
        tags.read(file, CLASSES)
    assert [(found.code, found.spans[0].line) for found in caught.value.diagnostics] == [("R0654", 2)]


def test_no_predictions(tmp_path):
    (tmp_path / "test.jsonl").write_text("")
    with pytest.raises(RecipeError) as caught:
        tags.read(tmp_path / "test.jsonl", CLASSES)
    assert caught.value.diagnostics[0].code == "R0654"


def test_thresholds_of_many_rows_take_little_memory():
    """A table of all rows against all thresholds would be 1.6 GB."""
    import tracemalloc

    import numpy

    dice = numpy.random.default_rng(0)
    actual, scores = dice.random((40_000, 1)) < 0.3, dice.random((40_000, 1)).round(6)
    table = thresholds.Table("rows.jsonl", ("cat",), [], actual, scores)
    tracemalloc.start()
    thresholds.best(table)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * 2**20
