"""Helpers: a project in a folder of its own, and what its recipes compile to."""

import contextlib
import gc
import io
import json
import os
import re
import sys
from pathlib import Path
from unittest import mock

import pytest

from compiler import cli
from compiler.compilation import compiled
from compiler.render import render
from schema.load import load

ROOT = Path(__file__).parent.parent
SMALL = """\
version: 1
name: small
models: {base: {id: tiny/qwen2-vl, dtype: float32}}
datasets: {digits: {kind: digits, split: {validation: 0.2}}}
hardware: {gpus: 0}
stages:
  data: {kind: prepare, dataset: digits}
  train: {kind: sft, model: base, data: data.train}
  answers: {kind: predict, model: train, data: data.validation}
variants:
  long: {stages: {train: {epochs: 3}}}
  short: {stages: {train: {max_steps: 2}}}
"""


def project(folder, **recipes):
    """A project whose recipes have these texts; the folder of its recipes."""
    (folder / ".git").mkdir(parents=True, exist_ok=True)
    (folder / "recipes").mkdir(exist_ok=True)
    for name, text in recipes.items():
        (folder / "recipes" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder / "recipes"


def plans(path, sets=()):
    """Label → plan, of all instances of a recipe file."""
    return {plan.label: plan for plan in compiled(load(path, {}, sets))}


def files(path):
    """Path below the project → text, of all compiled files of a recipe."""
    return {f"{plan.pipeline}/{name}": text for plan in plans(path).values() for name, text in render(plan).items()}


def launched(argv):
    """A command line, or two: what a launcher reads itself, and the program that it starts."""
    if "runners.ask" in argv:
        return [argv[argv.index("--start") + 1 :]]
    if argv[:2] != ["accelerate", "launch"]:
        return [argv]
    place = argv.index("-m")
    return [argv[:place] + argv[place : place + 2], ["python", *argv[place:]]]


@contextlib.contextmanager
def without_code():
    """Identities without the digests of our own runners, which change with every line of them."""
    with mock.patch.object(sys.modules["compiler.passes.identity"], "digests", lambda modules: {}):
        yield


def recipe(root, *arguments):
    """Run the program as if called in a folder: exit code, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(root),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["recipe", *map(str, arguments)]),
        mock.patch.dict(os.environ),
        pytest.raises(SystemExit) as ended,
    ):
        cli.main()
    gc.enable()  # which the program turns off
    assert "Traceback" not in err.getvalue()
    return ended.value.code or 0, out.getvalue(), err.getvalue()


def tree(folder):
    """Path → bytes, of all files below a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def change(root, old, new, name="small"):
    path = root / "recipes" / f"{name}.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def quoted(recipe):
    """YAML in which every text stands in double quotes, and what cannot be seen as an escape."""
    text = json.dumps(recipe, ensure_ascii=False)
    return re.sub(r"[^\x20-\x7e]", lambda match: f"\\U{ord(match[0]):08x}", text)
