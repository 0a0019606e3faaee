"""Locks of recipes that run in another toolchain than the default one: its packages are facts like the others."""

import pytest
from compiling import change, project, recipe
from test_lock import CHAT, DATA, edit, lock_in

from schema.signature import toolchain

OTHER = ("kind: sft, model", "kind: sft, engine: trl, toolchain: trl1, model")


@pytest.fixture
def root(tmp_path):
    """A project with a recipe that reads three files."""
    project(tmp_path, chat=CHAT)
    for path, text in DATA.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


@pytest.fixture
def elsewhere(root):
    """The same recipe with a training in another toolchain, locked."""
    change(root, *OTHER, "chat")
    assert recipe(root, "lock")[0] == 0
    return root


def test_the_packages_of_another_toolchain_are_pinned_too(root):
    assert recipe(root, "lock")[0] == 0
    assert (lock_in(root).revision, lock_in(root).toolchains) == (1, {})
    change(root, *OTHER, "chat")
    code, out, _ = recipe(root, "lock")
    assert (code, f"  + trl1/trl  {toolchain('trl1')['trl']}\n" in out) == (0, True)
    found = lock_in(root)
    assert (found.revision, found.toolchain) == (2, toolchain())  # a program of revision 1 would lose them
    assert found.toolchains == {"trl1": toolchain("trl1")}
    assert recipe(root, "lock") == (0, "recipes/chat.lock  unchanged\n", "")
    assert recipe(root, "lock", "--check")[0] == recipe(root, "compile", "chat", "--locked")[0] == 0


def test_a_toolchain_that_no_stage_names_any_more_is_dropped(elsewhere):
    change(elsewhere, *reversed(OTHER), "chat")
    assert "tells of the toolchain `trl1`, in which no stage runs" in recipe(elsewhere, "lock", "--check")[2]
    assert "  - trl1/trl\n" in recipe(elsewhere, "lock")[1]
    assert lock_in(elsewhere).toolchains == {}


@pytest.mark.parametrize(
    ("old", "new", "code", "message", "place"),
    [
        ("    trl: 1", "    trl: 9", "R0703", "other versions of the toolchain `trl1`: trl 9", "chat.lock:"),
        ("  trl1:", "  vllm:", "R0702", "says nothing of the toolchain `trl1`", "chat.yaml:11:"),
    ],
)
def test_a_stale_toolchain_is_found(elsewhere, old, new, code, message, place):
    edit(elsewhere, old, new)
    for status, _, err in (recipe(elsewhere, "lock", "--check"), recipe(elsewhere, "compile", "chat", "--locked")):
        assert status == 1
        assert f"error[{code}]: " in err and message in err and place in err
    assert "warning[" in recipe(elsewhere, "compile", "chat")[2]
