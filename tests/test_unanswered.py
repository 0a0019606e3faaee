"""Which rows an engine is still to be asked: all but those of whole blocks that it has answered."""

import json

import pytest
from test_collect import answered, generated

from runners import unanswered


@pytest.fixture
def left(tmp_path):
    """A call with so many rows and the bytes that an engine left; returned are the kept lines and the rows that are left."""

    def call(data, raw, every=3):
        rows = [json.dumps(row) for row in data]
        (tmp_path / "data.jsonl").write_text("\n".join(rows))  # the last line has no end
        if raw is not None:
            (tmp_path / "kept").mkdir()
            (tmp_path / "kept/raw.jsonl").write_text(raw)
        files = [tmp_path / name for name in ("data.jsonl", "kept/raw.jsonl", "rest.jsonl")]
        names = ("--data", "--raw", "--to")
        words = [str(word) for pair in zip(names, files, strict=True) for word in pair]
        assert unanswered.main([*words, "--every", str(every)]) == 0
        return len(files[1].read_text().splitlines()), [rows.index(line) for line in files[2].read_text().splitlines()]

    return call


def asked(count):
    return [generated(number) for number in range(count)]


def lines(numbers):
    return "".join(json.dumps(answered(number, "cat")) + "\n" for number in numbers)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (None, 0),
        ("", 0),
        (lines(range(2)), 0),
        (lines(range(3)), 3),
        (lines(range(6)), 6),
        (lines([2, 1, 0]), 3),  # several processes answer in another order
        (lines(range(4)) + '{"respon', 3),
        (lines(range(3))[:-1], 0),  # cut before the end of its last line
        (lines(range(8)), 6),  # all, and the rest is asked again: an engine cannot be asked nothing
        (lines([0, 1, 7]), 0),  # answers to something else
        ("7\n7\n7\n", 0),
        ("{\n{\n{\n", 0),
    ],
)
def test_whole_blocks_are_kept(left, raw, kept):
    assert left(asked(8), raw) == (kept, list(range(kept, 8)))


def test_a_block_is_always_left(left):
    assert left(asked(6), lines(range(6))) == (3, [3, 4, 5])
