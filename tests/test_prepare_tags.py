"""Preparing rows with any number of classes, and rows with texts that belong to them."""

import csv
import json

import pytest
from prepare_data import config, picture, refused, rows

from runners.prepare import prepare

ALL = {"validation": 0.0, "test": 0.0, "stratify": True}
PIPED = {"image": "file", "label": "tags", "label_separator": "|"}


def write_csv(root, records, name="data/photos/rows.csv"):
    """A table beside the folder's pictures: `file`, and `tags`."""
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([("file", "tags"), *records])
    for number, (path, _) in enumerate(records):
        picture(file.parent / path, (number, 40, 90))
    return name


def write_lines(root, lines, name="data/rows.jsonl"):
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return name


def tagged(root, records, split=ALL, **more):
    return config("csv", "tag", split, path=write_csv(root, records), **{"columns": PIPED, **more})


def lines_of(root, task, lines, split=ALL, **more):
    return config("jsonl", task, split, path=write_lines(root, lines), **more)


def prepared(description, root):
    report = prepare(description, root / "out", root)
    return rows(root / "out/train.jsonl"), report


def test_a_folder_of_pictures_with_a_table_of_their_classes(tmp_path):
    found, report = prepared(tagged(tmp_path, [("a.png", "dog|cat"), ("b.png", ""), ("c.png", "cow")]), tmp_path)
    assert json.loads((tmp_path / "out/classes.json").read_bytes()) == ["cat", "cow", "dog"]
    assert [row["label"] for row in found] == [[0, 2], [], [1]]
    assert found[0] == {
        "messages": [{"role": "user", "content": "<image>What is it?"}],
        "images": ["data/photos/a.png"],
        "label": [0, 2],
    }
    assert report["classes"] == {"cat": {"train": 1}, "cow": {"train": 1}, "dog": {"train": 1}}


def test_lists_of_classes_in_lines_and_as_json_in_cells(tmp_path):
    columns = {"prompt": "ask", "label": "tags"}
    lines = [{"ask": "One", "tags": ["b", 7]}, {"ask": "Two", "tags": []}, {"ask": "Three", "tags": '["a"]'}]
    found, _ = prepared(lines_of(tmp_path, "tag", lines, columns=columns, prompt=None), tmp_path)
    assert json.loads((tmp_path / "out/classes.json").read_bytes()) == ["7", "a", "b"]
    assert [row["label"] for row in found] == [[0, 2], [], [1]]


def test_conversations_with_classes(tmp_path):
    asked = [{"role": "user", "content": "Hello"}]
    lines = [{"messages": asked, "label": ["x", "y"]}, {"messages": [{"role": "user", "content": "Bye"}], "label": []}]
    found, _ = prepared(lines_of(tmp_path, "tag", lines), tmp_path)
    assert [row["label"] for row in found] == [[0, 1], []]


@pytest.mark.parametrize(
    "tags", [None, "dog and cat", 3, {"dog": 1}, ["dog", "dog"], ["dog", ""], ["dog", None], ["dog", True]]
)
def test_what_is_no_list_of_classes(tmp_path, tags):
    lines = [{"ask": "One", "tags": ["dog", "cat"]}, {"ask": "Two", "tags": tags}]
    description = lines_of(tmp_path, "tag", lines, columns={"prompt": "ask", "label": "tags"}, prompt=None)
    assert refused(description, tmp_path) == [("R0650", "data/rows.jsonl", 2)]


def test_one_class_is_nothing_to_tell_apart_and_the_number_is_that_of_the_head(tmp_path):
    assert refused(tagged(tmp_path, [("a.png", "dog"), ("b.png", "")]), tmp_path) == [("R0619", "", 0)]
    description = tagged(tmp_path, [("a.png", "dog"), ("b.png", "cat")]) | {"classes": 3}
    assert refused(description, tmp_path) == [("R0619", "", 0)]


def test_equal_pictures_with_other_classes_contradict_each_other(tmp_path):
    lines = [{"ask": "One", "tags": ["a", "b"]}, {"ask": "One", "tags": ["b", "a"]}, {"ask": "Two", "tags": ["b"]}]
    columns = {"prompt": "ask", "label": "tags"}
    found, _ = prepared(lines_of(tmp_path, "tag", lines, columns=columns, prompt=None), tmp_path)
    assert len(found) == 3
    lines[1]["tags"] = ["b"]
    description = lines_of(tmp_path, "tag", lines, columns=columns, prompt=None)
    assert refused(description, tmp_path) == [("R0613", "data/rows.jsonl", 2)]


