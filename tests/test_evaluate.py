"""Scores of predictions, and how they are shown."""

import csv
import json

import pytest
from rich.console import Console

from runners import evaluate
from runners.show import show
from schema.diagnostics import RecipeError


def predictions(folder, pairs):
    """Write predictions of (label, parsed) pairs."""
    file = folder / "predictions.jsonl"
    found = [{"input": {}, "label": label, "answer": str(parsed), "parsed": parsed} for label, parsed in pairs]
    file.write_text("".join(json.dumps(line) + "\n" for line in found))
    return file


def score(folder, pairs, *more):
    evaluate.main(["--predictions", str(predictions(folder, pairs)), "--to", str(folder / "scores"), *more])
    read = {name: json.loads((folder / f"scores/{name}.json").read_bytes()) for name in ("metrics", "report")}
    return read["metrics"], read["report"]


PAIRS = [("a", "a"), ("a", "a"), ("a", "b"), ("b", "b"), ("b", None), ("c", "a")]


def test_scores_by_hand(tmp_path):
    metrics, report = score(tmp_path, PAIRS)
    assert metrics["accuracy"] == 0.5 and metrics["rows"] == 6 and metrics["unparsed"] == 1
    assert report["classes"]["a"] == {
        "precision": 0.666667,
        "recall": 0.666667,
        "f1": 0.666667,
        "rows": 3,
        "predicted": 3,
    }
    assert report["classes"]["c"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "rows": 1, "predicted": 0}
    assert metrics["recall_macro"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3, abs=1e-6)
    assert metrics["recall_weighted"] == metrics["recall_micro"] == 0.5
    assert metrics["precision_micro"] == 0.6  # of five answers with a class, three are right
    assert report["unparsed"]["count"] == 1 and report["unparsed"]["first"][0]["label"] == "b"
    assert all(isinstance(value, int | float) for value in metrics.values())


def test_confusion(tmp_path):
    score(tmp_path, PAIRS)
    with (tmp_path / "scores/confusion.csv").open(newline="") as stream:
        rows = [tuple(row.values()) for row in csv.DictReader(stream)]
    assert rows == [(label, parsed or "(none)") for label, parsed in PAIRS]


def test_only_the_metrics_that_are_asked_for(tmp_path):
    metrics, _ = score(tmp_path, PAIRS, "--metrics", "f1")
    assert sorted(metrics) == ["f1_macro", "f1_micro", "f1_weighted", "rows", "unparsed"]


def test_named_classes_keep_their_order_and_average_where_they_occur(tmp_path):
    """A class that a small split lacks keeps no model from a macro average of 1, as in the scores of students."""
    (tmp_path / "classes.json").write_text('["c", "b", "a", "z"]')
    metrics, report = score(tmp_path, PAIRS, "--classes", str(tmp_path / "classes.json"))
    assert report["classes"]["z"]["rows"] == 0
    assert metrics["recall_macro"] == pytest.approx((2 / 3 + 1 / 2) / 3, abs=1e-6)
    assert score(tmp_path, [*PAIRS, ("a", "z")], "--classes", str(tmp_path / "classes.json"))[0][
        "precision_macro"
    ] == pytest.approx((2 / 3 + 1 / 2 + 0 + 0) / 4, abs=1e-6)
    perfect, _ = score(tmp_path, [("a", "a"), ("b", "b")], "--classes", str(tmp_path / "classes.json"))
    assert {value for name, value in perfect.items() if "_" in name} == {1.0}
    (tmp_path / "classes.json").write_text('["a", "b"]')
    with pytest.raises(RecipeError) as caught:
        score(tmp_path, PAIRS, "--classes", str(tmp_path / "classes.json"))
    assert caught.value.diagnostics[0].code == "R0617"


def test_answers_that_are_no_class(tmp_path):
    metrics, report = score(tmp_path, [("a", "a"), ("b", "something")])
    assert metrics["accuracy"] == 0.5 and report["other_answers"] == 1


