"""Preparing rows of tables: conversations, columns, and the lines that are refused."""

import csv
import json

import pytest
from prepare_data import SPLIT, config, picture, refused, rows

from runners.prepare import SHOWN, prepare
from schema.diagnostics import RecipeError

GOOD = [
    {"messages": [{"role": "user", "content": f"Question {n}?"}, {"role": "assistant", "content": str(n)}]}
    for n in range(8)
]


def jsonl(root, lines, name="data/chat.jsonl"):
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return config("jsonl", path=name, prompt=None)


def test_conversations(tmp_path):
    picture(tmp_path / "data/pictures/1.png", "red")
    picture(tmp_path / "pictures/2.png", "blue")
    tools = [{"type": "function", "function": {"name": "weather"}}]
    call = {"role": "tool_call", "content": '{"name": "weather", "arguments": {}}'}
    seeing = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "<image> and <image>: weather?"},
            call,
            {"role": "tool_response", "content": "sun"},
            {"role": "assistant", "content": "Sun.", "loss": True},
        ],
        "images": ["pictures/1.png", "pictures/2.png"],
        "tools": tools,
    }
    description = jsonl(tmp_path, [*GOOD, "", seeing]) | {"split": {"validation": 0.0, "test": 0.0, "stratify": True}}
    prepare(description, tmp_path / "out", tmp_path)
    *chats, last = rows(tmp_path / "out/train.jsonl")
    assert chats == GOOD
    assert last["messages"] == seeing["messages"]
    assert last["images"] == ["data/pictures/1.png", "pictures/2.png"]
    assert json.loads(last["tools"]) == tools
    assert json.loads((tmp_path / "out/classes.json").read_bytes()) == []


def chat(*roles, **more):
    return {"messages": [{"role": role, "content": "x"} for role in roles], **more}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("{", "R0606"),
        ("[1]", "R0606"),
        ('{"messages": NaN}', "R0606"),
        ('{"messages": [{"role": "user", "content": "\\ud800"}]}', "R0606"),
        ("[" * 100_000, "R0606"),
        ({"messages": []}, "R0609"),
        ({"messages": "hello"}, "R0609"),
        ({"other": 1}, "R0609"),
        (chat("assistant", "user"), "R0609"),
        (chat("user", "user", "assistant"), "R0609"),
        (chat("user", "system", "assistant"), "R0609"),
        (chat("user"), "R0609"),
        (chat("user", "robot"), "R0609"),
        (chat("user", "assistant", "assistant"), "R0609"),
        ({"messages": [{"role": "user"}, {"role": "assistant", "content": "x"}]}, "R0609"),
        ({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": ""}]}, "R0609"),
        ({"messages": [{"role": ["user"], "content": "x"}, {"role": "assistant", "content": "x"}]}, "R0609"),
        (
            {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "x", "tool_calls": []}]},
            "R0609",
        ),
        (chat("user", "assistant", videos=["a.mp4"]), "R0609"),
        (chat("user", "assistant", images=["1.png"]), "R0610"),
        (
            {"messages": [{"role": "user", "content": "<image>"}, {"role": "assistant", "content": "x"}]},
            "R0610",
        ),
        (chat("user", "assistant", tools="{"), "R0611"),
        (chat("user", "tool_call", "tool", "assistant"), "R0611"),
        (chat("user", "assistant", images=["https://example.org/1.png"]), "R0612"),
        (chat("user", "assistant", images=["../outside.png"]), "R0612"),
        (chat("user", "assistant", images=["missing.png"]), "R0612"),
        (chat("user", "assistant", images=[{"bytes": "x", "path": None}]), "R0612"),
    ],
)
def test_bad_lines(tmp_path, line, code):
    picture(tmp_path / "project/data/1.png", "red")
    picture(tmp_path / "outside.png", "red")
    root = tmp_path / "project"
    assert refused(jsonl(root, [*GOOD, line]), root) == [(code, "data/chat.jsonl", 9)]


