"""Gathering results: what is left out of a model, the curve, and answers parsed to labels."""

import csv
import json
import os
from pathlib import Path

import pytest

from runners import collect
from runners.answers import parser
from schema.diagnostics import RecipeError


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The project, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checkpoint(root, step, history, best=None, *, state=True, adapter=False):
    """A checkpoint as ms-swift writes it."""
    folder = root / f"run/checkpoints/checkpoint-{step}"
    (folder / "global_step1").mkdir(parents=True)
    here = str(root / "somewhere")
    for name in ("args.json", "training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth", "README.md"):
        (folder / name).write_text(here)
    (folder / "model.safetensors").write_bytes(b"weights of step %d" % step)
    (folder / "config.json").write_text("{}")
    if adapter:
        config = {
            "base_model_name_or_path": str(root / ".recipe/models/tiny"),
            "target_modules": r"^(model\.language_model(?=\.).*\.(q_proj|down_proj|k_proj))$",
        }
        (folder / "adapter_config.json").write_text(json.dumps(config))
    if state:
        best_path = best and str(root / f"elsewhere/checkpoint-{best}")
        document = {"global_step": step, "log_history": history, "best_model_checkpoint": best_path}
        (folder / "trainer_state.json").write_text(json.dumps(document))
    return folder


HISTORY = [
    {"step": 1, "epoch": 0.1, "loss": 2.5, "grad_norm": 1.0, "learning_rate": 0.1},
    {"step": 2, "epoch": 0.2, "loss": 1.123456789012345, "grad_norm": 1.0, "learning_rate": 0.05},
    {"step": 2, "epoch": 0.2, "eval_loss": 1.75, "eval_acc": 0.5, "eval_runtime": 3.3, "eval_samples_per_second": 9.9},
    {"step": 2, "epoch": 0.2, "eval_loss": 1.5, "eval_acc": 0.5, "eval_runtime": 3.2, "eval_steps_per_second": 9.8},
    {"step": 4, "epoch": 0.4, "loss": 0.5, "learning_rate": 0.0, "eval_loss": 1.6, "note": "text"},
]


def table(file):
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def run(*arguments):
    return collect.main([str(argument) for argument in arguments])


def test_the_last_checkpoint(root):
    checkpoint(root, 2, HISTORY[:4])
    checkpoint(root, 4, HISTORY, best=2)
    checkpoint(root, 10, HISTORY, state=False)  # cut while it was written
    (root / "run/checkpoints/last-checkpoint").symlink_to("checkpoint-10")
    result = root / "run/result"
    run("checkpoint", "--from", "run/checkpoints", "--to", "run/result", "--evaluation", result / "evaluation.csv")
    assert sorted(path.name for path in result.iterdir()) == ["curve.csv", "evaluation.csv", "metrics.json", "model"]
    assert sorted(path.name for path in (result / "model").iterdir()) == ["config.json", "model.safetensors"]
    assert (result / "model/model.safetensors").read_bytes() == b"weights of step 4"
    steps, evaluations = table(result / "curve.csv"), table(result / "evaluation.csv")
    assert [point["step"] for point in steps] == ["1", "2", "4"]
    assert list(steps[0]) == ["step", "epoch", "loss", "learning_rate", "grad_norm"]
    assert steps[1]["loss"] == "1.123456789"
    assert list(evaluations[0]) == ["step", "epoch", "eval_loss", "eval_acc"]
    assert [(point["step"], point["eval_loss"]) for point in evaluations] == [("2", "1.5"), ("4", "1.6")]
    assert json.loads((result / "metrics.json").read_bytes()) == {
        "epoch": 0.4, "eval_acc": 0.5, "eval_loss": 1.6, "loss": 0.5, "selected_step": 4, "steps": 4,
    }  # fmt: skip


def test_a_curve_has_no_empty_cells_where_evaluations_or_steps_are_rare(root):
    """DVC draws an empty cell as 0."""
    history = [{"step": 0, "eval_loss": 2.0, "before_loss": 2.0, "teacher_accuracy": 0.5}]
    history += [{"step": step, "loss": 1 / step} for step in (2, 4)]
    checkpoint(root, 5, [*history, {"step": 5, "eval_loss": 0.5}, {"step": 5, "train_loss": 0.3}])
    run("checkpoint", "--from", "run/checkpoints", "--to", "run/result", "--evaluation", "run/result/evaluation.csv")
    assert table(root / "run/result/curve.csv") == [{"step": "2", "loss": "0.5"}, {"step": "4", "loss": "0.25"}]
    evaluations = [{"step": "0", "eval_loss": "2.0"}, {"step": "5", "eval_loss": "0.5"}]
    assert table(root / "run/result/evaluation.csv") == evaluations


