"""What a teacher said is read back as it was written, or not at all: whatever was cut short, or has other bytes, is removed."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from runners.distill import cache

ROOT = Path(__file__).parent.parent
ASKED = {"teacher": "abc", "views": 1}


def arrays(count, seed=0):
    draw = numpy.random.default_rng(seed)
    return {
        "features": draw.standard_normal((count, 6)).astype(numpy.float16),
        "scores": draw.standard_normal((count, 3)).astype(numpy.float32),
    }


@pytest.fixture
def filled(tmp_path):
    """A cache of two parts; the arrays of the first."""
    first = arrays(4)
    with cache.held(tmp_path, ASKED) as held:
        held.add(["a", "b", "c", "d"], first)
        held.add(["e"], arrays(1, 1))
    return first


def folder(root):
    return cache.folder_of(root, ASKED)


def first_part(root, ending):
    """A file of the part that holds `a`."""
    (index,) = (path for path in folder(root).glob("*.index.json") if '"a"' in path.read_text())
    return index.with_name(index.name.replace(".index.json", ending))


def test_what_was_kept_is_read_back(tmp_path, filled):
    held = cache.read(tmp_path, ASKED)
    numpy.testing.assert_array_equal(held.features("c"), filled["features"][2].astype(numpy.float32))
    numpy.testing.assert_array_equal(held.scores("c"), filled["scores"][2])
    assert "e" in held and "f" not in held


def test_it_is_mapped_and_not_read(tmp_path, filled):
    held = cache.read(tmp_path, ASKED)
    held.features("a")
    part, _ = held.places["a"]
    assert isinstance(part.features, numpy.memmap)


@pytest.mark.parametrize("told", [{"teacher": "abd"}, {"views": 2}, {"classes": ["a"]}])
def test_another_question_has_another_cache(tmp_path, filled, told):
    assert cache.read(tmp_path, ASKED | told).places == {}


def cut(path):
    path.write_bytes(path.read_bytes()[:-7])


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("ending", [".features.npy", ".scores.npy", ".index.json"])
@pytest.mark.parametrize("damage", [cut, empty, Path.unlink])
def test_a_damaged_part_is_never_read_and_is_removed(tmp_path, filled, ending, damage):
    damage(first_part(tmp_path, ending))
    assert set(cache.read(tmp_path, ASKED).places) == {"e"}
    with cache.held(tmp_path, ASKED) as held:
        assert set(held.places) == {"e"}
        held.add(["a", "b", "c", "d"], filled)
    assert set(cache.read(tmp_path, ASKED).places) == set("abcde")
    assert len(list(folder(tmp_path).iterdir())) == 3 + 3 + 2  # told.json and lock


def test_one_bit_is_enough(tmp_path, filled):
    flip(first_part(tmp_path, ".features.npy"))
    assert "a" not in cache.read(tmp_path, ASKED)


def test_what_has_no_index_is_removed(tmp_path, filled):
    """As a kill between the arrays and their index leaves it."""
    (folder(tmp_path) / "0123.features.npy").write_bytes(b"\x93NUMPY")
    (folder(tmp_path) / ".0124.scores.npy.77.partial").write_bytes(b"")
    with cache.held(tmp_path, ASKED):
        pass
    assert not [path for path in folder(tmp_path).iterdir() if path.name.startswith((".0124", "0123"))]


KILLED = """
import os, signal, sys
from pathlib import Path
from runners.distill import cache
import numpy
real, count = os.replace, 0
def replace(*paths, **others):
    global count
    count += 1
    if count > int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*paths, **others)
Path.replace = lambda self, to: (replace(self, to), to)[1]
with cache.held(Path(sys.argv[1]), {"teacher": "abc", "views": 1}) as held:
    for number in range(3):
        held.add([str(number)], {"features": numpy.ones((1, 4), numpy.float16), "scores": numpy.ones((1, 2))})
"""


@pytest.mark.parametrize("writes", range(1, 10))
def test_a_kill_at_any_write_leaves_whole_parts_only(tmp_path, writes):
    """Each part is three files; told.json is written first."""
    run = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(writes)], cwd=ROOT, check=False)
    assert run.returncode == -signal.SIGKILL
    held = cache.read(tmp_path, ASKED)
    assert len(held.places) == (writes - 1) // 3
    for name in held.places:
        numpy.testing.assert_array_equal(held.features(name), numpy.ones(4))
    with cache.held(tmp_path, ASKED) as repaired:
        assert len(repaired.places) == (writes - 1) // 3
    assert len(list(folder(tmp_path).glob("*.npy"))) == 2 * ((writes - 1) // 3)


def test_two_may_add_at_the_same_time(tmp_path, filled):
    """The second one removes nothing of what the first has begun."""
    with cache.held(tmp_path, ASKED) as first:
        begun = folder(tmp_path) / "0125.features.npy"
        begun.write_bytes(b"half")
        with cache.held(tmp_path, ASKED) as second:
            second.add(["y"], arrays(1, 2))
        assert begun.exists()
        first.add(["z"], arrays(1, 3))
    assert {"y", "z"} <= set(cache.read(tmp_path, ASKED).places)
