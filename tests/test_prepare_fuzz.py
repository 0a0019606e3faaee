"""Whatever stands in a data file: rows or diagnostics, never another exception, and a report that adds up."""

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from runners.prepare import prepare
from schema.diagnostics import RecipeError

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
ROLES = st.sampled_from(["system", "user", "assistant", "tool_call", "tool", "tool_response", "robot"])
MESSAGE = st.fixed_dictionaries({}, optional={"role": ROLES | ANYTHING, "content": ANYTHING, "loss": ANYTHING})
ROW = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.lists(MESSAGE, max_size=4) | ANYTHING,
        "images": st.lists(st.sampled_from(["a.png", "/", "", "..", "\0", "x" * 300]), max_size=2) | ANYTHING,
        "tools": ANYTHING,
        "label": ANYTHING,
        "videos": ANYTHING,
    },
)
FUZZ = settings(max_examples=400, deadline=None)


def check(kind, content, task, columns=None, on_bad="skip"):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "rows").write_bytes(content)
        description = {
            "dataset": {"kind": kind, "path": "rows", "columns": columns, "on_bad": on_bad},
            "task": task,
            "prompt": None,
            "system": None,
            "split": {"validation": 0.3, "test": 0.0, "stratify": False},
            "seed": 1,
        }
        try:
            report = prepare(description, root / "out", root)
        except RecipeError as error:
            assert error.diagnostics and all(found.message for found in error.diagnostics)
            return
        assert report["read"] == report["kept"] + report["refused"]["count"]
        written = [(root / f"out/{name}.jsonl").read_text(encoding="utf-8") for name in ("train", "validation")]
        assert [text.count("\n") for text in written] == list(report["splits"].values())
        assert sum(report["splits"].values()) == report["kept"]


GOOD = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "label": "x"}


@FUZZ
@given(st.lists(ROW, max_size=4), st.sampled_from(["generate", "classify"]), st.sampled_from(["skip", "error"]))
def test_any_rows(rows, task, on_bad):
    good = [GOOD | {"messages": [{"role": "user", "content": str(n)}, GOOD["messages"][1]]} for n in range(3)]
    check("jsonl", "".join(json.dumps(row) + "\n" for row in [*good, *rows]).encode(), task, on_bad=on_bad)


LISTS = st.lists(st.sampled_from(["x", "y", "", " x", "<image>", 3, None, True]) | ANYTHING, max_size=3) | ANYTHING
LISTED = st.fixed_dictionaries({}, optional={"label": LISTS, "positive": ANYTHING, "negatives": LISTS})


@settings(max_examples=150, deadline=None)
@given(st.lists(LISTED, max_size=4), st.sampled_from(["tag", "embed"]), st.sampled_from(["skip", "error"]))
def test_any_lists_of_classes_and_texts(rows, task, on_bad):
    own = {"tag": {"label": ["x", "y"]}, "embed": {"positive": "p", "negatives": ["n"]}}[task]
    asked = [[{"role": "user", "content": str(n)}] for n in range(3 + len(rows))]
    listed = [{"messages": user} | row for user, row in zip(asked, [own, own, own, *rows], strict=True)]
    check("jsonl", "".join(json.dumps(row) + "\n" for row in listed).encode(), task, on_bad=on_bad)


@FUZZ
@given(st.binary(max_size=200), st.sampled_from(["jsonl", "csv", "parquet"]))
def test_any_bytes(content, kind):
    check(kind, content, "generate", {"prompt": "a", "answer": "b"})


@FUZZ
@given(st.text(alphabet='ab,"\n\r\0 é\ufeff', max_size=60))
def test_any_csv(text):
    check("csv", ("a,b\n" + text).encode(), "generate", {"prompt": "a", "answer": "b"})
