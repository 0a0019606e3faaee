"""Keys: what cannot change a result moves none; what can moves exactly its stage and what follows from it."""

import copy
import hashlib
import json
import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import rfc8785
from compiling import ROOT, files, plans, project, quoted
from hypothesis import given, settings
from hypothesis import strategies as st
from yaml_styles import written

from compiler.passes.keys import INTENT_TAG, RECIPE_TAG, STAGE_TAG, digest
from schema.source import parse, to_data

GOLDEN = ("every-field", "classify", "sources", "engine-args", "full")
FILES = {case: ROOT / "tests" / "golden" / case / "recipe.yaml" for case in GOLDEN}
FILES |= {f"recipes/{path.stem}": path for path in sorted((ROOT / "recipes").glob("*.yaml"))}
RECIPES = {case: to_data(parse(path.read_text("utf-8"), case)) for case, path in FILES.items()}
CASES = tuple(RECIPES)
"""Recipes of all kinds, and every recipe that is shipped."""
WHOLE = {name: value for name, value in RECIPES["every-field"].items() if name not in ("variants", "axes")}


def compiled(text, **bases):
    """Label → plan."""
    with TemporaryDirectory() as folder:
        return plans(project(Path(folder), recipe=text, **bases) / "recipe.yaml")


def keys(text, **bases):
    """Label → stage → key."""
    return {label: {stage.name: stage.key for stage in plan.stages} for label, plan in compiled(text, **bases).items()}


@cache
def keys_of(case):
    return keys(quoted(RECIPES[case]))


# The digest itself


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({}, "{}"),
        ({"b": 1, "a": [True, None, "x"]}, '{"a":[true,null,"x"],"b":1}'),
        ({"n": [1.0, 1e21, 1e-7, -0.0, 0.1, 4.5, 2**53 - 1]}, '{"n":[1,1e+21,1e-7,0,0.1,4.5,9007199254740991]}'),
        # RFC 8785, section 3.2.3: names are sorted by UTF-16 code units
        (
            {"€": 1, "\r": 2, "\ufb33": 3, "1": 4, "😀": 5, "\x80": 6, "ö": 7},
            '{"\\r":2,"1":4,"\x80":6,"ö":7,"€":1,"😀":5,"\ufb33":3}',
        ),
        # RFC 8785, section 3.2.2
        ({"s": '€$\x0f\nA\'B"\\\\"/'}, '{"s":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'),
    ],
)
def test_the_digest_is_that_of_canonical_json(document, text):
    assert digest(document) == hashlib.sha256(text.encode()).hexdigest()


def test_known_digests():
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert digest({"epochs": 2}) == digest({"epochs": 2.0})
    assert digest({"on": True}) != digest({"on": 1})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53])
def test_what_json_cannot_say_exactly_has_no_digest(value):
    with pytest.raises(ValueError):
        digest({"value": value})


def test_keys_are_as_documented(tmp_path):
    """Recomputed from the compiled files alone."""
    found = files(project(tmp_path, recipe=quoted(RECIPES["classify"])) / "recipe.yaml")
    manifest = json.loads(found["pipelines/classify/manifest.json"])
    done = {}
    for name in ("data", "train", "answers", "merged", "again", "scores"):
        own = sha(json.loads(found[f"pipelines/classify/{name}.json"]))
        inputs = {role: input_of(role, path, done) for role, path in manifest["stages"][name]["inputs"].items()}
        inputs |= {"dataset": {"unpinned": {"data": "digits"}}} if name == "data" else {}
        done[name] = sha({"tag": STAGE_TAG, "own": own, "inputs": inputs})
    assert done == {name: stage["key"] for name, stage in manifest["stages"].items()}
    assert manifest["recipe_hash"] == sha({"tag": RECIPE_TAG, "stages": done})


def sha(document):
    return hashlib.sha256(rfc8785.dumps(document)).hexdigest()


def input_of(role, path, done):
    if path.startswith(".recipe/models/"):
        return {"unpinned": {"model": "tiny/qwen2-vl", "revision": None}}
    _, _, stage, *part = path.split("/")
    return {"stage": done[stage], "part": "/".join(part)}


