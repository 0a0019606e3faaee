"""Preparing questions with solutions, and preferences: from columns, from conversations, from labelled pictures."""

import csv
import json

import pyarrow
import pyarrow.parquet
import pytest
from prepare_data import config, picture, refused, rows

from runners.prepare import prepare

ALL = {"validation": 0.0, "test": 0.0, "stratify": True}
COLUMNS = {"prompt": "ask", "answer": "good", "rejected": "bad"}


def write(root, lines, name="data/rows.jsonl"):
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return name


def user(text="Hello"):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def solve(root, lines, **more):
    return config("jsonl", "solve", ALL, path=write(root, lines), **{"prompt": None, **more})


def prefer(root, lines, **more):
    return config("jsonl", "prefer", ALL, path=write(root, lines), **{"prompt": None, **more})


def prepared(description, root):
    prepare(description, root / "out", root)
    return rows(root / "out/train.jsonl")


def test_questions_with_solutions_by_columns(tmp_path):
    picture(tmp_path / "data/1.png", "red")
    lines = [{"q": "How many?", "s": 3, "i": "1.png"}, {"q": "Which?", "s": "red", "i": "1.png"}]
    columns = {"prompt": "q", "answer": "s", "image": "i"}
    found = prepared(solve(tmp_path, lines, columns=columns, system="Think."), tmp_path)
    assert found[0] == {
        "messages": [{"role": "system", "content": "Think."}, user("<image>How many?")],
        "images": ["data/1.png"],
        "solution": "3",
    }
    assert found[1]["solution"] == "red"


def test_questions_with_solutions_in_messages_form(tmp_path):
    lines = [
        {"messages": [user("1 + 1?")], "solution": 2},
        {"messages": [user("2 + 2?"), assistant("4")]},
        {"messages": [user("3 + 3?"), assistant("Let me see")], "solution": "6"},
        {"messages": [user("4 + 4?")], "label": "8"},
    ]
    found = prepared(solve(tmp_path, lines), tmp_path)
    assert [row["solution"] for row in found] == ["2", "4", "6", "8"]
    assert all(row["messages"][-1]["role"] == "user" for row in found)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_give_the_same_rows(tmp_path, kind):
    lines = [{"ask": f"Question {n}?", "good": f"yes {n}", "bad": f"no {n}"} for n in range(3)]
    expected = prepared(prefer(tmp_path, lines, columns=COLUMNS), tmp_path)
    file = tmp_path / f"data/rows.{kind}"
    if kind == "csv":
        with file.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS.values())
            writer.writeheader()
            writer.writerows(lines)
    else:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(lines), file)
    description = config(kind, "prefer", ALL, prompt=None, path=f"data/rows.{kind}", columns=COLUMNS)
    assert prepared(description, tmp_path) == expected


def test_labelled_pictures_have_their_class_for_a_solution(tmp_path):
    for name, color in (("cat", "red"), ("dog", "blue")):
        picture(tmp_path / f"data/{name}/1.png", color)
    found = prepared(config("image-folder", "solve", ALL, path="data"), tmp_path)
    assert [(row["solution"], row["images"]) for row in found] == [
        ("cat", ["data/cat/1.png"]),
        ("dog", ["data/dog/1.png"]),
    ]
    assert [row["messages"] for row in found] == [[user("<image>What is it?")]] * 2


def test_preferences_in_their_three_forms(tmp_path):
    expected = {"messages": [user(), assistant("Good day!")], "rejected_response": "What?"}
    for line in (
        expected,
        {"chosen": [user(), assistant("Good day!")], "rejected": [user(), assistant("What?")]},
        {"prompt": [user()], "chosen": [assistant("Good day!")], "rejected": [assistant("What?")]},
    ):
        assert prepared(prefer(tmp_path, [line]), tmp_path) == [expected]
    columns = [{"ask": "Hello", "good": "Good day!", "bad": "What?"}]
    assert prepared(prefer(tmp_path, columns, columns=COLUMNS), tmp_path) == [expected]


