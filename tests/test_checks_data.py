"""Rules of data sets: which task fits which kind, what a query may be, and that no secret stands in a recipe."""

import pytest
from compiling import project, quoted

from schema.datasets import KINDS
from schema.load import load

SQLITE = {
    "kind": "sqlite",
    "path": "data/zoo.db",
    "query": "SELECT * FROM photos",
    "key": ["id"],
    "columns": {"image": "file", "label": "species"},
    "prompt": "Which?",
}
SQL = {name: value for name, value in SQLITE.items() if name != "path"} | {
    "kind": "sql",
    "url": "postgresql+psycopg://reader@localhost:5432/zoo",
}


def found(folder, dataset, task="classify"):
    """The codes of what rules find in a recipe that prepares one data set."""
    document = {
        "version": 1,
        "name": "small",
        "datasets": {"rows": dataset},
        "stages": {"data": {"kind": "prepare", "dataset": "rows", "task": task}},
    }
    (instance,) = load(project(folder, small=quoted(document)) / "small.yaml", {}).instances
    return [finding.code for finding in instance.findings]


QUERIES = [
    ("SELECT * FROM photos;", []),
    ("-- the animals\nselect 'a; drop' AS \"update\", replace(file, 'a', 'b') FROM photos /* ; */", []),
    ("WITH cats AS (SELECT * FROM photos) SELECT id, last_update FROM cats", []),
    ("DELETE FROM photos", ["R0451"]),
    ("SELECT 1; DROP TABLE photos", ["R0451"]),
    ("WITH old AS (DELETE FROM photos RETURNING *) SELECT * FROM old", ["R0451"]),
    ("PRAGMA writable_schema", ["R0451"]),
]


@pytest.mark.parametrize(("query", "codes"), QUERIES)
def test_a_query_only_reads(tmp_path, query, codes):
    assert found(tmp_path, SQLITE | {"query": query}) == codes


URLS = [
    ("postgresql+psycopg://reader@localhost:5432/zoo", []),
    ("mysql+pymysql://reader@localhost/zoo?charset=utf8", []),
    ("postgresql://reader:hunter2@localhost/zoo", ["R0452"]),
    ("postgresql://localhost/zoo?user=reader&password=hunter2", ["R0452"]),
    ("sqlite:///data/zoo.db", ["R0452"]),
    ("localhost/zoo", ["R0452"]),
]


@pytest.mark.parametrize(("url", "codes"), URLS)
def test_a_url_tells_no_secret(tmp_path, url, codes):
    assert found(tmp_path, SQL | {"url": url}) == codes


@pytest.mark.parametrize(
    ("task", "kinds"),
    [
        ("detect", {"coco", "yolo", "scenes"}),
        ("segment", {"coco", "masks", "scenes"}),
        ("sequence", {"frame-folder", "video-folder", "motions"}),
    ],
)
def test_the_kinds_of_a_task(task, kinds):
    assert {kind.model_fields["kind"].annotation.__args__[0] for kind in KINDS if task in kind.tasks} == kinds


@pytest.mark.parametrize(
    ("task", "codes"), [("detect", []), ("segment", []), ("sequence", ["R0450"]), ("classify", ["R0450"])]
)
def test_rows_are_prepared_for_what_the_data_knows(tmp_path, task, codes):
    assert found(tmp_path, {"kind": "coco", "path": "data/roads"}, task) == codes


@pytest.mark.parametrize("part", ["annotations", "images"])
def test_parts_of_a_data_set_lie_below_its_path(tmp_path, part):
    assert found(tmp_path, {"kind": "coco", "path": "data/roads", part: "../elsewhere"}, "detect") == ["R0311"]
    assert found(tmp_path, {"kind": "coco", "path": "data/roads", part: "/elsewhere"}, "detect") == ["R0312"]