def test_tags_are_frozen():
    """Another tag is another format: every key moves."""
    assert tuple(f"recipe-compiler/{n}/1" for n in ("stage", "recipe", "intent")) == (STAGE_TAG, RECIPE_TAG, INTENT_TAG)


# What moves nothing


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(CASES), st.integers(0, 2**64))
def test_the_way_a_recipe_is_written(case, seed):
    """Comments, blank lines, order of keys, quotes, block and flow, anchors, notes."""
    assert keys(written(RECIPES[case], random.Random(seed))) == keys_of(case)


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(CASES), st.integers(0, 2**64))
def test_what_stands_in_a_base(case, seed):
    rng = random.Random(seed)
    own, first, second = split(RECIPES[case], rng), {}, {}
    for path, value in own.pop("moved"):
        put(rng.choice([first, second]), path, value)
    own["extends"] = ["first.yaml", "second.yaml"]
    assert keys(quoted(own), first=quoted(first), second=quoted(second)) == keys_of(case)


def split(recipe, rng, path=()):
    """A copy without some of its values, which stand under `moved` with their paths."""
    kept, moved = {}, []
    for name, value in recipe.items():
        if isinstance(value, dict) and name not in ("variants", "axes", "args", "lr_scheduler_kwargs") and value:
            kept[name] = split(value, rng, (*path, name))
            moved += kept[name].pop("moved")
        elif name != "kind" and rng.random() < 0.5:
            moved.append(((*path, name), value))
        else:
            kept[name] = copy.deepcopy(value)
    return kept | {"moved": moved}


def put(tree, path, value):
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value


@pytest.mark.parametrize("case", CASES)
def test_defaults_that_are_written_out(case):
    for label, plan in compiled(quoted(RECIPES[case])).items():
        recipe = plan.instance.recipe.model_dump(mode="json", by_alias=True)
        (again,) = compiled(quoted(recipe)).values()
        assert again.recipe_hash == plan.recipe_hash, label
        assert again.intent == plan.intent


@pytest.mark.parametrize("case", CASES)
def test_another_name_and_another_place(case, tmp_path):
    found = keys(quoted(RECIPES[case] | {"name": "another", "description": "of another name"}))
    assert list(found.values()) == list(keys_of(case).values())
    deep = project(tmp_path / "another" / "place", recipe=quoted(RECIPES[case])) / "recipe.yaml"
    moved = deep.rename(deep.with_name("moved.yaml"))
    assert {label: plan.recipe_hash for label, plan in plans(moved).items()} == {
        label: plan.recipe_hash for label, plan in compiled(quoted(RECIPES[case])).items()
    }


@pytest.mark.parametrize("case", CASES)
def test_other_names_of_stages(case):
    recipe = {name: value for name, value in RECIPES[case].items() if name not in ("variants", "axes")}
    names = {stage: f"{chr(ord('w') - number)}-{stage}" for number, stage in enumerate(recipe["stages"])}
    stages = {names[stage]: renamed(fields, names) for stage, fields in recipe["stages"].items()}
    before, after = (next(iter(keys(quoted(r)).values())) for r in (recipe, recipe | {"stages": stages}))
    assert after == {names[stage]: key for stage, key in before.items()}


def renamed(value, names):
    if isinstance(value, dict):
        return {name: renamed(item, names) for name, item in value.items()}
    if isinstance(value, list):
        return [renamed(item, names) for item in value]
    if isinstance(value, str) and value.partition(".")[0] in names:
        stage, dot, part = value.partition(".")
        return names[stage] + dot + part
    return value


