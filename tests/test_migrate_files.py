"""`recipe migrate` writes all files or none: writes that fail, and a program that is killed between two files."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from compiling import recipe, tree
from test_migrate import started, told

from schema.diagnostics import RecipeError
from schema.files import write_atomically
from schema.migrate import replace

FILES = ("bases/lora.yaml", "large.yaml", "small.yaml")
JOURNAL = ".recipe/migrate.json"


@pytest.fixture
def root(tmp_path):
    """Two recipes and the base that they share."""
    return started(tmp_path, "shared")


@pytest.fixture
def wanted(tmp_path_factory):
    """What becomes of them."""
    done = started(tmp_path_factory.mktemp("wanted"), "shared")
    told(done)
    return tree(done / "recipes")


class Cut(BaseException):
    """Stands for the end of the program at a place."""


def writes(number, error):
    """Writing files, of which the one of this number ends otherwise."""
    count = 0

    def write(path, content, **options):
        nonlocal count
        count += 1
        if count == number:
            raise error
        write_atomically(path, content, **options)

    return mock.patch.object(replace, "write_atomically", write)


@pytest.mark.parametrize("number", range(1, len(FILES) + 1))
def test_a_write_that_fails_leaves_the_old_files(root, number):
    before = tree(root)
    with writes(number, OSError(errno.ENOSPC, "No space left on device", "recipes/large.yaml")):
        code, out, err = recipe(root, "migrate")
    assert (code, out) == (1, "")
    assert "error[R0726]: recipes/large.yaml cannot be written: no space left on device" in err
    assert tree(root) == before


def test_a_journal_that_cannot_be_written_leaves_the_old_files(root):
    before = tree(root)
    (root / ".recipe").write_text("in the way")
    code, _, err = recipe(root, "migrate")
    assert code == 1
    assert "error[R0726]" in err
    (root / ".recipe").unlink()
    assert tree(root) == before


def test_where_old_files_cannot_be_put_back_the_next_call_goes_on(root, wanted):
    """The disk fails at the second file and does not come back."""
    count = 0

    def write(path, content, **options):
        nonlocal count
        count += 1
        if count > 1:
            raise OSError(errno.EIO, "Input/output error", str(path))
        write_atomically(path, content, **options)

    with mock.patch.object(replace, "write_atomically", write):
        assert recipe(root, "migrate")[0] == 1
    assert (root / JOURNAL).is_file()
    assert told(root).startswith("finished a migration that was cut off: recipes/bases/lora.yaml, recipes/large.yaml, ")
    assert tree(root / "recipes") == wanted


@pytest.mark.parametrize("number", range(1, len(FILES) + 1))
def test_what_was_cut_off_is_finished(root, wanted, number):
    """Until then no recipe compiles that would be of two versions."""
    with writes(number, Cut()), pytest.raises(Cut):
        replaced(root)
    for name in FILES[1:]:
        written = (root / "recipes" / name).read_bytes() == wanted[name]
        assert recipe(root, "validate", f"recipes/{name}")[0] == (0 if written else 1)
    state = tree(root)
    for option in ("--check", "--diff"):
        code, out, err = recipe(root, "migrate", option)
        assert (code, out) == (1, "")
        assert "error[R0725]: a migration was cut off before all files were written" in err
    assert tree(root) == state
    said = told(root)
    assert "finished a migration that was cut off" in said
    assert "small  hash " in said
    assert tree(root / "recipes") == wanted
    assert not (root / JOURNAL).exists()


def replaced(root):
    """As the program does it, but an end of the program is seen."""
    from compiler import migration

    here = Path.cwd()
    os.chdir(root)
    try:
        migration.run([])
    finally:
        os.chdir(here)


KILLED = """
import os, signal, sys
from schema.migrate import replace
write, count = replace.write_atomically, 0
def killed(path, content, **options):
    global count
    count += 1
    if count == {number}:
        path.with_name(f".{{path.name}}.{{os.getpid()}}.partial").write_bytes(content[:10])
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, content, **options)
replace.write_atomically = killed
sys.argv = ["recipe", "migrate"]
from compiler.cli import main
main()
"""


def test_a_killed_program_leaves_what_the_next_one_finishes(root, wanted):
    command = [sys.executable, "-c", KILLED.format(number=2)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    ran = subprocess.run(command, cwd=root, env=environment, capture_output=True, check=False)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert len(list((root / "recipes").glob(".*.partial"))) == 1
    assert "finished" in told(root)
    assert tree(root / "recipes") == wanted


def test_a_file_that_changed_since_is_left_alone(root):
    with writes(2, Cut()), pytest.raises(Cut):
        replaced(root)
    (root / "recipes" / "small.yaml").write_text("# mine\n")
    state = tree(root)
    code, _, err = recipe(root, "migrate")
    assert code == 1
    assert "error[R0725]: a migration was cut off, and recipes/small.yaml changed since" in err
    assert "remove .recipe/migrate.json" in err
    assert tree(root) == state


def test_a_file_that_changes_meanwhile_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("old\n")
    Path("b.yaml").write_text("mine\n")
    old, new = dict.fromkeys(("a.yaml", "b.yaml"), "old\n"), dict.fromkeys(("a.yaml", "b.yaml"), "new\n")
    with pytest.raises(RecipeError) as caught:
        replace.replace_all(tmp_path, old, new)
    assert [d.code for d in caught.value.diagnostics] == ["R0725"]
    assert tree(tmp_path) == {"a.yaml": b"old\n", "b.yaml": b"mine\n"}


def test_a_note_that_is_none_is_ignored(root, wanted):
    (root / ".recipe").mkdir()
    (root / JOURNAL).write_text(json.dumps({"format_version": 99, "files": "?"}))
    told(root)
    assert tree(root / "recipes") == wanted


def test_a_link_stays_a_link(root, wanted):
    file = root / "recipes" / "small.yaml"
    (root / "elsewhere.yaml").write_bytes(file.read_bytes())
    file.unlink()
    file.symlink_to("../elsewhere.yaml")
    told(root)
    assert file.is_symlink()
    assert (root / "elsewhere.yaml").read_bytes() == wanted["small.yaml"]
