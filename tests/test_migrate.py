"""`recipe migrate`: golden recipes of version 0, what is told of them, and that they mean what they meant.

`migrate/CASE/before` becomes `migrate/CASE/after`, and the program says `migrate/CASE/told.txt`.
`pytest tests/test_migrate.py --renew` writes both anew; look at the difference.
"""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import v0_language
from compiling import ROOT, project, quoted, recipe, tree

from compiler.passes import PASSES, build
from compiler.render import render
from compiler.write import write
from schema import migrate
from schema.load import load
from schema.migrate.changes import Move, Remove
from schema.migrate.edit import edited
from schema.recipe import OLDEST, VERSION
from schema.source import parse
from schema.tree import find, to_data

CASES = Path(__file__).parent / "migrate"
NAMES = sorted(path.parent.name for path in CASES.glob("*/before"))
LOSES = {"seeds": ["seeds"]}
"""Case → instances that version 1 cannot say; every other one keeps its hash."""
HASH = re.compile(r"\b[0-9a-f]{12}\b")
"""Hashes move with the code of our runners and the versions of the engines; whether they are kept does not."""
OLD = """\
version: 0
name: old
models: {base: {id: tiny/qwen2-vl, dtype: float32}}
datasets: {digits: {kind: digits, split: {validation: 0.2}}}
hardware: {gpus: 0}
stages:
  data: {kind: prepare, dataset: digits}
  train: {kind: sft, model: base, data: data.train, learning_rate: 1e-4, batch_size: 2}
"""


def started(root, case):
    """A project with the recipes of a case."""
    project(root)
    shutil.copytree(CASES / case / "before", root / "recipes", dirs_exist_ok=True)
    return root


def named(root):
    """The recipes of a project."""
    return sorted(path.relative_to(root).as_posix() for path in (root / "recipes").glob("*.yaml"))


def compile_meaning(root):
    """Compile what the recipes mean, by the other description of version 0, to where the recipes compile to."""
    for file in named(root):
        seeds = v0_language.shuffle_seeds(root / file)
        for variant, meant in v0_language.meaning(root / file).items():
            place = root / "meaning" / f"{variant}.yaml"
            place.parent.mkdir(exist_ok=True)
            place.write_text(quoted(meant), encoding="utf-8")
            plan = build(load(place, {}), None, launched_with(seeds[variant]))
            instance = replace(plan.instance, variant=variant)
            plan = replace(plan, instance=instance, file=file)
            write(root / plan.pipeline, render(plan))


def launched_with(seeds):
    """The passes of a compiler of version 0, in which the order of rows could have a seed of its own."""

    def shuffled(plan):
        return replace(plan, stages=tuple(with_seed(s, seeds[s.name]) if s.name in seeds else s for s in plan.stages))

    at = [step.__name__ for step in PASSES].index("launch") + 1
    return (*PASSES[:at], shuffled, *PASSES[at:])


def with_seed(stage, seed):
    commands = [
        replace(c, options={**c.options, "data_seed": seed}) if "data_seed" in c.options else c
        for c in stage.launch.commands
    ]
    assert commands != list(stage.launch.commands) or seed in [c.options.get("data_seed") for c in commands]
    return replace(stage, launch=replace(stage.launch, commands=tuple(commands)))


def told(root, *arguments, code=0):
    ended, out, err = recipe(root, "migrate", *arguments)
    assert ended == code, out + err
    return out


def test_there_are_cases():
    assert len(NAMES) >= 6
    assert set(NAMES) >= LOSES.keys()


@pytest.mark.parametrize("case", NAMES)
def test_a_recipe_becomes_what_is_written_down(case, tmp_path, request):
    root = started(tmp_path, case)
    compile_meaning(root)
    said = HASH.sub("HASH", told(root, *named(root)))
    after, golden = tree(root / "recipes"), CASES / case / "after"
    if request.config.getoption("--renew"):
        shutil.rmtree(golden, ignore_errors=True)
        shutil.copytree(root / "recipes", golden)
        (CASES / case / "told.txt").write_text(said, encoding="utf-8")
    assert after == tree(golden)
    assert said == (CASES / case / "told.txt").read_text("utf-8")


@pytest.mark.parametrize("case", NAMES)
def test_a_recipe_means_what_it_meant(case, tmp_path):
    """Every instance has the hash of its meaning, which is compiled and committed."""
    root = started(tmp_path, case)
    compile_meaning(root)
    said = told(root, *named(root))
    instances = [line for line in said.splitlines() if "  hash " in line]
    assert len(instances) == len(list((root / "pipelines").rglob("manifest.json"))) >= 1
    moved = [line.split()[0] for line in instances if "  hash kept " not in line]
    assert moved == LOSES.get(case, [])
    assert recipe(root, "validate")[0] == 0


