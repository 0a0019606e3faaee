"""Rows of a database: by a query that only reads, in an order that the database does not choose."""

import sqlite3
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
import sqlalchemy
from prepare_data import config, picture, refused, rows

from runners.prepare import prepare
from runners.readers import values
from schema.diagnostics import RecipeError

NONE = {"validation": 0.0, "test": 0.0, "stratify": False}
QUERY = "SELECT file, id, species FROM photos"


def database(root, photos=((2, "2.png", "dog"), (10, "10.png", "cat"), (1, "1.png", "cat"))):
    (root / "data").mkdir(exist_ok=True)
    with sqlite3.connect(root / "data/a b%20.db") as connection:
        connection.execute("CREATE TABLE photos (id INTEGER, file TEXT, species TEXT)")
        connection.executemany("INSERT INTO photos VALUES (?, ?, ?)", photos)
    connection.close()
    for number, file, _ in photos:
        if file:
            picture(root / "data" / file, (number or 0, 9, 9))


def described(**changes):
    dataset = {
        "path": "data/a b%20.db",
        "query": QUERY,
        "key": ["id"],
        "columns": {"image": "file", "label": "species"},
    }
    return config("sqlite", task="classify", split=NONE, **(dataset | changes))


def test_rows_of_sqlite_in_the_order_of_their_key(tmp_path):
    database(tmp_path)
    before = (tmp_path / "data/a b%20.db").read_bytes()
    report = prepare(described(), tmp_path / "out", tmp_path)
    found = rows(tmp_path / "out/train.jsonl")
    assert [row["images"] for row in found] == [["data/1.png"], ["data/2.png"], ["data/10.png"]]
    assert [row["label"] for row in found] == [0, 1, 0]
    other = prepare(described(query=f"{QUERY} ORDER BY species DESC, id"), tmp_path / "other", tmp_path)
    assert (tmp_path / "out/train.jsonl").read_bytes() == (tmp_path / "other/train.jsonl").read_bytes()
    assert report["rows_sha256"] == other["rows_sha256"] and len(report["rows_sha256"]) == 64
    assert (tmp_path / "data/a b%20.db").read_bytes() == before
    assert {path.suffix for path in (tmp_path / "data").iterdir()} == {".db", ".png"}


def test_a_query_cannot_write(tmp_path):
    database(tmp_path)
    for query in ("DELETE FROM photos", "WITH a AS (SELECT 1) DELETE FROM photos"):
        assert refused(described(query=query), tmp_path)[0][0] == "R0677"
    prepare(described(), tmp_path / "out", tmp_path)


def test_broken_rows_are_named_by_their_key(tmp_path):
    database(tmp_path, ((1, "1.png", "cat"), (2, "", "dog"), (3, "3.png", None), (4, "4.png", "dog")))
    (tmp_path / "data/4.png").write_bytes(b"")
    assert sorted(refused(described(), tmp_path)) == [
        ("R0604", "data/a b%20.db [id=4]", 4),
        ("R0608", "data/a b%20.db [id=2]", 2),
        ("R0608", "data/a b%20.db [id=3]", 3),
    ]


def test_keys_that_do_not_tell_rows_apart(tmp_path):
    database(tmp_path, ((1, "1.png", "cat"), (1, "2.png", "dog"), (None, "3.png", "dog")))
    assert [code for code, _, _ in refused(described(), tmp_path)] == ["R0678", "R0678"]
    assert [code for code, _, _ in refused(described(key=["nr"]), tmp_path)] == ["R0607"]


def test_what_the_database_says(tmp_path):
    database(tmp_path)
    with pytest.raises(RecipeError) as caught:
        prepare(described(query="SELECT * FROM photo"), tmp_path / "out", tmp_path)
    assert "no such table: photo" in caught.value.diagnostics[0].message


def test_of_two_columns_with_one_name_none_is_read(tmp_path):
    database(tmp_path)
    joined = (
        "SELECT * FROM photos JOIN (SELECT id + 1 AS id, file AS other FROM photos) AS next ON photos.file = next.other"
    )
    assert [code for code, _, _ in refused(described(query=joined), tmp_path)] == ["R0685"]
    prepare(described(query=joined.replace("*", "photos.*, other")), tmp_path / "out", tmp_path)


def test_a_percent_sign_belongs_to_the_query(tmp_path):
    """Most drivers take it for the place of a parameter as soon as they are given any, be it none."""
    database(tmp_path)
    asked = []
    listen = (sqlalchemy.Engine, "do_execute_no_params", lambda _, statement, __: asked.append(statement))
    sqlalchemy.event.listen(*listen)
    try:
        prepare(described(query=f"{QUERY} WHERE file LIKE '%.png'"), tmp_path / "out", tmp_path)
    finally:
        sqlalchemy.event.remove(*listen)
    assert asked == [f"{QUERY} WHERE file LIKE '%.png'"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("12.50"), "12.50"),
        (date(2024, 5, 1), "2024-05-01"),
        (datetime(2024, 5, 1, 8, 30), "2024-05-01 08:30:00"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        ("猫".encode(), "猫"),
        (b"\xff\xd8\xff", None),
        (2.0, "2"),
        ([1, "a"], '[1, "a"]'),
    ],
)
def test_values_of_a_database_are_no_json(value, text):
    assert values._text(value) == text


def server(**changes):
    description = described(**{"url": "postgresql+psycopg://reader@localhost/zoo", **changes})
    description["dataset"]["kind"] = "sql"
    return description


def test_a_password_comes_from_the_environment_and_is_told_to_nobody(tmp_path, monkeypatch):
    asked = server(password_env="ZOO_PASSWORD")
    monkeypatch.delenv("ZOO_PASSWORD", raising=False)
    assert refused(asked, tmp_path) == [("R0679", "zoo", 1)]
    monkeypatch.setenv("ZOO_PASSWORD", "s3cret")
    seen = []

    def no_engine(url):
        seen.append(url.password)
        raise sqlalchemy.exc.OperationalError("", {}, Exception(f"{url.render_as_string(hide_password=False)} is down"))

    monkeypatch.setattr(sqlalchemy, "create_engine", no_engine)
    with pytest.raises(RecipeError) as caught:
        prepare(asked, tmp_path / "out", tmp_path)
    assert seen == ["s3cret"]
    assert caught.value.diagnostics[0].code == "R0677" and "s3cret" not in str(caught.value)


def test_a_pinned_query_gives_the_rows_that_it_gave(tmp_path, monkeypatch):
    database(tmp_path)
    picture(tmp_path / "1.png", "red")
    real = sqlalchemy.create_engine
    place = sqlalchemy.URL.create("sqlite", database=str(tmp_path / "data/a b%20.db"))
    monkeypatch.setattr(sqlalchemy, "create_engine", lambda url: real(place))
    for number in (1, 2, 10):
        picture(tmp_path / f"{number}.png", (number, 9, 9))
    digest = prepare(server(), tmp_path / "out", tmp_path)["rows_sha256"]
    prepare(server(rows_sha256=digest), tmp_path / "out", tmp_path)
    with sqlite3.connect(tmp_path / "data/a b%20.db") as connection:
        connection.execute("UPDATE photos SET species = 'emu' WHERE id = 2")
    connection.close()
    assert [code for code, _, _ in refused(server(rows_sha256=digest), tmp_path)] == ["R0680"]


def test_a_driver_that_is_missing(tmp_path):
    with pytest.raises(RecipeError) as caught:
        prepare(server(url="mysql+nosuchdriver://reader@localhost/zoo"), tmp_path / "out", tmp_path)
    assert caught.value.diagnostics[0].code == "R0677"
