"""Golden vectors: what a recipe's keys once were they stay, as long as the version of the schema stays.

`pytest tests/test_vectors.py --renew` adds what is new in tests/vector_recipes.py to tests/vectors. It writes a recorded
entry anew only when the version of the schema is another.
"""

import json
import os
import re
import subprocess
import sys
from unittest import mock

import pytest
from hash_vectors import HERE, keys, recorded
from vector_recipes import recipes

from compiler.backends import ms_swift
from schema.recipe import VERSION

MOVED = """\
{what}
An old recipe has another key: its results would be made again, and no old run would be found under it.
Either this change is a mistake: make new fields and options leave the launch of a recipe that does not use them alone.
Or it is a decision: then it needs a new version of the schema, and `pytest tests/test_vectors.py --renew`.
"""
HOSTILE = {
    "PYTHONHASHSEED": "4242",
    "TZ": "Pacific/Chatham",
    "LC_ALL": "tr_TR.UTF-8",
    "LANG": "de_DE",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "COLUMNS": "20",
    "CUDA_VISIBLE_DEVICES": "7",
    "OMP_NUM_THREADS": "3",
    "MAX_PIXELS": "1",
    "NPROC_PER_NODE": "8",
    "WORLD_SIZE": "8",
    "HF_HOME": "elsewhere",
    "USE_HF": "1",
    "MODELSCOPE_CACHE": "elsewhere",
}
"""An environment in which nothing is as it was when the vectors were recorded."""


@pytest.fixture(scope="module", autouse=True)
def renewed(request):
    if request.config.getoption("--renew"):
        for family, cases in recipes().items():
            renew(HERE / f"{family}.json", recorded().get(family), cases)


def renew(file, known, cases):
    """Add the cases that are not recorded; refuse to change one that is, unless the schema is another."""
    vectors = known["vectors"] if known and known["version"] == VERSION else {}
    moved = moves(vectors)
    assert not moved, MOVED.format(what="\n".join(moved))
    new = {case: {"recipe": text, "instances": keys(text)} for case, text in cases.items() if case not in vectors}
    lines = ",\n".join(f"  {json.dumps(case)}: {dumped(vector)}" for case, vector in (vectors | new).items())
    file.parent.mkdir(exist_ok=True)
    file.write_text(f'{{"version": {VERSION}, "vectors": {{\n{lines}\n}}}}\n', encoding="utf-8")


def dumped(vector):
    return json.dumps(vector, ensure_ascii=False)


def moves(vectors):
    """What is no longer as it was recorded, one line for each recipe hash or stage."""
    found = {case: keys(vector["recipe"]) for case, vector in vectors.items()}
    return [line for case, vector in vectors.items() for line in changes(case, vector["instances"], found[case])]


def changes(case, old, new):
    for label in old.keys() | new.keys():
        if label not in old or label not in new:
            yield f"{case}: instance {label} {'appeared' if label in new else 'is gone'}"
        elif old[label] != new[label]:
            stages = old[label]["stages"].keys() | new[label]["stages"].keys()
            before, after = old[label]["stages"], new[label]["stages"]
            own = sorted(s for s in stages if before.get(s, [""])[0] != after.get(s, [""])[0])
            key = sorted(s for s in stages if before.get(s) != after.get(s))
            yield f"{case}: {label} moved; other launches: {', '.join(own) or 'none'}; other keys: {', '.join(key) or 'none'}"


FAMILIES = sorted(recorded().keys() | recipes().keys())


def test_there_are_vectors():
    """Enough, of all families, and few enough bytes to be read in a review."""
    assert recorded().keys() >= recipes().keys()
    assert sum(len(known["vectors"]) for known in recorded().values()) >= 200
    assert sum(path.stat().st_size for path in HERE.glob("*.json")) < 300_000


@pytest.mark.parametrize("family", FAMILIES)
def test_no_old_hash_moves(family):
    known = recorded()[family]
    assert known["version"] == VERSION, "the schema has a new version: run pytest tests/test_vectors.py --renew"
    moved = moves(known["vectors"])
    assert not moved, MOVED.format(what="\n".join(moved))


@pytest.mark.parametrize("family", recipes())
def test_every_recipe_of_the_family_is_recorded(family):
    known = {case: vector["recipe"] for case, vector in recorded().get(family, {"vectors": {}})["vectors"].items()}
    cases = recipes()[family]
    assert [case for case in cases if case not in known] == [], "run pytest tests/test_vectors.py --renew"
    changed = [case for case in cases if known[case] != cases[case]]
    assert changed == [], "a recorded recipe stays as it is: give another one another name"


def test_equal_in_a_hostile_environment(tmp_path):
    """Another seed of hashes, locale, time zone, folder and order, and variables that engines would listen to."""
    command = (sys.executable, str(HERE.parent / "hash_vectors.py"))
    env = os.environ | HOSTILE
    ran = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    expected = {f: {case: v["instances"] for case, v in known["vectors"].items()} for f, known in recorded().items()}
    assert json.loads(ran.stdout) == expected


def test_what_is_recorded_is_digests():
    stages = [
        (instance["hash"], *pair)
        for known in recorded().values()
        for vector in known["vectors"].values()
        for instance in vector["instances"].values()
        for pair in instance["stages"].values()
    ]
    assert len(stages) > 500
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digests in stages for digest in digests)


# The machinery itself


@pytest.mark.parametrize(
    ("table", "families"),
    [
        ("SFT_DEFAULTS", set(FAMILIES)),
        ("INFER_DEFAULTS", {"engine", "locked", "stages"}),
        ("EXPORT_DEFAULTS", {"locked", "stages"}),
    ],
)
def test_a_default_that_changes_is_noticed(table, families):
    with mock.patch.dict(getattr(ms_swift, table), {"use_chat_template": False}):
        assert {family for family in FAMILIES if moves(recorded()[family]["vectors"])} == families


def test_renewing_refuses_to_move_a_hash(tmp_path):
    file, known = small(tmp_path)
    known["vectors"]["seed"]["instances"]["vector"]["stages"]["train"][1] = "0" * 64
    with pytest.raises(AssertionError, match=r"seed: vector moved; other launches: none; other keys: train\n"):
        renew(file, known, {})
    with pytest.raises(AssertionError, match="new version of the schema"):
        renew(file, known, {"another": "version: 1\n"})


def test_renewing_keeps_what_is_recorded_and_adds_what_is_new(tmp_path):
    file, known = small(tmp_path)
    before = file.read_text("utf-8")
    renew(file, known, {"seed": "never read", "other": recipes()["training"]["seed-1"]})
    after = json.loads(file.read_text("utf-8"))
    assert after["vectors"]["seed"] == json.loads(before)["vectors"]["seed"]
    assert list(after["vectors"]) == ["seed", "other"]


def test_another_version_records_everything_anew(tmp_path):
    file, known = small(tmp_path)
    known["version"] = VERSION - 1
    renew(file, known, {"other": recipes()["training"]["seed-1"]})
    assert list(json.loads(file.read_text("utf-8"))["vectors"]) == ["other"]


def small(folder):
    """A file with one vector, and its content."""
    file = folder / "small.json"
    renew(file, None, {"seed": recipes()["training"]["seed-0"]})
    return file, json.loads(file.read_text("utf-8"))