@pytest.mark.parametrize("case", NAMES)
def test_twice_changes_nothing(case, tmp_path):
    root = started(tmp_path, case)
    told(root, *named(root))
    once = tree(root / "recipes")
    assert told(root, *named(root)) == "".join(
        f"{file}  is of version 1, the present one: nothing to do\n" for file in named(root)
    )
    assert told(root, "--check", *named(root))
    assert tree(root / "recipes") == once


@pytest.mark.parametrize("case", NAMES)
def test_comments_and_order_survive(case, tmp_path):
    """Every comment that stood there stands there; what no transform is about keeps its bytes and its order."""
    root = started(tmp_path, case)
    before = tree(root / "recipes")
    told(root, *named(root))
    for name, old in before.items():
        new = (root / "recipes" / name).read_text("utf-8")
        wanted = [line.partition("#")[2] for line in old.decode().splitlines() if "#" in line]
        assert [comment for comment in wanted if comment not in new] == []
        kept = [line for line in old.decode().splitlines() if line in set(new.splitlines())]
        assert [line for line in new.splitlines() if line in set(kept)] == kept
        assert len(kept) >= len(old.splitlines()) / 4


def test_the_steps_lead_from_the_oldest_version_to_the_present_one():
    assert [step.FROM for step in migrate.STEPS] == list(range(OLDEST, VERSION))
    assert [step.TO for step in migrate.STEPS] == list(range(OLDEST + 1, VERSION + 1))
    for step in migrate.STEPS:
        assert len(step.TRANSFORMS) >= 1
        assert all(transform.__doc__ for transform in step.TRANSFORMS)


# What cannot be kept


def test_a_hash_that_moves_says_why(tmp_path):
    """Only where the seed of the rows was another one: the variants have the same seed for everything."""
    root = started(tmp_path, "seeds")
    compile_meaning(root)
    said = told(root, "recipes/seeds.yaml").splitlines()
    moved = next(number for number, line in enumerate(said) if line.startswith("seeds  hash moved "))
    assert said[moved + 1 : moved + 3] == ["  train: data_seed 11 → 7", "  answers: follows train"]
    assert [line.split()[:3] for line in said[moved + 3 : -1]] == [
        ["seeds/same-seed", "hash", "kept"],
        ["seeds/eleven", "hash", "kept"],
    ]
    assert said[-1] == "recipes/seeds.yaml  look at what moved, then run `recipe compile recipes/seeds.yaml`"
    assert [line for line in said if "cannot be kept" in line] == [
        "recipes/seeds.yaml:13  cannot be kept: train: rows came in the order of shuffle_seed 11, and come in that of seed 7"
    ]


def test_a_pipeline_of_another_recipe_is_no_proof(tmp_path):
    root = project(tmp_path, old=OLD).parent
    compile_meaning(root)
    manifest = root / "pipelines" / "old" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("recipes/old.yaml", "recipes/other.yaml"))
    assert "no compiled pipeline to compare with" in told(root, "recipes/old.yaml")


def test_a_committed_stage_that_cannot_be_read_is_said(tmp_path):
    root = project(tmp_path, old=OLD).parent
    compile_meaning(root)
    manifest = json.loads((root / "pipelines/old/manifest.json").read_text())
    manifest |= {"recipe_hash": "0" * 64, "stages": manifest["stages"] | {"gone": {}}}
    manifest["stages"]["train"]["key"] = "0" * 64
    del manifest["stages"]["data"]
    (root / "pipelines/old/manifest.json").write_text(json.dumps(manifest))
    (root / "pipelines/old/train.json").write_text("broken")
    assert told(root, "recipes/old.yaml").splitlines()[-4:-1] == [
        "  data: was not there",
        "  train: its committed identity cannot be read",
        "  gone: is not there any more",
    ]


# Options


def test_check_and_diff_write_nothing(tmp_path):
    root = project(tmp_path, old=OLD).parent
    before = tree(root)
    assert "recipes/old.yaml  would be migrated from version 0 to 1" in told(root, "--check", code=1)
    shown = told(root, "--diff").splitlines()
    assert shown[:2] == ["--- a/recipes/old.yaml", "+++ b/recipes/old.yaml"]
    assert [line for line in shown if "version" in line] == ["-version: 0", "+version: 1"]
    assert told(root, "--diff", "--check", code=1).splitlines() == shown
    assert tree(root) == before


def test_a_recipe_is_found_by_its_name(tmp_path):
    root = project(tmp_path, old=OLD).parent
    told(root, "old")
    assert (root / "recipes" / "old.yaml").read_text("utf-8").startswith("version: 1\n")


