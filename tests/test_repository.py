"""What git and pre-commit are told about this repository: generated files, line ends, and the hooks for other projects."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from compiling import ROOT, SMALL, change, recipe
from diff_project import commit, git, repository

BIN = Path(sys.executable).parent
GENERATED = {"linguist-generated": "set", "eol": "lf", "text": "set"}
RECORD = {**GENERATED, "merge": "dvc-lock"}


@pytest.fixture
def project(tmp_path):
    """A repository with this one's attributes and a compiled recipe; its origin."""
    root = repository(tmp_path / "origin", small=SMALL)
    shutil.copy(ROOT / ".gitattributes", root)
    assert recipe(root, "lock")[0] == 0
    assert recipe(root, "compile")[0] == 0
    (root / "pipelines/small/dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    commit(root)
    return root


# Attributes


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("pipelines/exec.sh", GENERATED),
        ("pipelines/small/train.sh", GENERATED),
        ("pipelines/small/long/train.deepspeed.json", GENERATED),
        ("pipelines/small/dvc.lock", RECORD),
        ("pipelines/small/long/dvc.lock", RECORD),
        ("dvc.lock", RECORD),
        ("recipes/small.lock", GENERATED),
        ("recipes/small.yaml", {"eol": "lf", "text": "set"}),
        ("recipes/bases/base.yaml", {"eol": "lf", "text": "set"}),
        ("README.md", {}),
        ("dvc.yaml", {}),
        ("tests/pipelines/x.json", {}),
    ],
)
def test_attributes(project, path, expected):
    names = ("linguist-generated", "eol", "text", "merge")
    told = git(project, "check-attr", *names, "--", path).splitlines()
    found = dict(line.split(": ")[1:] for line in told)
    assert {name: value for name, value in found.items() if value != "unspecified"} == expected


def test_every_file_that_is_compiled_is_known_as_generated(project):
    listed = [path.relative_to(ROOT).as_posix() for path in (ROOT / "pipelines").rglob("*") if path.is_file()]
    assert len(listed) > 30
    told = git(project, "check-attr", "linguist-generated", "--", *listed).splitlines()
    assert {line.rpartition(": ")[2] for line in told} == {"set"}


def test_line_ends_are_the_same_where_git_changes_them(project, tmp_path):
    """Bytes are digested: a clone that turns line ends into those of Windows is up to date, too."""
    (project / "notes.txt").write_text("a\nb\n")
    commit(project)
    git(
        tmp_path,
        "-c",
        "core.autocrlf=true",
        "clone",
        "--quiet",
        "--config",
        "core.autocrlf=true",
        str(project),
        "clone",
    )
    assert b"\r\n" in (tmp_path / "clone/notes.txt").read_bytes()
    code, out, err = recipe(tmp_path / "clone", "compile", "--check")
    assert (code, out, err) == (0, "compiled files are up to date\n", "")


# Hooks for pre-commit


HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}


def commit_hook(root: Path, id: str) -> subprocess.CompletedProcess[str] | None:
    """What pre-commit does with a hook before a commit: its command with the staged files that it is about, if any."""
    hook = HOOKS[id]
    staged = git(root, "diff", "--staged", "--name-only", "--no-ext-diff", "--diff-filter=ACMRTUXB", "-z").split("\0")
    files = [name for name in staged if name and re.search(hook["files"], name)]
    if not files:
        return None
    words = [*shlex.split(hook["entry"]), *hook.get("args", ()), *(files if hook.get("pass_filenames", True) else ())]
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True)


@pytest.fixture
def clone(project, tmp_path):
    git(tmp_path, "clone", "--quiet", str(project), "clone")
    return tmp_path / "clone"


def test_hooks_are_complete():
    assert set(HOOKS) == {"recipe-validate", "recipe-compile-check"}
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    for hook in HOOKS.values():
        assert {"id", "name", "entry", "language", "files"} <= hook.keys()
        assert hook["language"] == "python"  # pre-commit installs the light package of this repository
        assert shlex.split(hook["entry"])[0] in scripts
        assert hook["require_serial"]


def test_hooks_are_content_with_a_compiled_change(clone):
    change(clone, "validation: 0.2", "validation: 0.3")
    assert recipe(clone, "compile")[0] == 0
    git(clone, "add", "--all")
    for id in HOOKS:
        done = commit_hook(clone, id)
        assert done is not None and done.returncode == 0, done and done.stderr


def test_a_broken_recipe_is_not_committed(clone):
    change(clone, "kind: sft", "kind: sfft")
    (clone / "recipes/it's new.yaml").write_text("version: 1\nname: other\n")
    git(clone, "add", "--all")
    done = commit_hook(clone, "recipe-validate")
    assert done.returncode == 1
    assert " --> recipes/small.yaml:8:" in done.stderr
    assert " --> recipes/it's new.yaml:1:1" in done.stderr


def test_a_recipe_that_was_not_compiled_is_not_committed(clone):
    change(clone, "validation: 0.2", "validation: 0.3")
    git(clone, "add", "--all")
    assert commit_hook(clone, "recipe-validate").returncode == 0
    done = commit_hook(clone, "recipe-compile-check")
    assert done.returncode == 1
    assert "error[R0405]: pipelines/small is stale" in done.stderr


def test_a_compiled_file_that_was_edited_is_not_committed(clone):
    (clone / "pipelines/small/train.sh").write_text("true\n")
    git(clone, "add", "--all")
    assert commit_hook(clone, "recipe-validate") is None
    assert commit_hook(clone, "recipe-compile-check").returncode == 1


def test_other_files_start_no_hook(clone):
    (clone / "README.md").write_text("hello\n")
    git(clone, "add", "--all")
    assert [commit_hook(clone, id) for id in HOOKS] == [None, None]


def test_a_base_is_no_recipe_of_its_own(clone):
    """It is checked with the recipes that extend it."""
    (clone / "recipes/bases").mkdir()
    (clone / "recipes/bases/half.yaml").write_text("seed: 1\n")
    git(clone, "add", "--all")
    assert commit_hook(clone, "recipe-validate") is None
    assert commit_hook(clone, "recipe-compile-check").returncode == 0
