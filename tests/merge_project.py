"""Helpers: repositories in which two branches change a dvc.lock, and git as it is without an activated environment."""

import subprocess
import sys
from pathlib import Path

from compiling import ROOT, recipe
from diff_project import commit, git

BIN = Path(sys.executable).parent
LOCK = "pipelines/demo/dvc.lock"
BARE = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "GIT_CONFIG_NOSYSTEM": "1"}
"""No environment is activated."""


def entry(name, asked="1", came="1", after=""):
    """A stage's entry as DVC writes it: `asked` is in the digest of its dependency, `came` in that of its output."""
    more = f"    - path: outputs/demo/{after}\n      hash: md5\n      md5: {'e' * 32}\n      size: 3\n" if after else ""
    return (
        f"  {name}:\n"
        f"    cmd: sh pipelines/exec.sh exec pipelines/demo/{name}\n"
        "    deps:\n"
        f"    - path: pipelines/demo/{name}.json\n      hash: md5\n      md5: {digest(asked)}\n      size: 7\n"
        f"{more}"
        "    outs:\n"
        f"    - path: outputs/demo/{name}/model\n      hash: md5\n      md5: {digest(came)}.dir\n      size: 9\n      nfiles: 1\n"
    )


def digest(number):
    return f"{number}a" * 16


def lock(*entries):
    return "schema: '2.0'\nstages:\n" + "".join(entries)


DATA, TRAIN, SCORES = (entry(name) for name in ("data", "train", "scores"))
BASE = lock(DATA, TRAIN)


def repository(root: Path, text: str, attributes: str | None = None) -> Path:
    (root / LOCK).parent.mkdir(parents=True)
    (root / ".gitattributes").write_text(
        attributes if attributes is not None else (ROOT / ".gitattributes").read_text()
    )
    git(root, "init", "--quiet")
    write(root, text)
    return root


def write(root: Path, text: str) -> None:
    (root / LOCK).write_text(text)
    commit(root)


def branches(root: Path, base: str, ours: str, theirs: str) -> Path:
    """A clone on `main` with our text, and a branch `topic` with theirs."""
    repository(root, base)
    git(root, "checkout", "--quiet", "-b", "topic")
    write(root, theirs)
    git(root, "checkout", "--quiet", "main")
    write(root, ours)
    return root


def call(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """git, as from a shell in which no environment is activated."""
    identity = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    return subprocess.run(["git", *identity, *arguments], cwd=root, env=BARE, capture_output=True, text=True)


def set_up(root: Path) -> str:
    code, out, err = recipe(root, "setup")
    assert (code, err) == (0, "")
    return out
