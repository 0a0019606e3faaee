"""`recipe explain FIELD`: the language from the shell, by paths, kinds, names alone and the engines' words."""

from __future__ import annotations

import json

import pytest
import yaml
from compiling import recipe

from compiler.commands.explain_field import meanings, near, page
from schema.fields import asked, below, fields
from schema.recipe import Recipe
from schema.stages import KINDS
from schema.synonyms import SYNONYMS


def paths(path: str) -> list[str]:
    return [field.path for field in asked(path)]


def test_every_field_says_what_it_is():
    assert [field.path for field in fields() if not field.about] == []


def test_the_recipe_itself():
    assert [field.name for field in below("")] == [f.alias or name for name, f in Recipe.model_fields.items()]
    assert page("").startswith("# A recipe\n\n- `version`: 1, required. ")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_kind_has_the_fields_of_its_model(kind):
    name = kind.model_fields["kind"].annotation.__args__[0]
    said = {f.alias or field for field, f in kind.model_fields.items()} - {"kind"}
    assert [field.path for field in asked(f"stages.{name}")] == [f"stages.{name}"]
    assert {field.name for field in below(f"stages.{name}")} == said
    required = {f.alias or field for field, f in kind.model_fields.items() if f.is_required()} - {"kind"}
    assert {field.name for field in below(f"stages.{name}") if field.required} == required


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("stages.grpo.batch.micro", "stages.grpo.batch.micro"),
        ("grpo.batch.micro", "stages.grpo.batch.micro"),
        ("models.base.dtype", "models.dtype"),
        ("datasets.photos.on_bad", "datasets.image-folder.on_bad"),
        ("stages.train.tuner.rank", "stages.sft.tuner.lora.rank"),
        ("grpo.rewards.exact.ignore_case", "stages.grpo.rewards.exact.ignore_case"),
        ("hardware.gpus", "hardware.gpus"),
        ("variants", "variants"),
    ],
)
def test_paths_as_people_write_them(path, found):
    assert paths(path)[0] == found


@pytest.mark.parametrize(
    "path", ["", "nothing", "grpo.nothing", "sft.rewards", "batch.grpo", "..", "stages.train.nothing"]
)
def test_what_there_is_not(path):
    assert paths(path) == []


def test_no_value_is_left_open_but_those_that_are():
    """Parameters of a function and options of an engine are whatever these take."""
    assert {field.path for field in fields() if "any value" in field.values} == set()


def test_a_name_with_many_meanings_is_told_in_lines():
    *lines, last = page("batch").split("\n")
    assert last == "" and len(lines) == len(meanings("batch")) > 4
    assert (
        "- `stages.export.tensorrt.batch`: list of integer ≥ 1, [1, 8, 32] when absent. The smallest batch, "
        in page("batch")
    )


def test_all_that_is_the_same_is_told_once():
    both, distill = meanings("batch.micro")
    assert [field.path.split(".")[1] for field in both] == ["sft", "classify", "grpo", "dpo", "embed"]
    assert [field.path for field in distill] == ["stages.distill.batch.micro"]


def test_an_engine_s_word_leads_to_the_field():
    assert page("--per_device_train_batch_size") == (
        f"`per_device_train_batch_size` is an engine's word; here it is:\n\n{page('batch.micro')}"
    )
    assert "here it is" not in page("learning_rate")
    assert page("output_dir") == "`output_dir`: remove it: a stage writes to outputs/RECIPE/STAGE.\n"


@pytest.mark.parametrize("word", sorted(SYNONYMS))
def test_every_word_of_an_engine_leads_somewhere(word):
    assert page(word)


@pytest.mark.parametrize(
    ("wrong", "right"), [("grpo.bach", "grpo.batch"), ("learning_rat", "learning_rate"), ("quantise", "quantize")]
)
def test_what_was_meant(wrong, right):
    assert page(wrong) == ""
    assert near(wrong) == right


def test_defaults_are_those_that_hold(tmp_path):
    """What a page says of `batch` is what an empty `batch` compiles to."""
    text = "version: 1\nname: small\nmodels: {base: {id: tiny/qwen2-vl}}\ndatasets: {d: {kind: digits}}\n"
    told = {field.name: field.default for field in below("stages.sft.batch")}
    assert told == {"global": 16, "micro": 1}
    stages = {"data": {"kind": "prepare", "dataset": "d"}, "t": {"kind": "sft", "model": "base", "data": "data.train"}}
    read = Recipe.model_validate({**yaml.safe_load(text), "stages": stages})
    assert read.stages["t"].batch.model_dump(by_alias=True) == told


def test_from_the_shell(tmp_path):
    code, out, err = recipe(tmp_path, "explain", "grpo.batch")
    assert (code, out, err) == (0, page("grpo.batch"), "")
    code, out, err = recipe(tmp_path, "explain")
    assert (code, out, err) == (0, page(""), "")
    code, out, err = recipe(tmp_path, "explain", "grpo.bach")
    assert (code, out) == (2, "")
    assert err == "recipe: there is no field, kind or code `grpo.bach`; did you mean `grpo.batch`?\n"


def test_for_programs(tmp_path):
    told = json.loads(recipe(tmp_path, "explain", "batch", "--format", "json")[1])
    assert told["format_version"] == 1
    first, second, *_ = told["fields"]
    assert (first["path"], first["also"][0]) == ("stages.sft.batch", "stages.classify.batch")
    assert [(f["path"], f["default"]) for f in first["fields"]] == [
        ("stages.sft.batch.global", 16),
        ("stages.sft.batch.micro", 1),
    ]
    assert second["path"] == "stages.distill.batch"
    assert json.loads(recipe(tmp_path, "explain", "R7", "--format", "json")[1])["page"].startswith("# A recipe is YAML")
