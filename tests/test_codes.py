"""Codes and pages are one list: each code of the sources has its page, each page's code is used, its examples do as told."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compiler.validation import findings
from schema.explain import known_codes, page
from schema.recipe import Recipe
from schema.source import parse
from schema.tree import to_data

ROOT = Path(__file__).parents[1]
LINES = 40
EXAMPLE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^# (\S+\.yaml)\n", re.MULTILINE)

COMPLETE = """
version: 1
name: animals
models: {base: {id: Qwen/Qwen2-VL-2B-Instruct}}
datasets: {animals: {kind: image-folder, path: data/animals, split: {validation: 0.2}}}
stages:
  data: {kind: prepare, dataset: animals}
  train: {kind: sft, model: base, data: data.train}
  merged: {kind: merge, adapter: train}
  answers: {kind: predict, model: merged, data: data.validation}
  scores: {kind: evaluate, predictions: answers}
"""
"""What an example leaves out. Its entries of `models`, `datasets` and `stages` replace these one by one."""


def used_codes():
    """Code → the files that hold it as a text of its own; a docstring that mentions a code does not use it."""
    used = {}
    for package in ("schema", "compiler", "runners"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Constant)
                    and isinstance(node.value, str)
                    and re.fullmatch(r"R0\d{3}", node.value)
                ):
                    used.setdefault(node.value, []).append(str(path.relative_to(ROOT)))
    return used


def examples(code, language):
    """The wrong and the right example of a page, where both are in a language."""
    found = [body for written, body in EXAMPLE.findall(page(code)) if written == language]
    return found if len(found) == 2 else []


def files_of(example):
    """The YAML of an example by file: one recipe, or files that it names in a comment above each."""
    before, *rest = FILE.split(example)
    named = dict(zip(rest[::2], rest[1::2], strict=True))
    return named if named and not before.strip() else {"recipes/animals.yaml": example}


def completed(text):
    """A recipe with what its example leaves out; None where the example is a part of something else."""
    own, whole = to_data(parse(text, "example")), to_data(parse(COMPLETE, "complete"))
    if not own.keys() <= Recipe.model_fields.keys():
        return None
    for name, value in own.items():
        whole[name] = whole[name] | value if name in ("models", "datasets", "stages") else value
    return json.dumps(whole)


def is_recipe(example):
    return completed(next(iter(files_of(example).values()))) is not None


RULES = [code for code in known_codes() if "R0100" <= code < "R0500"]
RECIPES = [code for code in RULES if examples(code, "yaml") and all(map(is_recipe, examples(code, "yaml")))]
COMMANDS = [code for code in RULES if "$EDITOR" in page(code) or "\nrecipe " in page(code)]


def test_there_are_cases():
    assert len(RECIPES) >= 25
    assert len(COMMANDS) >= 4


def test_every_code_has_its_page():
    assert {code: files for code, files in used_codes().items() if code not in known_codes()} == {}


def test_every_page_has_a_use():
    assert set(known_codes()) - used_codes().keys() == set()


def test_every_page_has_a_rule_of_its_own():
    rules = [page(code).partition("\n")[0] for code in known_codes()]
    assert all(rule.startswith("# ") for rule in rules)
    assert sorted(set(rules)) == sorted(rules)


@pytest.mark.parametrize("code", known_codes())
def test_a_page_is_read_at_one_sight(code):
    assert len(page(code).splitlines()) <= LINES
    assert page(code).endswith("\n")
    assert not page(code).endswith("\n\n")


@pytest.mark.parametrize("code", RECIPES)
def test_recipes_are_what_their_page_says(code, tmp_path, monkeypatch, request):
    """The wrong recipe breaks this rule and no other; the right one breaks none, up to the options of its engines.

    A warning about a package that is not locked (R0314) is no fault of an example about something else.
    """
    monkeypatch.chdir(tmp_path)
    wrong, right = (found_in(example) for example in examples(code, "yaml"))
    assert {diagnostic.code for diagnostic in wrong} - ({"R0314"} - {code}) == {code}
    assert {diagnostic.code for diagnostic in right} <= {"R0314"} - {code}


def found_in(example):
    """What is wrong with the first file of an example."""
    files = files_of(example)
    first, *others = files
    for name in others:
        write(name, files[name])
    return findings(write(first, completed(files[first])), {})


def write(name, text):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with the recipe that the pages call by name, compiled."""
    root = tmp_path_factory.mktemp("project")
    (root / "recipes").mkdir()
    (root / ".git").mkdir()
    shutil.copy(ROOT / "recipes" / "animals-lora.yaml", root / "recipes")
    (root / "editor").write_text(
        '#!/bin/sh\nsed "s/epochs: 2/epochs: 3/" "$1" > new && mv new "$1"\n', encoding="utf-8"
    )
    (root / "editor").chmod(0o755)
    assert run("recipe compile recipes/animals-lora.yaml", root) == (0, [])
    return root


def run(script, root):
    """The exit code of a script in a project, and the codes that it shows."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "EDITOR": "./editor"}
    done = subprocess.run(["sh", "-c", script], cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, re.findall(r"^error\[(R\d{4})\]", done.stderr, re.MULTILINE)


@pytest.mark.parametrize("code", COMMANDS)
def test_commands_do_what_their_page_says(code, project, tmp_path):
    """Wrong: each command that calls a verb, or the last one after the others, ends with this code. Right: all succeed."""
    wrong, right = examples(code, "sh")
    calls = [line for line in wrong.splitlines() if line.startswith("recipe ")]
    for number, script in enumerate(calls if len(calls) > 1 else [wrong]):
        root = shutil.copytree(project, tmp_path / f"wrong-{number}")
        status, codes = run(script, root)
        assert status == 1
        assert set(codes) == {code}
    root = shutil.copytree(project, tmp_path / "right")
    assert run(f"set -e\n{right}", root) == (0, [])
