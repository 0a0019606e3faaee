"""The ignore list is true for our own runners: another place to read from or to write to leaves the bytes alone.

What it says of engines is shown by a training: tests/engines/test_ignored_real.py.
"""

import json

import pytest
from compiling import tree
from prepare_data import config

from compiler.ignored import IGNORED_ENVIRONMENT, IGNORED_OPTIONS
from runners import collect, evaluate, prepare

PLACES = ("run", "another/deeper place/run-2")
"""Two working folders."""


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in PLACES:
        (tmp_path / place).mkdir(parents=True)
    return tmp_path


def equal(root, name="result"):
    """That both folders hold the same files, and some."""
    first, second = (tree(root / place / name) for place in PLACES)
    assert first == second
    return sorted(first)


@pytest.mark.parametrize("ignored", [IGNORED_OPTIONS, IGNORED_ENVIRONMENT])
def test_every_entry_has_its_reason(ignored):
    assert ignored
    assert all(len(reason) >= 6 and not reason.endswith(".") for reason in ignored.values())


def test_prepare(root):
    for place in PLACES:
        description = root / place / "config.json"
        description.write_text(json.dumps(config("shapes", classes=["cat", "dog"], per_class=4, size=16)))
        prepare.main(["--config", str(description), "--to", f"{place}/result"])
    found = equal(root)
    assert {"train.jsonl", "validation.jsonl"} <= set(found)
    assert sum(name.endswith(".png") for name in found) == 8


def test_evaluate(root):
    answers = [("cat", "cat"), ("cat", "dog"), ("dog", None)]
    lines = [{"input": {}, "label": label, "answer": "", "parsed": parsed} for label, parsed in answers]
    (root / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for place in PLACES:
        evaluate.main(["--predictions", "predictions.jsonl", "--to", f"{place}/result"])
    assert equal(root) == ["confusion.csv", "metrics.json", "report.json"]


def test_collect_a_checkpoint(root):
    state = {"global_step": 2, "log_history": [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}]}
    state["log_history"].append({"step": 2, "eval_loss": 0.5})
    for place in PLACES:
        folder = root / place / "checkpoints" / "checkpoint-2"
        folder.mkdir(parents=True)
        (folder / "trainer_state.json").write_text(json.dumps(state | {"best_model_checkpoint": str(folder)}))
        (folder / "args.json").write_text(json.dumps({"output_dir": str(folder)}))
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(b"weights")
        given = ["--to", f"{place}/result", "--evaluation", f"{place}/result/evaluation.csv", "--select", "last"]
        collect.main(["checkpoint", "--from", str(folder.parent), *given])
    assert {"evaluation.csv", "model/model.safetensors"} <= set(equal(root))


def test_collect_predictions(root):
    row = {"messages": [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "cat"}]}
    (root / "validation.jsonl").write_text(json.dumps(row) + "\n")
    (root / "classes.json").write_text('["cat", "dog"]')
    given = ["--data", "validation.jsonl", "--classes", "classes.json", "--parse", "label"]
    for place in PLACES:
        raw = root / place / "raw.jsonl"
        raw.write_text(json.dumps({"response": "A cat.", "labels": "cat", "messages": row["messages"]}) + "\n")
        collect.main(["predictions", "--raw", str(raw), "--to", f"{place}/result", *given])
    assert equal(root) == ["predictions.jsonl"]
    assert json.loads((root / PLACES[0] / "result" / "predictions.jsonl").read_text())["parsed"] == "cat"