def test_an_absolute_path(tmp_path):
    root = tmp_path / "project"
    picture(root / "data/1.png", "red")
    picture(tmp_path / "outside.png", "blue")
    seen = {"messages": [{"role": "user", "content": "<image>"}, {"role": "assistant", "content": "x"}]}
    inside, outside = seen | {"images": [str(root / "data/1.png")]}, seen | {"images": [str(tmp_path / "outside.png")]}
    description = jsonl(root, [*GOOD, inside, outside])
    assert refused(description, root) == [("R0612", "data/chat.jsonl", 10)]
    external = description | {"dataset": description["dataset"] | {"external": True}}
    prepare(external | {"split": SPLIT | {"validation": 0.0}}, root / "out", root)
    assert [row["images"] for row in rows(root / "out/train.jsonl")[-2:]] == [
        ["data/1.png"], [str(tmp_path / "outside.png")],
    ]  # fmt: skip


def test_many_bad_rows_are_counted(tmp_path):
    found = refused(jsonl(tmp_path, [*GOOD, *(["{"] * 70)]), tmp_path)
    assert len(found) == SHOWN + 1 and found[-1][0] == "R0618"


def test_mapped_lines(tmp_path):
    lines = [
        {"q": f"Is {n} even?", "a": n % 2 == 0, "kind": "even" if n % 2 == 0 else "odd", "x": 1} for n in range(12)
    ]
    description = jsonl(tmp_path, lines)
    description["dataset"]["columns"] = {"prompt": "q", "answer": "a", "label": "kind", "image": None, "system": None}
    report = prepare(description, tmp_path / "out", tmp_path)
    assert report["classes"] == {"even": {"train": 5, "validation": 1}, "odd": {"train": 4, "validation": 2}} or (
        report["splits"] == {"train": 9, "validation": 3}
    )
    assert report["unused_columns"] == ["x"]
    assert {row["messages"][-1]["content"] for row in rows(tmp_path / "out/train.jsonl")} == {"true", "false"}
    prepare(description | {"task": "classify"}, tmp_path / "out", tmp_path)
    assert {row["label"] for row in rows(tmp_path / "out/train.jsonl")} == {0, 1}


def test_csv(tmp_path):
    file = tmp_path / "data/faq.csv"
    file.parent.mkdir()
    with file.open("w", newline="", encoding="utf-8-sig") as stream:
        writer = csv.writer(stream)
        writer.writerow(["question", "reply"])
        writer.writerows([f"Frage {n},\nzweite Zeile?", f"Größe {n}"] for n in range(6))
    columns = {"prompt": "question", "answer": "reply"}
    description = config("csv", path="data/faq.csv", prompt=None, columns=columns)
    report = prepare(description, tmp_path / "out", tmp_path)
    assert report["splits"] == {"train": 4, "validation": 2}
    assert "Größe" in (tmp_path / "out/train.jsonl").read_text(encoding="utf-8")
    with file.open("a", encoding="utf-8") as stream:
        stream.write("one field\n\nQ?,\nQ?,A,B\n")
    assert refused(description, tmp_path) == [
        ("R0606", "data/faq.csv", 14),
        ("R0608", "data/faq.csv", 16),
        ("R0606", "data/faq.csv", 17),
    ]
    mistyped = config("csv", path="data/faq.csv", columns={"prompt": "qestion", "answer": "reply"})
    with pytest.raises(RecipeError) as caught:
        prepare(mistyped, tmp_path / "out", tmp_path)
    assert caught.value.diagnostics[0].help == "did you mean `question`?"


@pytest.mark.parametrize(
    ("content", "columns", "code"),
    [
        (b"a,a\n1,2\n", {"prompt": "a", "answer": "a"}, "R0607"),
        (b"", {"prompt": "a", "answer": "a"}, "R0607"),
        (b"a,b\n1,2\n", {"answer": "a"}, "R0607"),
        (b"a,b\n1,2\n", {"prompt": "a"}, "R0607"),
        (b"a,b\n\xff,2\n", {"prompt": "a", "answer": "b"}, "R0606"),
        (b'a,b\n"open,2\n', {"prompt": "a", "answer": "b"}, "R0606"),
        (b"a,b\n", {"prompt": "a", "answer": "b"}, "R0602"),
    ],
)
def test_bad_csv(tmp_path, content, columns, code):
    (tmp_path / "a.csv").write_bytes(content)
    assert {found[0] for found in refused(config("csv", path="a.csv", prompt=None, columns=columns), tmp_path)} == {
        code
    }