def test_a_rejected_column_plays_no_part_elsewhere(tmp_path):
    lines = [{"ask": "Hello", "good": "Good day!", "bad": "What?"}]
    description = config("jsonl", "generate", ALL, prompt=None, path=write(tmp_path, lines), columns=COLUMNS)
    assert prepared(description, tmp_path) == [{"messages": [user(), assistant("Good day!")]}]
    assert json.loads((tmp_path / "out/report.json").read_bytes())["unused_columns"] == ["bad"]


GOOD = {"messages": [user(), assistant("a")], "rejected_response": "b"}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ({"messages": [user(), assistant("a")]}, "R0621"),
        ({"messages": [user(), assistant("a")], "rejected_response": " "}, "R0621"),
        ({"messages": [user(), assistant("a")], "rejected_response": 3}, "R0621"),
        ({"messages": [user()], "rejected_response": "b"}, "R0621"),
        ({"chosen": [user(), assistant("a")], "rejected": [user(), user("b")]}, "R0621"),
        ({"chosen": [user(), assistant("a")], "rejected": [user("Bye"), assistant("b")]}, "R0622"),
        ({"chosen": [user(), assistant("a")], "rejected": [assistant("b")]}, "R0622"),
        ({"messages": [user(), assistant("a")], "rejected_response": " a\n"}, "R0623"),
        ({"chosen": [], "rejected": [assistant("b")]}, "R0609"),
        ({"chosen": ["a"], "rejected": ["b"]}, "R0609"),
        ({"messages": [assistant("a")], "rejected_response": "b"}, "R0609"),
    ],
)
def test_preferences_that_are_none(tmp_path, line, code):
    assert refused(prefer(tmp_path, [GOOD, line]), tmp_path) == [(code, "data/rows.jsonl", 2)]


def test_what_is_preferred_here_and_rejected_there(tmp_path):
    turned = {"messages": [user(), assistant("b")], "rejected_response": "a"}
    other = {"messages": [user("Bye"), assistant("b")], "rejected_response": "a"}
    third = {"messages": [user(), assistant("a")], "rejected_response": "c"}
    lines = [GOOD, other, third, turned]
    assert refused(prefer(tmp_path, lines), tmp_path) == [("R0624", "data/rows.jsonl", 4)]
    skipping = prefer(tmp_path, lines)
    skipping["dataset"]["on_bad"] = "skip"
    assert prepared(skipping, tmp_path) == [other, third]


def test_a_question_without_a_solution(tmp_path):
    lines = [{"messages": [user()], "solution": "a"}, {"messages": [user("Bye")], "solution": " "}]
    assert refused(solve(tmp_path, lines), tmp_path) == [("R0609", "data/rows.jsonl", 2)]


@pytest.mark.parametrize(
    ("task", "columns"),
    [
        ("solve", {"prompt": "ask"}),
        ("prefer", {"prompt": "ask", "answer": "good"}),
        ("prefer", {"prompt": "ask", "rejected": "bad"}),
    ],
)
def test_columns_that_are_missing(tmp_path, task, columns):
    lines = [{"ask": "Hello", "good": "a", "bad": "b"}]
    description = config("jsonl", task, ALL, prompt=None, path=write(tmp_path, lines), columns=columns)
    assert refused(description, tmp_path) == [("R0607", "data/rows.jsonl", 1)]


def test_noise_draws_some_classes_at_random(tmp_path):
    """Whatever is drawn, the pictures are the same."""
    shapes = {"classes": ["red", "green"], "per_class": 100, "size": 16}
    plain = prepared(config("shapes", "solve", ALL, **shapes), tmp_path)
    noisy = prepared(config("shapes", "solve", ALL, noise=0.5, **shapes), tmp_path)
    assert [row["images"] for row in plain] == [row["images"] for row in noisy]
    other = sum(a["solution"] != b["solution"] for a, b in zip(plain, noisy, strict=True))
    assert 25 < other < 75  # a quarter of 200 is expected, with a deviation of 6
    assert noisy == prepared(config("shapes", "solve", ALL, noise=0.5, **shapes), tmp_path)