def test_a_class_that_is_held_out_whole_is_told(tmp_path):
    """One row in eight has `rare`, and with some seed it is the one that is held out."""
    records = [(f"{n}.png", "rare" if n == 0 else "common|usual") for n in range(8)]
    outcomes = set()
    for seed in range(24):
        description = tagged(tmp_path, records, {"validation": 0.25, "test": 0.0, "stratify": True}, seed=seed)
        try:
            prepare(description, tmp_path / "out", tmp_path)
            outcomes.add("kept")
        except Exception as error:
            outcomes.add(error.diagnostics[0].code)
            assert error.diagnostics[0].spans[0].line == 2
    assert outcomes == {"kept", "R0651"}


def test_drawn_pictures_show_the_classes_that_are_told(tmp_path):
    classes = ["disc", "square", "triangle", "diamond"]
    description = config("shapes", "tag", ALL, classes=classes, per_class=20, size=56)
    found, report = prepared(description, tmp_path)
    assert len(found) == 80
    counts = [len(row["label"]) for row in found]
    assert min(counts) == 0 and max(counts) == 4
    assert all(25 <= report["classes"][name]["train"] <= 55 for name in classes)
    again = prepare(description, tmp_path / "again", tmp_path)
    assert again == report
    assert (tmp_path / "again/train.jsonl").read_bytes() == (tmp_path / "out/train.jsonl").read_bytes()
    noisy, _ = prepared(description | {"dataset": description["dataset"] | {"noise": 0.5}}, tmp_path)
    assert [row["images"] for row in noisy] != [] and [row["label"] for row in noisy] != [row["label"] for row in found]


PAIRS = {"image": "file", "positive": "text", "negatives": "others"}


def pair(root, name, text, others=("nothing", "anything")):
    picture(root / "data" / name, (len(name), len(text), 9))
    return {"file": name, "text": text, "others": list(others)}


def test_texts_that_belong_to_pictures(tmp_path):
    lines = [pair(tmp_path, "a.png", "a cat"), pair(tmp_path, "bb.png", "two dogs", ["a dog"])]
    found, _ = prepared(lines_of(tmp_path, "embed", lines, columns=PAIRS), tmp_path)
    assert found[1] == {
        "messages": [{"role": "user", "content": "<image>What is it?"}],
        "images": ["data/bb.png"],
        "positive_messages": [[{"role": "user", "content": "two dogs"}]],
        "negative_messages": [[{"role": "user", "content": "a dog"}]],
    }


def test_the_class_is_the_text_where_none_is_written(tmp_path):
    found, _ = prepared(config("shapes", "embed", ALL, classes=["red", "blue"], per_class=1, size=28), tmp_path)
    assert [row["positive_messages"][0][0]["content"] for row in found] == ["red", "blue"]
    assert all("label" not in row and "negative_messages" not in row for row in found)


def test_conversations_with_texts(tmp_path):
    lines = [{"messages": [{"role": "user", "content": "Who?"}], "positive": "Me", "negatives": ["You"]}]
    found, _ = prepared(lines_of(tmp_path, "embed", lines), tmp_path)
    assert found[0]["positive_messages"] == [[{"role": "user", "content": "Me"}]]


@pytest.mark.parametrize(
    ("text", "others"),
    [("a cat", ["a cat"]), ("a cat", ["a dog", " "]), ("a <image>", ["a dog"]), ("a cat", "a dog"), ("a cat", [])],
)
def test_texts_that_cannot_be_held_against_each_other(tmp_path, text, others):
    """The last one: others have negatives, and this row has none."""
    lines = [pair(tmp_path, "a.png", "two dogs"), pair(tmp_path, "bb.png", text) | {"others": others}]
    description = lines_of(tmp_path, "embed", lines, columns=PAIRS)
    assert refused(description, tmp_path) == [("R0652", "data/rows.jsonl", 2)]


def test_a_row_without_its_text(tmp_path):
    lines = [{"messages": [{"role": "user", "content": "Who?"}]}]
    assert refused(lines_of(tmp_path, "embed", lines), tmp_path) == [("R0652", "data/rows.jsonl", 1)]
