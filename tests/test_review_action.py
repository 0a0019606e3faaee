"""The action that reviews a pull request, step by step as GitHub runs it: in a clone, with bash. Only `gh` and pip stand in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import jq
import pytest
import yaml
from compiling import ROOT, SMALL, change, recipe
from diff_project import commit, git, repository

from compiler.diff.markdown import MARKER

ACTION = ROOT / ".github/actions/recipe-review/action.yml"
WORKFLOW = ROOT / ".github/workflows/recipes.yml"
BIN = Path(sys.executable).parent
INSTALL = "python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/base.txt"
OURS = '.[] | select(.user.type == "Bot" and (.body | startswith("<!-- recipe-diff -->"))) | .id'
GH = """\
#!{python}
'''Behaves like gh for comments of a pull request, which stand in comments.json; writes down how it was called.'''
import json, os, sys
from pathlib import Path

here = Path({folder!r})
arguments = sys.argv[1:]
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
if not os.environ.get("GH_TOKEN") or (here / "forbidden").exists():
    sys.exit("gh: Resource not accessible by integration (HTTP 403)")
assert arguments.pop(0) == "api"
flags = {{"--paginate": 0, "--silent": 0, "--jq": 1, "--method": 1, "--field": 1}}
given, places = {{}}, []
while arguments:
    word = arguments.pop(0)
    if word in flags:
        given[word] = arguments.pop(0) if flags[word] else True
    else:
        assert not word.startswith("-"), word
        places.append(word)
(place,) = places
comments = json.loads((here / "comments.json").read_text())
method = given.get("--method", "GET")
if method == "GET":
    assert place == "repos/me/project/issues/7/comments?per_page=100" and given["--paginate"]
    assert given["--jq"] == {ours!r}
    for comment in comments:
        if comment["user"]["type"] == "Bot" and comment["body"].startswith({marker!r}):
            print(comment["id"])
    sys.exit()
name, _, value = given["--field"].partition("=@")
assert name == "body"
body = Path(value).read_text()
assert len(body) <= 65536 and given["--silent"]
if method == "POST":
    assert place == "repos/me/project/issues/7/comments"
    comments.append({{"id": 100 + len(comments), "user": {{"type": "Bot"}}, "body": body}})
else:
    assert method == "PATCH"
    (comment,) = [c for c in comments if place == f"repos/me/project/issues/comments/{{c['id']}}"]
    comment["body"] = body