@pytest.mark.parametrize("text", ["", "{", "[]\n", '{"label": null, "parsed": "a"}\n'])
def test_predictions_that_cannot_be_scored(tmp_path, text):
    (tmp_path / "predictions.jsonl").write_text(text)
    with pytest.raises(RecipeError) as caught:
        evaluate.main(["--predictions", str(tmp_path / "predictions.jsonl"), "--to", str(tmp_path / "scores")])
    assert caught.value.diagnostics[0].code == "R0617"


def shown(folder):
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    for part in show(folder):
        console.print(part)
    return console.export_text()


def test_shown_scores(tmp_path):
    score(tmp_path, PAIRS)
    text = shown(tmp_path / "scores")
    assert "accuracy 0.500 on 6 rows, 1 answers without a class" in text
    assert "(macro)" in text and "(none)" in text


def test_shown_scores_of_tags_and_of_pairs(tmp_path):
    row = {"precision": 0.5, "recall": 0.25, "f1": 1 / 3, "average_precision": 0.75, "threshold": 0.125, "rows": 8}
    for name, content in (
        ("tags/metrics", {"f1_samples": 0.8125, "rows": 8}),
        ("tags/report", {"classes": {"cat": row}}),
        ("tags/thresholds", {"cat": 0.125}),
        ("pairs/metrics", {"recall_at_1": 0.375, "texts": 6}),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    (tmp_path / "pairs/ranks.csv").write_text("prompt\n")
    assert "f1_samples 0.81" in shown(tmp_path / "tags") and "0.125" in shown(tmp_path / "tags")
    assert "recall_at_1 0.375" in shown(tmp_path / "pairs") and "texts 6" in shown(tmp_path / "pairs")


def test_shown_speed_and_what_another_form_costs(tmp_path):
    sizes = {
        "batch_1": {"samples_per_second": 1234.5, "latency_p50_ms": 0.81},
        "batch_32": {"samples_per_second": 9876.0},
    }
    sizes["batch_32"]["latency_p50_ms"] = 3.24
    for name, content in (
        ("speed", {"onnx": sizes, "machine": {"cores": 2, "threads": 1}}),
        ("small", {"bytes_before": 400, "bytes_after": 100, "ratio": 0.25}),
        ("exported", {"onnx_max_difference": 1.25e-06, "rows": 64}),
        ("trained", {"loss": 0.5}),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.json").write_text(json.dumps(content))
    (tmp_path / "exported" / "export").mkdir()
    (tmp_path / "speed" / "latency.csv").touch()
    lines = [line.split() for line in shown(tmp_path / "speed").splitlines()]
    assert lines[1:] == [
        ["onnx", "1", "1,234.50", "0.81"],
        ["onnx", "32", "9,876.00", "3.24"],
        ["cores", "2,", "threads", "1"],
    ]
    assert "ratio 0.25" in shown(tmp_path / "small")
    (tmp_path / "exported" / "export" / "tensorrt.json").write_text(
        json.dumps({"skipped": "skipped: no `trtexec` here"})
    )
    assert "onnx_max_difference 1.25e-06" in shown(tmp_path / "exported")
    assert "TensorRT skipped: no `trtexec` here" in shown(tmp_path / "exported")
    assert show(tmp_path / "trained") == []


def test_shown_curve(tmp_path):
    assert show(tmp_path) == []
    (tmp_path / "curve.csv").write_text("step,loss\n1,2.0\n2,1.0\n3,0.5\n4,0.25\n")
    (tmp_path / "evaluation.csv").write_text("step,eval_loss\n2,1.5\n4,1.25\n")
    text = shown(tmp_path)
    assert "loss   2.0000 █" in text and "0.2500  (step 1 to 4)" in text
    assert "eval_loss   1.5000" in text
    (tmp_path / "curve.csv").write_text("step,loss,reward\n1,0.0,0.25\n2,0.0,0.75\n")
    assert "reward   0.2500" in shown(tmp_path)


def test_many_classes_are_not_drawn(tmp_path):
    score(tmp_path, [(str(n), str(n)) for n in range(40)])
    assert "confusion matrix of 40 classes" in shown(tmp_path / "scores")
