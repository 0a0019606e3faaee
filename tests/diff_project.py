"""Helpers: repositories with recipes, and what `recipe diff` finds in them."""

import json
import os
import subprocess

from compiling import recipe


def git(root, *arguments):
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
    }
    identity = ["-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "init.defaultBranch=main"]
    command = ["git", *identity, *arguments]
    ran = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def commit(root, message="more"):
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", message)


def repository(root, **recipes):
    """A repository whose only commit has these recipes."""
    (root / "recipes").mkdir(parents=True)
    for name, text in recipes.items():
        write(root, name, text)
    git(root, "init", "--quiet")
    commit(root, "first")
    return root


def write(root, name, text):
    (root / "recipes" / f"{name}.yaml").write_text(text, encoding="utf-8")


def found(root, *arguments, code=0):
    """The document of a difference."""
    ended, out, err = recipe(root, "diff", *arguments, "--format", "json")
    assert ended == code, err
    document = json.loads(out)
    assert document["format_version"] == 1
    return document


def actions(document, label="small"):
    pipeline = next((p for p in document["pipelines"] if p["label"] == label), {"stages": []})
    return {stage["stage"]: stage["action"] for stage in pipeline["stages"]}


def risks(document, label="small"):
    return [risk["kind"] for p in document["pipelines"] if p["label"] == label for risk in p["risks"]]


def fields(document, label="small"):
    listed = [f for p in document["pipelines"] if p["label"] == label for f in p["fields"]]
    return {".".join(map(str, f["path"])): (f.get("before"), f.get("after")) for f in listed}