@pytest.mark.parametrize("case", CASES)
def test_the_machine_and_its_mirrors(case, tmp_path, monkeypatch):
    (tmp_path / "machine.yaml").write_text(
        "gpus: [3]\ndata: {data/animals: /mnt/x}\nenv: {NCCL_P2P_DISABLE: '1'}\nendpoints: {modelscope: 'http://127.0.0.1:9'}\n"
    )
    for name in ("MODELSCOPE_ENDPOINT", "HF_ENDPOINT", "RECIPE_MIRRORS"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    found = plans(project(tmp_path, recipe=quoted(RECIPES[case])) / "recipe.yaml")
    assert {label: {s.name: s.key for s in plan.stages} for label, plan in found.items()} == keys_of(case)


# What moves what

INERT = {
    "description": "for readers",
    "models.base.hub": "where it is downloaded from",
    "datasets.alpaca.hub": "where it is downloaded from",
    "hardware.gpu": "for readers and checks",
    "hardware.gpu_memory": "for readers and checks",
    "stages.dialogues.description": "for readers",
    "stages.train.checkpoints.keep": "the selected one always stays",
    "stages.train.logging.every": "how often is told",
    "stages.train.logging.trackers": "who is told",
    "stages.train.logging.project": "a label",
    "stages.train.logging.http.url": "who is told",
    "stages.train.logging.http.task": "who is told",
}
"""Fields of the recipe of all fields that cannot change a result."""

OTHER = {
    "models.base.id": "Qwen/Qwen2-VL-7B-Instruct",
    "models.base.hub": "modelscope",
    "models.base.type": "qwen2_5_vl",
    "models.base.template": "qwen2_5_vl",
    "models.base.dtype": "float16",
    "models.base.attention": "flash_attention_3",
    "models.local.dtype": "bfloat16",
    "datasets.animals.external": None,
    "datasets.animals.on_bad": "error",
    "models.local.id": "Qwen/Qwen2-7B-Instruct",
    "datasets.alpaca.hub": "huggingface",
    "datasets.alpaca.files": ["a.jsonl"],
    "hardware.gpus": 8,
    "hardware.nodes": 1,
    "hardware.gpu_memory": "40GiB",
    "stages.pictures.task": None,
    "stages.marked.task": None,
    "stages.written.task": "generate",
    "stages.train.tuner.modules_to_save": ["lm_head"],
    "stages.train.tuner.bias": "all",
    "stages.train.tuner.init": "pissa",
    "stages.train.tuner.bits": 8,
    "stages.train.tuner.quantization": "hqq",
    "stages.train.optimizer.name": "sgd",
    "stages.train.optimizer.schedule": "cosine",
    "stages.train.batch.global": 128,
    "stages.train.batch.micro": 4,
    "stages.train.too_long": "left",
    "stages.train.precision": "float16",
    "stages.train.deepspeed": "zero3",
    "stages.train.evaluation.every": None,
    "stages.train.checkpoints.every": None,
    "stages.train.checkpoints.select": "last",
    "stages.train.checkpoints.metric": "eval_token_acc",
    "stages.train.logging.every": "epoch",
    "stages.train.logging.trackers": [],
    "stages.train.engine.name": None,
    "stages.train.engine.args.lora_dtype": "float32",
    "stages.judge.tuner.freeze.language": None,
    "stages.judge.batch.global": 32,
    "stages.answers.parse": "label",
    "stages.scores.metrics": ["recall"],
}
"""What else a field may be, where that does not follow from its value; None: nothing else on its own."""

REFERENCES = ("model", "dataset", "adapter", "predictions")


def leaves(value, path=()):
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, (*path, name))
    else:
        yield path, value


def other(path, value):
    """Another value of a field, or None."""
    dotted = ".".join(path)
    if dotted in OTHER or path[-1] in ("kind", "data", *REFERENCES) or dotted in ("version", "name", "x-note"):
        return OTHER.get(dotted)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value / 2
    return f"{value}x" if isinstance(value, str) else [*reversed(value)]


CHANGES = [(path, other(path, value)) for path, value in leaves(WHOLE)]
CHANGES = [(".".join(path), path, value) for path, value in CHANGES if value is not None]


def uses(name, stages):
    """The stages that a stage refers to."""
    return {word.partition(".")[0] for word in words(stages[name])} & stages.keys()