def test_parquet(tmp_path):
    from pyarrow import parquet, table

    picture(tmp_path / "pictures/1.png", "red")
    labelled = table({"image": ["pictures/1.png"] * 5 + [None], "kind": [1.0, 2.0] * 3, "left": [0] * 6})
    parquet.write_table(labelled, tmp_path / "a.parquet")
    description = config("parquet", path="a.parquet", columns={"image": "image", "label": "kind"})
    assert refused(description, tmp_path)[0] == ("R0608", "a.parquet", 6)
    messages = table({"messages": [row["messages"] for row in GOOD]})
    parquet.write_table(messages, tmp_path / "b.parquet")
    prepare(config("parquet", path="b.parquet"), tmp_path / "out", tmp_path)
    assert rows(tmp_path / "out/train.jsonl")[0] in GOOD
    (tmp_path / "c.parquet").write_bytes(b"PAR1 no PAR1")
    assert refused(config("parquet", path="c.parquet"), tmp_path) == [("R0606", "c.parquet", 1)]


def held(path):
    """A picture as a table of Hugging Face's `datasets` holds it."""
    return {"bytes": path.read_bytes(), "path": path.name}


def test_pictures_in_the_rows_of_a_hub_become_files(tmp_path):
    from pyarrow import Table, parquet

    picture(tmp_path / "red.png", "red")
    picture(tmp_path / "blue.jpg", "blue")
    red, blue = held(tmp_path / "red.png"), held(tmp_path / "blue.jpg")
    folder = tmp_path / ".recipe/datasets/o--n/data"
    folder.mkdir(parents=True)
    for number, image in enumerate([red, blue, red]):
        line = {"image": image, "problem": f"Which is {number}?", "solution": f"{number}"}
        parquet.write_table(Table.from_pylist([line]), folder / f"train-{number}.parquet")
    columns = {"prompt": "problem", "answer": "solution", "image": "image"}
    hub = config("hub", "solve", path=".recipe/datasets/o--n", files=["*.parquet"], columns=columns)
    assert [code for code, *_ in refused(hub, tmp_path)] == ["R0612"] * 3
    hub["dataset"]["embedded"] = True
    hub["split"] = SPLIT | {"validation": 0.0}
    for out in ("one", "two"):
        prepare(hub, tmp_path / out, tmp_path)
    found = rows(tmp_path / "one/train.jsonl")
    assert [row["solution"] for row in found] == ["0", "1", "2"]
    (first, *_), (second, *_), (third, *_) = (row["images"] for row in found)
    assert first == third != second and first.endswith(".png") and second.endswith(".jpg")
    assert (tmp_path / "one" / first).read_bytes() == red["bytes"]
    assert {file.name for file in (tmp_path / "one/images").iterdir()} == {name[7:] for name in (first, second)}
    assert (tmp_path / "one/train.jsonl").read_bytes() == (tmp_path / "two/train.jsonl").read_bytes()


@pytest.mark.parametrize(("image", "code"), [("red.png", "R0612"), ({"bytes": b"no picture", "path": None}, "R0604")])
def test_what_is_no_picture_in_a_row_is_refused(tmp_path, image, code):
    from pyarrow import Table, parquet

    picture(tmp_path / "red.png", "red")
    lines = [{"image": image, "kind": "a"} for _ in range(2)]
    parquet.write_table(Table.from_pylist(lines), tmp_path / "a.parquet")
    columns = {"image": "image", "label": "kind"}
    description = config("parquet", path="a.parquet", columns=columns, embedded=True)
    assert refused(description, tmp_path) == [(code, "a.parquet", 1), (code, "a.parquet", 2)]


def test_hub_files(tmp_path):
    jsonl(tmp_path, GOOD[:4], ".recipe/datasets/o--n/b/two.jsonl")
    jsonl(tmp_path, GOOD[4:], ".recipe/datasets/o--n/a/one.jsonl")
    description = config("hub", path=".recipe/datasets/o--n", files=["*.jsonl"], columns=None, prompt=None)
    prepare(description | {"split": SPLIT | {"validation": 0.0}}, tmp_path / "out", tmp_path)
    assert rows(tmp_path / "out/train.jsonl") == GOOD[4:] + GOOD[:4]
    description["dataset"]["files"] = ["*.csv"]
    assert refused(description, tmp_path) == [("R0602", ".recipe/datasets/o--n", 1)]
