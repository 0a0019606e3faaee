"""Helpers: a project in a folder of its own, and what its recipes compile to."""

import sys
from contextlib import contextmanager
from unittest import mock

from compiler.compilation import compiled
from compiler.render import render
from schema.load import load


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


@contextmanager
def without_code():
    """Identities without the digests of our own runners, which change with every line of them."""
    with mock.patch.object(sys.modules["compiler.passes.identity"], "digests", lambda modules: {}):
        yield
