"""Helpers: the keys of the golden vectors' recipes, with fixed digests of our code and fixed versions of packages.

python tests/hash_vectors.py       # family → case → keys as JSON, for the recorded recipes, from last to first
"""

import contextlib
import hashlib
import json
import locale
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from compiling import plans, project
from vector_recipes import LOCK

from schema import pins

HERE = Path(__file__).parent / "vectors"
LATER = {"bitsandbytes"}
"""Packages that began to count after vectors were recorded: as an upgrade does, this moves the keys of what they are part of."""


def files():
    """Family → file."""
    return {path.stem: path for path in sorted(HERE.glob("*.json"))}


def recorded():
    """Family → {"version": …, "vectors": {case: {"recipe": text, "instances": …}}}."""
    return {family: json.loads(path.read_text("utf-8")) for family, path in files().items()}


@contextlib.contextmanager
def injected():
    """Code and packages that are always the same: neither a refactoring nor an upgrade is a hash that moved."""
    identity = sys.modules["compiler.passes.identity"]
    code = mock.patch.object(identity, "digests", lambda modules: {module: _fixed(module) for module in modules})
    maker = mock.patch.object(pins, "maker", lambda: _fixed(pins.MAKER))
    versions = mock.patch.object(identity, "packages", lambda *names, within: dict.fromkeys({*names} - LATER, "1.0"))
    with code, maker, versions:
        yield


def _fixed(module):
    return hashlib.sha256(module.encode()).hexdigest()


def placed(folder, text):
    """A project with a recipe, and the lock that may stand below it; the recipe's file."""
    recipe, _, lock = text.partition(LOCK)
    recipes = project(folder, vector=recipe)
    if lock:
        (recipes / "vector.lock").write_text(lock, encoding="utf-8")
    return recipes / "vector.yaml"


def keys(text):
    """Label of an instance → its recipe hash, and stage → digest of its identity document, then its key."""
    with TemporaryDirectory() as folder, injected():
        found = plans(placed(Path(folder), text))
    return {
        label: {"hash": plan.recipe_hash, "stages": {stage.name: [stage.own, stage.key] for stage in plan.stages}}
        for label, plan in found.items()
    }


def all_keys():
    """Family → case → keys of the recorded recipes, in an order in which nobody works."""
    return {
        family: {case: keys(vector["recipe"]) for case, vector in reversed(known["vectors"].items())}
        for family, known in reversed(recorded().items())
    }


if __name__ == "__main__":
    with contextlib.suppress(locale.Error):
        locale.setlocale(locale.LC_ALL, "")
    print(json.dumps(all_keys()))