def test_current_recipes_stand_beside_old_ones(tmp_path):
    root = project(tmp_path, old=OLD, new=(ROOT / "recipes" / "quickstart.yaml").read_text("utf-8")).parent
    said = told(root)
    assert "recipes/new.yaml  is of version 1, the present one: nothing to do" in said
    assert "recipes/old.yaml  migrated from version 0 to 1" in said


# What an old recipe is elsewhere


@pytest.mark.parametrize("verb", ["validate", "compile", "show", "hash", "run"])
def test_other_verbs_refuse_an_old_recipe(verb, tmp_path):
    """Once, whatever its variants are, and without a word about fields that this version does not know."""
    root = project(tmp_path, old=OLD + "variants: {a: {seed: 1}, b: {seed: 2}}\n").parent
    code, _, err = recipe(root, verb, "recipes/old.yaml")
    assert code == 1
    assert [line for line in err.splitlines() if line.startswith("error")] == [
        "error[R0108]: version `0` of the language is old: the present one is 1"
    ]
    assert "help: run `recipe migrate recipes/old.yaml`" in err


# Ways to write YAML


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("train: {kind: sft,\r\n  batch_size: 2}\r\n", "train: {kind: sft,\r\n  batch: {micro: 2}}\r\n"),
        ("train:\r\n  kind: sft\r\n  batch_size: 2", "train:\r\n  kind: sft\r\n  batch: {micro: 2}\r\n"),
        ("train: { batch_size: 2 , kind: sft }", "train: { batch: {micro: 2} , kind: sft }"),
        ("train:\n  'batch_size':   2\n", "train:\n  batch: {micro: 2}\n"),
        ("train:\n  batch_size: &n 2\n  epochs: *n\n", "train:\n  batch: {micro: &n 2}\n  epochs: *n\n"),
        ("train: &t\n  batch_size:\n    2\n", "train: &t\n  batch: {micro: 2}\n"),
        (
            "train:\n  batch_size: 2 # a\n  batch:\n    x-note: 1\n",
            "train:\n  batch:\n    micro: 2 # a\n    x-note: 1\n",
        ),
        ("train:\n  batch_size: 2 # a\n  batch: {}\n", "train:\n  # a\n  batch: {micro: 2}\n"),
        ("train:\n  batch_size:\n", "train:\n  batch: {micro: null}\n"),
        ("train:\n  batch_size: 'a, b'\n", "train:\n  batch: {micro: 'a, b'}\n"),
        ("train:\n  batch_size: a, b\n", "train:\n  batch:\n    micro: a, b\n"),
        ("train:\n  batch_size: >\n    a\n\n    b\n", "train:\n  batch:\n    micro: >\n      a\n\n      b\n"),
    ],
)
def test_an_entry_moves_as_it_is_written(old, new):
    root = parse(old, "a.yaml")
    train = find(root, ("train",))
    moved = edited(old, root, [Move(train, "batch_size", ("batch", "micro"))])
    assert moved == new
    assert to_data(parse(new, "a.yaml"))["train"]["batch"]["micro"] == to_data(train)["batch_size"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a: {x: 1, y: 2, z: 3}", "a: {y: 2, z: 3}"),
        ("a: {y: 2, x: 1}", "a: {y: 2}"),
        ("a: { x: 1 }", "a: {  }"),
        ("a: {y: 2, # why\n  x: 1}", "a: {y: 2, # why\n  }"),
        ("a: {x: 1, # why\n  y: 2}", "a: { # why\n  y: 2}"),
        ("a:\n  x: 1\nb: 2\n", "a: {}\nb: 2\n"),
        ("a: &n\n  x: 1\nb: *n\n", "a: &n {}\nb: *n\n"),
        ("a:\n  # why\n  x: 1\n", "a: {}\n  # why\n  # x: 1\n"),
        ("a:\n  y: 2\n  x: [1,\n    2]  # two\n", "a:\n  y: 2\n  # x: [1,\n  #     2]  # two\n"),
    ],
)
def test_an_entry_goes(old, new):
    root = parse(old, "a.yaml")
    assert edited(old, root, [Remove(find(root, ("a",)), "x")]) == new


def test_bytes_before_the_text_and_permissions_stay(tmp_path):
    root = project(tmp_path).parent
    file = root / "recipes" / "old.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + OLD.replace("\n", "\r\n").encode())
    file.chmod(0o640)
    told(root)
    assert file.read_bytes().startswith(b"\xef\xbb\xbfversion: 1\r\n")
    assert b"\n" not in file.read_bytes().replace(b"\r\n", b"")
    assert file.stat().st_mode & 0o777 == 0o640