def test_an_evaluation_that_never_came_leaves_its_head(root):
    checkpoint(root, 1, HISTORY[:1])
    run("checkpoint", "--from", "run/checkpoints", "--to", "run/result", "--evaluation", "run/result/evaluation.csv")
    assert (root / "run/result/evaluation.csv").read_text() == "step,eval_loss\n"


def test_the_best_checkpoint(root):
    checkpoint(root, 2, HISTORY[:4])
    checkpoint(root, 4, HISTORY, best=2)
    run("checkpoint", "--from", "run/checkpoints", "--to", "run/result", "--select", "best")
    assert (root / "run/result/model/model.safetensors").read_bytes() == b"weights of step 2"
    metrics = json.loads((root / "run/result/metrics.json").read_bytes())
    assert (metrics["steps"], metrics["selected_step"], metrics["eval_loss"]) == (4, 2, 1.5)


def test_collecting_again_replaces_and_leaves_the_checkpoint_alone(root):
    folder = checkpoint(root, 4, HISTORY, adapter=True)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    (root / "run/result/model").mkdir(parents=True)
    (root / "run/result/model/old.bin").write_bytes(b"old")
    for _ in range(2):
        run("checkpoint", "--from", "run/checkpoints", "--to", "run/result")
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    assert not (root / "run/result/model/old.bin").exists()


@pytest.mark.parametrize("place", [".recipe/models/tiny", "/mnt/models/tiny"])
def test_an_adapter_names_its_base_without_this_machine(root, place):
    folder = checkpoint(root, 4, HISTORY, adapter=True)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(root / place)
    (folder / "adapter_config.json").write_text(json.dumps(config))
    run("checkpoint", "--from", "run/checkpoints", "--to", "run/result")
    collected = json.loads((root / "run/result/model/adapter_config.json").read_text())
    assert collected["base_model_name_or_path"] == (place if not place.startswith("/") else "tiny")
    assert collected["target_modules"] == r"^(model\.language_model(?=\.).*\.(down_proj|k_proj|q_proj))$"
    everything = b"".join(path.read_bytes() for path in (root / "run/result").rglob("*") if path.is_file())
    assert os.fsencode(root) not in everything


@pytest.mark.parametrize("how", ["nothing", "no state", "no best", "best is gone"])
def test_no_usable_checkpoint(root, how):
    if how == "no state":
        checkpoint(root, 4, HISTORY, state=False)
    if how in ("no best", "best is gone"):
        checkpoint(root, 4, HISTORY, best=2 if how == "best is gone" else None)
    select = "best" if "best" in how else "last"
    with pytest.raises(RecipeError) as caught:
        run("checkpoint", "--from", "run/checkpoints", "--to", "run/result", "--select", select)
    assert [found.code for found in caught.value.diagnostics] == ["R0616"]


def test_a_merged_model(root):
    merged = root / "merged"
    merged.mkdir()
    for name in ("args.json", "config.json", "model.safetensors", "tokenizer.json"):
        (merged / name).write_text("{}")
    run("model", "--from", "merged", "--to", "result")
    names = sorted(path.name for path in (root / "result/model").iterdir())
    assert names == ["config.json", "model.safetensors", "tokenizer.json"]
    with pytest.raises(RecipeError):
        run("model", "--from", "result", "--to", "other")


@pytest.mark.parametrize(
    ("answer", "parsed"),
    [
        ("cat", "cat"),
        ("  Cat\n", "cat"),
        ("It is a CAT.", "cat"),
        ("a cat, a cat!", "cat"),
        ("a cat or a dog", None),
        ("catalogue", None),
        ("a big cat", "Big Cat"),
        ("a big cat and a cat", None),
        ("c++", "c++"),
        ("written in c++.", "c++"),
        ("", None),
        ("horse", None),
    ],
)
def test_parsing_labels(answer, parsed):
    assert parser("label", ["cat", "dog", "Big Cat", "c++"])(answer) == parsed


def test_other_ways_to_parse():
    assert parser("exact", ["cat"])(" A cat.\n") == "A cat."
    assert parser("none", ["cat"])("cat") is None
    assert parser("label", [])("cat") is None


def lines(file: Path, values):
    file.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")


def generated(n, label="cat"):
    user = {"role": "user", "content": f"<image>Which {n}?"}
    return {"messages": [user, {"role": "assistant", "content": label}], "images": [f"images/{n}.png"]}