(here / "comments.json").write_text(json.dumps(comments))
"""


def load(path):
    return yaml.load(path.read_text(), Loader=yaml.BaseLoader)


def steps():
    found = load(ACTION)["runs"]["steps"]
    assert len(found) == 6
    return found


def shell_steps():
    """Every script of both files."""
    workflow = [step for job in load(WORKFLOW)["jobs"].values() for step in job["steps"]]
    return [step for step in (*steps(), *workflow) if "run" in step]


@dataclass
class Review:
    """A clone of a pull request's merge commit, and GitHub around it."""

    root: Path
    outside: Path
    fork: bool = False
    output: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)

    def run(self) -> dict[str, str]:
        """Run all steps; the outcome of each, by its name. `output` is what each wrote."""
        self.outcomes = {}
        names, outputs = {}, {}
        for step in steps():
            if "uses" in step:
                continue
            name = step["name"]
            names[step.get("id", name)] = name
            if not self._condition(step.get("if"), names):
                self.outcomes[name] = "skipped"
                continue
            code = 0 if step["run"] == INSTALL else self._bash(step, outputs)
            self.outcomes[name] = "failure" if code else "success"
            if step.get("id") == "diff" and code == 0:
                outputs |= dict(line.split("=") for line in (self.outside / "outputs").read_text().splitlines())
        return self.outcomes

    def _condition(self, text, names):
        if text is None:
            return "failure" not in self.outcomes.values()
        (wanted,) = re.fullmatch(r"\$\{\{ !cancelled\(\) && steps\.(\w+)\.outcome == 'success' \}\}", text).groups()
        return self.outcomes[names[wanted]] == "success"

    def _bash(self, step, outputs):
        known = {
            "${{ inputs.base }}": load(ACTION)["inputs"]["base"]["default"],
            "${{ inputs.token }}": "a-token",
            "${{ github.event.pull_request.number }}": "7",
            "${{ github.event.pull_request.head.repo.full_name }}": "you/project" if self.fork else "me/project",
            "${{ steps.diff.outputs.differs }}": outputs.get("differs", ""),
        }
        (self.outside / "script").write_text(step["run"])
        (self.outside / "outputs").write_text("")
        environment = {
            "PATH": f"{self.outside}:{BIN}:{os.environ['PATH']}",
            "HOME": str(self.outside),
            "RUNNER_TEMP": str(self.outside),
            "GITHUB_OUTPUT": str(self.outside / "outputs"),
            "GITHUB_STEP_SUMMARY": str(self.outside / "summary"),
            "GITHUB_REPOSITORY": "me/project",
            **{name: known[value] for name, value in step.get("env", {}).items()},
        }
        assert step["shell"] == "bash"
        bash = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(self.outside / "script")]
        done = subprocess.run(bash, cwd=self.root, env=environment, capture_output=True, text=True)
        self.output[step["name"]] = done.stdout + done.stderr
        return done.returncode

    @property
    def comments(self):
        return json.loads((self.outside / "comments.json").read_text())

    @property
    def calls(self):
        path = self.outside / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def summary(self):
        path = self.outside / "summary"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def review(tmp_path):
    """What a change of recipes/small.yaml makes of a project; the change is a function that gets the project."""

    def make(edit, *, compiled=True, **options):
        origin = repository(tmp_path / "origin", small=SMALL.partition("variants:")[0])
        assert recipe(origin, "compile")[0] == 0
        commit(origin, "compiled")
        git(origin, "checkout", "--quiet", "-b", "topic")
        edit(origin)
        if compiled:
            assert recipe(origin, "compile")[0] == 0
        commit(origin, "change")
        git(origin, "checkout", "--quiet", "main")
        (origin / "other").write_text("what came to the base meanwhile\n")
        commit(origin, "other")
        git(origin, "merge", "--quiet", "--no-ff", "--no-edit", "topic")
        git(tmp_path, "clone", "--quiet", "--depth", "2", origin.as_uri(), "clone")
        outside = tmp_path / "runner's place"
        outside.mkdir()
        written = GH.format(python=sys.executable, folder=str(outside), ours=OURS, marker=MARKER)
        (outside / "gh").write_text(written)
        (outside / "gh").chmod(0o755)
        theirs = {"id": 3, "user": {"type": "User"}, "body": f"{MARKER}\nlook what I can write"}
        (outside / "comments.json").write_text(json.dumps([theirs]))
        return Review(tmp_path / "clone", outside, **options)

    return make


def more_epochs(root):
    change(root, "data: data.train}", "data: data.train, epochs: 5}")


ALL = [
    "Install what compiles",
    "Recipes are valid",
    "Compiled files are fresh",
    "What the change does",
    "Say so in one comment",
]


def test_a_change_is_told_in_one_comment_that_is_updated(review):
    found = review(more_epochs)
    assert found.run() == dict.fromkeys(ALL, "success"), found.output
    theirs, ours = found.comments
    assert theirs["body"].endswith("look what I can write")
    assert ours["body"].startswith(f"{MARKER}\n")
    assert "1 pipeline" in ours["body"]
    assert "num_train_epochs" in ours["body"]
    assert found.summary == ""
    assert found.run() == dict.fromkeys(ALL, "success"), found.output
    assert found.comments == [theirs, ours]
    methods = [call[call.index("--method") + 1] for call in found.calls if "--method" in call]
    assert methods == ["POST", "PATCH"]


def test_a_change_of_other_files_needs_no_comment(review):
    found = review(lambda root: (root / "README.md").write_text("hello\n"))
    assert found.run() == dict.fromkeys(ALL, "success"), found.output
    assert len(found.comments) == 1


def test_a_comment_is_updated_when_the_change_is_taken_back(review):
    found = review(lambda root: (root / "README.md").write_text("hello\n"))
    theirs = found.comments[0]
    old = {"id": 8, "user": {"type": "Bot"}, "body": f"{MARKER}\nan earlier difference"}
    (found.outside / "comments.json").write_text(json.dumps([theirs, old]))
    found.run()
    assert len(found.comments) == 2
    assert "an earlier difference" not in found.comments[1]["body"]


def test_a_broken_recipe_is_annotated_on_its_line(review):
    found = review(lambda root: change(root, "kind: sft", "kind: sfft"), compiled=False)
    outcomes = found.run()
    assert outcomes == {
        **dict.fromkeys(ALL, "success"),
        "Recipes are valid": "failure",
        "Compiled files are fresh": "skipped",
    }, found.output
    assert "::error file=recipes/small.yaml,line=8,col=" in found.output["Recipes are valid"]
    assert "cannot be compared" in found.comments[1]["body"]