def words(value):
    if isinstance(value, dict):
        return [word for name, item in value.items() if name != "kind" for word in words(item)]
    return [word for item in value for word in words(item)] if isinstance(value, list) else [str(value)]


def followers(touched, stages=WHOLE["stages"]):
    """Stages and all that follow from them."""
    reached = set(touched)
    while more := {name for name in stages if uses(name, stages) & reached} - reached:
        reached |= more
    return reached


def touched(path):
    """The stages that a field belongs to."""
    section, name, stages = path[0], path[1] if len(path) > 1 else "", WHOLE["stages"]
    if path[2:] == ("classes",) and section == "stages":
        return {name, "marked"}  # the data is checked against it
    if section == "stages":
        return {name}
    if section == "models":
        return {stage for stage, fields in stages.items() if fields.get("model") == name}
    if section == "datasets":
        return {stage for stage, fields in stages.items() if fields.get("dataset") == name}
    engine = {stage for stage, fields in stages.items() if fields["kind"] not in ("prepare", "evaluate")}
    return {"seed": set(stages), "hardware": engine}[section]


@cache
def whole_keys():
    return keys(quoted(WHOLE))["every-field"]


@pytest.mark.parametrize(("dotted", "path", "value"), CHANGES, ids=[change[0] for change in CHANGES])
def test_one_field(dotted, path, value):
    recipe = copy.deepcopy(WHOLE)
    put(recipe, path, value)
    found = keys(quoted(recipe))["every-field"]
    moved = {stage for stage, key in found.items() if key != whole_keys()[stage]}
    assert moved == (set() if dotted in INERT else followers(touched(path)))


def test_the_list_of_inert_fields_is_used():
    assert INERT.keys() <= {dotted for dotted, _, _ in CHANGES}
    assert OTHER.keys() <= {".".join(path) for path, _ in leaves(WHOLE)}
    assert len(CHANGES) > 90


@pytest.mark.parametrize(
    ("path", "value", "moves"),
    [
        (("stages", "answers", "model"), "base", {"answers", "scores"}),
        (("stages", "answers", "data"), "pictures.validation", {"answers", "scores"}),
        (("stages", "train", "evaluation", "data"), "pictures.test", {"train", "merged", "answers", "scores"}),
        (("stages", "train", "data"), "pictures.train", {"train", "merged", "answers", "scores"}),
        (("stages", "train", "tuner"), {"kind": "lora", "rank": 16}, {"train", "merged", "answers", "scores"}),
        (("stages", "questions", "dataset"), "chat", {"questions"}),
        (("datasets", "drawn", "classes"), ["red", "green"], {"shapes", "train", "merged", "answers", "scores"}),
    ],
)
def test_references_and_parts(path, value, moves):
    recipe = copy.deepcopy(WHOLE)
    put(recipe, path, value)
    found = keys(quoted(recipe))["every-field"]
    assert {stage for stage, key in found.items() if key != whole_keys()[stage]} == moves


def test_stages_that_do_the_same_have_the_same_key():
    recipe = copy.deepcopy(WHOLE)
    recipe["stages"]["twin"] = recipe["stages"]["train"] | {"description": "the same", "logging": {"trackers": []}}
    found = keys(quoted(recipe))["every-field"]
    assert found["twin"] == found["train"]
    assert len(set(found.values())) == len(found) - 1


def test_inert_changes_leave_what_dvc_watches(tmp_path):
    """The identity documents and generated files keep their bytes, so nothing runs again."""
    recipe = copy.deepcopy(WHOLE)
    for dotted, path, value in CHANGES:
        if dotted in INERT:
            put(recipe, path, value)
    before, after = (files(project(tmp_path, recipe=quoted(r)) / "recipe.yaml") for r in (WHOLE, recipe))
    watched = [path for path in before if path.endswith(("json", "dvc.yaml")) and "manifest" not in path]
    assert {path: before[path] for path in watched} == {path: after[path] for path in watched}
    assert before["pipelines/every-field/train.sh"] != after["pipelines/every-field/train.sh"]
