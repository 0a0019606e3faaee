"""`recipe diff --detailed-exitcode` ends as terraform does: 0 without differences, 1 with any error, 2 with differences."""

import os
import subprocess
import sys

import pytest
from compiling import SMALL, change, recipe
from diff_project import repository

DETAILED = "--detailed-exitcode"


@pytest.fixture
def root(tmp_path):
    return repository(tmp_path, small=SMALL.partition("variants:")[0])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-such-option"],
        ["--format", "pdf"],
        ["--format"],
        ["no-such-revision"],
        ["recipes/small.yaml"],
        ["one", "two", "three"],
        ["recipes/small.yaml", "recipes/other.yaml"],
    ],
)
def test_an_error_in_how_it_is_called_is_1(root, arguments):
    """Although the worktree differs, which would be 2."""
    change(root, "validation: 0.2", "validation: 0.3")
    for words in ([DETAILED, *arguments], [*arguments, DETAILED]):
        if words != ["--format", DETAILED]:
            code, out, err = recipe(root, "diff", *words)
            assert (code, out) == (1, "")
            assert err


def test_an_error_without_the_option_is_as_everywhere(root):
    assert recipe(root, "diff", "--no-such-option")[0] == 2
    assert recipe(root, "validate", "--no-such-option")[0] == 2
    assert recipe(root, "validate", DETAILED)[0] == 2


def test_differences_are_2_and_none_are_0(root):
    assert recipe(root, "diff", DETAILED)[0] == 0
    change(root, "validation: 0.2", "validation: 0.3")
    assert recipe(root, "diff", DETAILED)[0] == 2
    assert recipe(root, "diff")[0] == 0


def test_a_recipe_that_does_not_compile_is_1(root):
    change(root, "kind: digits", "kind: no-such-kind")
    assert recipe(root, "diff", DETAILED)[0] == 1


@pytest.mark.parametrize(
    "fault", ["compiler.commands.diff.compare = None", "sys.modules['compiler.commands.diff'] = None"]
)
def test_a_fault_of_the_program_is_1(root, fault):
    """So is a part of the installation that is missing."""
    program = f"import sys, compiler.commands.diff\nfrom compiler import cli\n{fault}\ncli.main()"
    command = [sys.executable, "-c", program, "diff", DETAILED]
    environment = {name: value for name, value in os.environ.items() if name != "RECIPE_TRACEBACK"}
    ran = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "internal error" in ran.stderr