def answered(n, response, content="ignored"):
    """A line as swift infer writes it."""
    user = {"role": "user", "content": f"<image>Which {n}?"}
    return {
        "response": response,
        "labels": None,
        "logprobs": None,
        "messages": [user, {"role": "assistant", "content": content}],
        "images": [{"bytes": None, "path": f"images/{n}.png"}],
    }


def predictions(root, data, raw, *more):
    lines(root / "data.jsonl", data)
    lines(root / "raw.jsonl", raw)
    (root / "classes.json").write_text('["cat", "dög"]', encoding="utf-8")
    run("predictions", "--raw", "raw.jsonl", "--data", "data.jsonl", "--classes", "classes.json", "--to", "out", *more)
    text = (root / "out/predictions.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_generated_answers_in_the_order_of_the_data(root):
    data = [generated(1), generated(2, "dög"), generated(3), generated(3)]
    raw = [answered(3, "?"), answered(2, "A dög."), answered(1, "cat or dög"), answered(3, "cat")]
    found = predictions(root, data, raw)
    assert found[1] == {
        "input": {"prompt": "Which 2?", "images": ["images/2.png"]},
        "label": "dög",
        "answer": "A dög.",
        "parsed": "dög",
    }
    assert [line["parsed"] for line in found] == [None, "dög", None, "cat"]
    assert predictions(root, data, raw, "--parse", "exact")[0]["parsed"] == "cat or dög"


def test_chosen_classes(root):
    user = [{"role": "user", "content": "Which?"}]
    data = [{"messages": user, "label": 1}]
    top = [{"index": 1, "logprob": -0.1}, {"index": 0, "logprob": -2.5}]
    raw = [{"response": 1, "labels": 1, "logprobs": {"content": [{"index": 1, "top_logprobs": top}]}, "messages": user}]
    assert predictions(root, data, raw) == [
        {
            "input": {"prompt": "Which?", "images": []},
            "label": "dög",
            "answer": "dög",
            "parsed": "dög",
            "scores": {"dög": 0.904837, "cat": 0.082085},
        }
    ]
    with pytest.raises(RecipeError):
        predictions(root, data, [raw[0] | {"response": 2}])


def test_any_number_of_chosen_classes(root):
    """As ms-swift writes them: indices from a probability of one half on, and the logarithms of all probabilities."""
    asked = [[{"role": "user", "content": f"Which {n}?"}] for n in range(2)]
    data = [{"messages": asked[0], "label": [0, 1]}, {"messages": asked[1], "label": []}]
    top = [{"index": 1, "logprob": -0.1}, {"index": 0, "logprob": -2.5}]
    raw = [
        {"response": response, "labels": None, "logprobs": {"content": [{"index": response, "top_logprobs": top}]}}
        for response in ([1], [])
    ]
    found = predictions(root, data, [line | {"messages": user} for line, user in zip(raw, asked, strict=True)])
    assert found[0] == {
        "input": {"prompt": "Which 0?", "images": []},
        "label": ["cat", "dög"],
        "answer": ["dög"],
        "parsed": ["dög"],
        "scores": {"dög": 0.904837, "cat": 0.082085},
    }
    assert (found[1]["label"], found[1]["answer"]) == ([], [])
    with pytest.raises(RecipeError):
        predictions(
            root, data, [line | {"response": [2], "messages": user} for line, user in zip(raw, asked, strict=True)]
        )


@pytest.mark.parametrize(
    "raw",
    [
        [answered(1, "cat")],
        [answered(1, "cat"), answered(2, "cat"), answered(2, "cat")],
        [answered(1, "cat"), answered(3, "cat")],
        [answered(1, "cat"), 7],
        [answered(1, "cat"), {"messages": []}],
        [answered(1, "cat"), {"answer": "cat"}],
        [answered(1, "cat"), {"messages": answered(2, "")["messages"], "images": ["images/2.png"]}],
    ],
)
def test_answers_to_something_else(root, raw):
    with pytest.raises(RecipeError) as caught:
        predictions(root, [generated(1), generated(2)], raw)
    assert [found.code for found in caught.value.diagnostics] == ["R0615"]


def test_no_answers(root):
    lines(root / "data.jsonl", [generated(1)])
    with pytest.raises(RecipeError) as caught:
        run("predictions", "--raw", "raw.jsonl", "--data", "data.jsonl", "--to", "out")
    assert caught.value.diagnostics[0].code == "R0615"