def test_forgotten_compiling_fails(review):
    found = review(more_epochs, compiled=False)
    outcomes = found.run()
    assert outcomes == {**dict.fromkeys(ALL, "success"), "Compiled files are fresh": "failure"}, found.output
    told = found.output["Compiled files are fresh"]
    assert "error[R0405]: pipelines/small is stale: train.sh" in told
    assert "::error title=R0405::compiled files do not say what their recipes say" in told
    assert "num_train_epochs" in found.comments[1]["body"]


def test_a_fork_gets_a_summary(review):
    found = review(more_epochs, fork=True)
    assert found.run() == dict.fromkeys(ALL, "success"), found.output
    assert found.calls == []
    assert found.summary.startswith(f"{MARKER}\n")
    assert "num_train_epochs" in found.summary
    assert "::notice title=recipe diff::this run cannot write a comment" in found.output["Say so in one comment"]


def test_a_token_that_may_not_write_gets_a_summary(review):
    found = review(more_epochs)
    (found.outside / "forbidden").touch()
    assert found.run() == dict.fromkeys(ALL, "success"), found.output
    assert len(found.calls) == 1
    assert "num_train_epochs" in found.summary


def test_a_base_that_is_not_in_the_clone_fails(review):
    found = review(more_epochs)
    git(found.root, "checkout", "--quiet", "--orphan", "alone")
    commit(found.root)
    outcomes = found.run()
    assert outcomes["What the change does"] == "failure"
    assert outcomes["Say so in one comment"] == "skipped"
    assert "error[R0420]: the repository has no revision `HEAD^1`" in found.output["What the change does"]


def test_what_a_recipe_says_is_never_run(review):
    evil = "$(touch pwned) `touch pwned` ${{ github.token }} '; touch pwned; '"

    def edit(root):
        change(root, "name: small", f"name: small\ndescription: {json.dumps(evil)}")
        git(root, "mv", "recipes/small.yaml", "recipes/$(touch pwned) `touch pwned`.yaml")

    found = review(edit)
    assert "failure" not in found.run().values(), found.output
    assert not list(found.root.parent.rglob("pwned"))


# The files themselves


def test_a_script_gets_what_others_wrote_as_environment():
    """GitHub puts `${{ }}` into the text of a script before the shell reads it."""
    assert len(shell_steps()) == 5
    for step in shell_steps():
        assert "${{" not in step["run"], step["name"]


def test_the_marker_is_the_one_of_the_difference():
    assert OURS in steps()[-1]["run"]
    assert f'startswith("{MARKER}")' in OURS


def test_the_filter_finds_only_our_comment():
    """In jq, whose language gh speaks."""
    comments = [
        {"id": 1, "user": {"type": "User"}, "body": f"{MARKER}\n"},
        {"id": 2, "user": {"type": "Bot"}, "body": "hello"},
        {"id": 3, "user": {"type": "Bot"}, "body": f"{MARKER}\nrest"},
        {"id": 4, "user": {"type": "Bot"}, "body": f"see {MARKER}"},
    ]
    assert jq.compile(OURS).input_value(comments).all() == [3]


@pytest.mark.parametrize("step", shell_steps(), ids=lambda step: step["name"])
def test_scripts_are_in_order(step, tmp_path):
    (tmp_path / "script").write_text(f"#!/usr/bin/env bash\nset -eo pipefail\n{step['run']}\n")
    command = [BIN / "shellcheck", "--severity", "style", tmp_path / "script"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_other_actions_are_pinned_by_their_commit():
    lines = [line for path in (ACTION, WORKFLOW) for line in path.read_text().splitlines() if "uses:" in line]
    assert len(lines) == 3
    for line in lines:
        assert re.search(r"uses: (\./\S+|[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$", line), line


def test_the_workflow_may_do_as_little_as_it_can():
    workflow = load(WORKFLOW)
    assert list(workflow["on"]) == ["pull_request"]  # never `pull_request_target`, which would give forks our token
    assert workflow["permissions"] == {}
    (job,) = workflow["jobs"].values()
    assert job["permissions"] == {"contents": "read", "pull-requests": "write"}
    checkout, action = job["steps"]
    assert checkout["with"] == {"fetch-depth": "2", "persist-credentials": "false"}
    assert action == {"uses": "./.github/actions/recipe-review"}


def test_only_the_light_requirements_are_installed():
    assert steps()[1]["run"] == INSTALL
    locked = (ROOT / "requirements/base.txt").read_text()
    assert "--hash=sha256:" in locked
    assert not re.search(r"^(torch|transformers|dvc|ms-swift)==", locked, re.MULTILINE)
