"""Components: what moves a key moves a component that names it, and `recipe hash --explain` shows them all."""

import copy
import itertools
import json
import sys
from unittest import mock

import pytest
from compiling import SMALL, plans, project, quoted, recipe
from hash_vectors import injected, placed
from vector_recipes import recipes

from compiler.components import explain, of_recipe
from compiler.render import render
from schema.components import components, digest
from schema.source import parse, to_data

PLAIN = to_data(parse(SMALL.partition("variants:")[0], "small"))
NAMES = ("intent", "launch", "code", "toolchain", "lock", "inputs")


def compiled(folder, text):
    return plans(project(folder, small=text) / "small.yaml")["small"]


@pytest.fixture
def before(tmp_path):
    return compiled(tmp_path / "before", quoted(PLAIN))


def differing(old, new):
    """Stage → the components that differ."""
    pairs = {name: (found, explain(new)[name]) for name, found in explain(old).items()}
    return {
        name: {part for part in NAMES if one.components[part] != other.components[part]}
        for name, (one, other) in pairs.items()
    }


@pytest.mark.parametrize(
    ("path", "value", "recipe_level", "train"),
    [
        (("stages", "train", "epochs"), 2, {"intent", "launch"}, {"intent", "launch"}),
        (("hardware", "threads"), 2, {"intent", "launch"}, {"intent", "launch"}),
        (("stages", "train", "description"), "words", set(), set()),
        (("description",), "words", set(), set()),
        (("stages", "train", "logging"), {"every": "1 steps"}, {"intent"}, {"intent"}),
        (("models", "base", "revision"), "v2", {"intent", "inputs"}, {"intent", "inputs"}),
        (("datasets", "digits", "size"), 56, {"intent", "launch"}, {"inputs"}),
        (("stages", "train", "data"), "data.validation", {"intent", "inputs"}, {"intent", "inputs"}),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else None,
)
def test_a_change_names_its_component(tmp_path, before, path, value, recipe_level, train):
    changed = copy.deepcopy(PLAIN)
    place = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    after = compiled(tmp_path / "after", quoted(changed))
    assert {part for part in NAMES if of_recipe(before)[part] != of_recipe(after)[part]} == recipe_level
    assert differing(before, after)["train"] == train
    assert (before.stage("train").key != after.stage("train").key) == bool(train & {"launch", "inputs"})


def test_code_and_toolchain_name_themselves(tmp_path, before):
    identity = sys.modules["compiler.passes.identity"]
    with mock.patch.object(identity, "digests", lambda modules: dict.fromkeys(modules, "0")):
        other_code = compiled(tmp_path / "code", quoted(PLAIN))
    with mock.patch.object(identity, "packages", lambda *names, within: dict.fromkeys(names, "0")):
        other_tools = compiled(tmp_path / "tools", quoted(PLAIN))
    for other, part in ((other_code, "code"), (other_tools, "toolchain")):
        assert differing(before, other) == {"data": {part}, "train": {part, "inputs"}, "answers": {part, "inputs"}}
        assert {name for name in NAMES if of_recipe(before)[name] != of_recipe(other)[name]} == {part}


def test_keys_are_equal_exactly_when_components_are(tmp_path):
    """Over all golden vectors: no key moves without a component, and no component without its key."""
    found = []
    with injected():
        for number, text in enumerate(text for cases in recipes().values() for text in cases.values()):
            file = placed(tmp_path / str(number), text)
            found += [stage for plan in plans(file).values() for stage in explain(plan).items()]
    decisive = ("launch", "code", "toolchain", "lock", "inputs")
    whole = {tuple(stage.components[part] for part in decisive): stage.key for _, stage in found}
    assert len(set(whole.values())) == len(whole) > 200
    own = {tuple(stage.components[part] for part in decisive[:4]): stage.own for _, stage in found}
    assert len(set(own.values())) == len(own) > 100


def test_every_part_of_an_identity_belongs_to_a_component(before):
    identity = before.stage("train").identity
    for name in identity:
        moved = components(identity | {name: "another"})
        assert sum(moved[part] != value for part, value in components(identity).items()) == 1


def test_parts_of_a_launch(before):
    identity, found = before.stage("data").identity, explain(before)["data"]
    assert found.launch == {
        "commands": digest(identity["launch"]),
        "env": digest(identity["env"]),
        "files.prepare": digest(identity["files"]["prepare"]),
    }


def test_another_name_keeps_all_but_the_intent_of_the_recipe(tmp_path, before):
    after = plans(project(tmp_path / "a", small=quoted(PLAIN | {"name": "other"})) / "small.yaml")["other"]
    assert differing(before, after) == {"data": set(), "train": set(), "answers": set()}
    assert {name for name in NAMES if of_recipe(before)[name] != of_recipe(after)[name]} <= {"intent"}


# The command


def test_explain(tmp_path, before):
    project(tmp_path, small=quoted(PLAIN))
    code, out, err = recipe(tmp_path, "hash", "small", "--explain")
    assert (code, err[:10]) == (0, "not pinned")
    sections = out.split("\n\n")
    assert [section.splitlines()[0] for section in sections] == [
        "recipe small",
        "stage data (prepare)",
        "stage train (sft)",
        "stage answers (predict)",
    ]
    assert f"  hash       {before.recipe_hash}\n" in sections[0]
    for section, (name, found) in zip(sections[1:], explain(before).items(), strict=True):
        assert f"  key        {found.key}\n  own        {found.own}\n" in section
        assert all(f"  {part:9}  {value or 'none: not pinned'}" in section for part, value in found.components.items())
        words = section.split()
        for part, value in itertools.chain(found.launch.items(), found.code.items(), found.toolchain.items()):
            assert words[words.index(part) + 1] == value, name
    assert f"    data   {before.stage('data').key}  data/train.jsonl" in sections[2]
    assert '    model  unpinned {"model": "tiny/qwen2-vl", "revision": null}' in sections[2]


def test_explain_for_programs(tmp_path, before):
    project(tmp_path, small=quoted(PLAIN))
    plain, explained = (
        json.loads(recipe(tmp_path, "hash", "small", "--format", "json", *more)[1]) for more in ((), ["--explain"])
    )
    assert explained["format_version"] == 1
    assert list(explained) == [*plain, "components", "explained"]
    assert {name: explained[name] for name in plain} == plain
    assert explained["components"] == of_recipe(before)
    assert list(explained["components"]) == list(NAMES)
    assert list(explained["explained"]) == ["data", "train", "answers"]
    for name, stage in explained["explained"].items():
        assert list(stage) == ["key", "own", "components", "launch", "code", "toolchain", "inputs"]
        assert list(stage["components"]) == list(NAMES)
        assert stage["key"] == plain["stages"][name]


def test_components_follow_from_the_compiled_files(before):
    """So a run record, which only knows those, has the same ones."""
    files = render(before)
    for name, found in explain(before).items():
        assert components(json.loads(files[f"{name}.json"])).items() <= found.components.items()
