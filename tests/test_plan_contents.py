"""The bytes of files and folders as DVC counts them, held against the installed DVC, and the memory that saves reading."""

import random
import re

import pytest
from dvc.fs import LocalFileSystem
from dvc.ignore import DvcIgnoreFilter
from dvc_data.hashfile.build import build
from dvc_data.hashfile.db.local import LocalHashFileDB

from compiler.rerun.contents import Contents, Unreadable
from schema.machine import Machine

FILES = (
    "a.txt",
    "b.png",
    "x/a.txt",
    "x/y/b.png",
    "x/y/.git/c",
    "x1/[z].txt",
    "x1/ä b.txt",
    "deep/x/a.txt",
    "deep/.git",
)
PARTS = (
    "a.txt",
    "*.png",
    "x",
    "y",
    "x*",
    "?.txt",
    "[ab].txt",
    "[!a]*",
    "**",
    "*",
    "deep",
    "data",
    "pets",
    "\\[z].txt",
    "[z",
)
SEED = 4
TRIES = 300


def of_dvc(root, path):
    """What DVC itself computes."""
    fs = LocalFileSystem()
    store = LocalHashFileDB(fs, str(root / "store"), hash_name="md5")
    _, _, found = build(
        store, str(root / path), fs, "md5", dry_run=True, ignore=DvcIgnoreFilter(LocalFileSystem(), str(root))
    )
    return found.hash_info.value


def of(root, path):
    return Contents(root, Machine(), {}).of(path)


@pytest.fixture
def root(tmp_path):
    for name in FILES:
        place = tmp_path / "data" / "pets" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{name}\n")
    return tmp_path


def patterns(rng):
    """Lines of a `.dvcignore` as people and their accidents write them."""
    for _ in range(rng.randint(1, 4)):
        parts = rng.choices(PARTS, k=rng.randint(1, 3))
        yield rng.choice(("", "", "!")) + rng.choice(("", "", "/")) + "/".join(parts) + rng.choice(("", "", "/"))


def test_patterns_mean_what_they_mean_to_dvc(root):
    rng = random.Random(SEED)
    seen = set()
    for _ in range(TRIES):
        lines = [list(patterns(rng)), list(patterns(rng)) if rng.random() < 0.3 else []]
        for folder, written in zip((root, root / "data"), lines, strict=True):
            (folder / ".dvcignore").write_text("\n".join(["# what is passed over", "", *written]))
        found = of(root, "data/pets")
        assert found.md5 == of_dvc(root, "data/pets"), lines
        seen.add(found.files)
    assert len(seen) > 5, "the patterns hardly mattered"


@pytest.mark.parametrize("path", ["data/pets", "data/pets/a.txt", "data/pets/x1"])
def test_files_and_folders(root, path):
    assert of(root, path).md5 == of_dvc(root, path)


def test_links_to_files_are_followed_and_to_folders_not(root):
    (root / "other").mkdir()
    (root / "other" / "file").write_text("linked\n")
    (root / "data/pets/file").symlink_to(root / "other" / "file")
    (root / "data/pets/folder").symlink_to(root / "other")
    assert of(root, "data/pets").md5 == of_dvc(root, "data/pets")
    (root / "mapped").symlink_to(root / "data" / "pets")
    assert of(root, "mapped").md5 == of_dvc(root, "mapped")


def test_an_empty_folder_and_a_project_within(root):
    (root / "empty").mkdir()
    assert of(root, "empty").md5 == of_dvc(root, "empty")
    (root / "data/pets/x/.dvc").mkdir()
    assert of(root, "data/pets").md5 == of_dvc(root, "data/pets")


def test_what_lies_outside_is_counted_whole(root, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / ".git").write_text("counts\n")
    assert of(root, str(outside)).md5 == of_dvc(root, str(outside))


def test_a_folder_that_dvc_refuses(root):
    (root / "data/pets/x/.dvcignore").write_text("y\n")
    with pytest.raises(Unreadable, match=re.escape("data/pets/x/.dvcignore")):
        of(root, "data/pets")


def test_a_link_to_nothing(root):
    (root / "data/pets/lost").symlink_to(root / "nowhere")
    with pytest.raises(Unreadable, match="no such file"):
        of(root, "data/pets")
    with pytest.raises(FileNotFoundError):
        of_dvc(root, "data/pets")


def test_what_is_not_there(root):
    assert of(root, "data/none") is None


def test_unchanged_data_is_not_read_twice(tmp_path, monkeypatch):
    """But what has just been written is not remembered: it may change again without a new time stamp."""
    (tmp_path / "large.bin").write_bytes(b"x" * (1 << 20))
    first = of(tmp_path, "large.bin")
    assert first.md5 == of_dvc(tmp_path, "large.bin")
    assert not list((tmp_path / ".recipe").rglob("*.json")) if (tmp_path / ".recipe").exists() else True
    monkeypatch.setattr("schema.digests.SETTLED_SECONDS", -1.0)
    assert of(tmp_path, "large.bin") == first
    monkeypatch.setattr("schema.digests.of_file", lambda *_: pytest.fail("it was read again"))
    assert of(tmp_path, "large.bin") == first


def test_a_table_of_another_digest_is_another(tmp_path, monkeypatch):
    """`recipe exec` remembers sha256 of the same files."""
    monkeypatch.setattr("schema.digests.SETTLED_SECONDS", -1.0)
    (tmp_path / "large.bin").write_bytes(b"x" * (1 << 20))
    contents = Contents(tmp_path, Machine(), {})
    for _ in range(2):
        assert (len(contents.sha256("large.bin")), len(of(tmp_path, "large.bin").md5)) == (64, 32)


def test_a_project_that_cannot_be_written_is_planned_all_the_same(tmp_path, monkeypatch):
    """A file stands where what is remembered belongs: below it, not even root can write."""
    monkeypatch.setattr("schema.digests.SETTLED_SECONDS", -1.0)
    (tmp_path / "large.bin").write_bytes(b"x" * (1 << 20))
    (tmp_path / ".recipe").write_text("")
    assert of(tmp_path, "large.bin").md5 == of_dvc(tmp_path, "large.bin")
    assert (tmp_path / ".recipe").read_text() == ""
