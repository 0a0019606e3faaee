"""What `recipe migrate` cannot do: it says why, with a place, and writes nothing."""

import re

import pytest
from compiling import project, recipe, tree
from test_codes import examples, files_of
from test_migrate import OLD, started, told

from schema.diagnostics import RecipeError
from schema.migrate.changes import Move, Put, Remove
from schema.migrate.edit import edited
from schema.source import parse
from schema.tree import find

TRAIN = "  train: {kind: sft, model: base, data: data.train, learning_rate: 1e-4, batch_size: 2}\n"


def refused(root, *arguments):
    """The findings of a call that writes nothing: code and place of each, and their text."""
    before = tree(root)
    code, out, err = recipe(root, "migrate", *arguments)
    assert (code, out) == (1, "")
    assert tree(root) == before
    return re.findall(r"^error\[(R\d+)\].*\n +--> (\S+)$", err, re.MULTILINE), err


def with_train(train, more=""):
    """The old recipe with another training stage."""
    assert TRAIN in OLD
    return OLD.replace(TRAIN, f"  train: {{kind: sft, model: base, data: data.train, {train}}}\n") + more


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        (with_train("batch_size: two"), "R0720", "8:65"),
        (with_train("batch_size: 0"), "R0720", "8:65"),
        (with_train("gradient_accumulation: 1.5"), "R0720", "8:76"),
        (with_train("batch_size: null"), "R0720", "8:65"),
        (with_train("learning_rate: 1e-4, optimizer: adamw"), "R0720", "8:74"),
        (with_train("learning_rate: 1e-4, optimizer: {learning_rate: 1e-3}"), "R0721", "8:53"),
        (with_train("learning_rate: 1e-4, learning_rates: 3"), "R0101", "8:87"),
        (with_train("lora_rank: 8, tuner: {kind: lora, dora: maybe}"), "R0102", "8:88"),
        (OLD.replace("version: 0", "version: 2"), "R0108", "1:10"),
        (OLD.replace("version: 0", "version: -1"), "R0108", "1:10"),
        (OLD.replace("version: 0", "version: true"), "R0108", "1:10"),
        (OLD.replace("version: 0", "version: [0]"), "R0108", "1:10"),
        (OLD.replace("version: 0\n", ""), "R0104", "1:1"),
        (OLD.replace("gpus: 0", "gpus: many"), "R0720", "5:18"),
        (OLD + "variants: 3\n", "R0102", "9:11"),
        (OLD + "models: {}\n", "R0010", "9:1"),
    ],
)
def test_a_recipe_that_cannot_be_migrated(text, code, place, tmp_path):
    found, _ = refused(project(tmp_path, old=text).parent, "recipes/old.yaml")
    assert found == [(code, f"recipes/old.yaml:{place}")]


def test_findings_of_a_new_text_say_so(tmp_path):
    """Their excerpts are those of the new text."""
    root = project(tmp_path, old=with_train("learning_rate: -1")).parent
    found, err = refused(root, "recipes/old.yaml")
    assert found == [("R0105", "recipes/old.yaml:8:80")]
    assert "nothing was written, and places are in the new text" in err
    assert "optimizer: {learning_rate: -1}" in err


def test_a_newer_version_needs_a_newer_program(tmp_path):
    root = project(tmp_path, old=OLD.replace("version: 0", "version: 2")).parent
    assert "help: use a newer `recipe` program: this one knows version 1" in refused(root, "recipes/old.yaml")[1]


def test_all_that_is_wrong_comes_at_once(tmp_path):
    first, second = with_train("batch_size: two, learning_rate: 1e-4, optimizer: {learning_rate: 1}"), "version: 3\n"
    root = project(tmp_path, old=first, new=second, third=OLD.replace("version: 0", "")).parent
    assert sorted(code for code, _ in refused(root)[0]) == ["R0104", "R0108"]
    found, _ = refused(project(tmp_path, two=with_train("batch_size: x").replace("old", "two")).parent, "old", "two")
    assert sorted(found) == [("R0720", "recipes/old.yaml:8:65"), ("R0720", "recipes/two.yaml:8:65")]


# Values that instances need


AXES = """\
variants:
  one: {hardware: {gpus: 1}}
  eight: {hardware: {gpus: 8}}
  small: {stages: {train: {batch_size: 1}}}
  large: {stages: {train: {batch_size: 4}}}
axes: {machine: [one, eight], batch: [small, large]}
"""


def test_axes_that_multiply_cannot_be_written_in_one_variant(tmp_path):
    found, err = refused(project(tmp_path, old=OLD + AXES).parent, "old")
    assert found == [("R0722", "recipes/old.yaml:12:28"), ("R0722", "recipes/old.yaml:13:28")]
    assert "`batch.global` of `train` has to be `1` in recipes/old.yaml, variant `one-small` and `8` in " in err


def test_a_kind_that_would_come_between_layers_is_noticed(tmp_path):
    """In version 0 `freeze` stayed, since nothing said that the tuner was another kind."""
    more = "variants: {whole: {stages: {train: {tuner: {kind: full}}}}}\n"
    root = project(tmp_path, old=with_train("lora_rank: 8, tuner: {freeze: {vision: false}}", more)).parent
    found, err = refused(root, "old")
    assert [code for code, _ in found] == ["R0722"]
    assert "variant `whole`: `stages.train.tuner.freeze` would be absent, and what is written means" in err


def test_an_overlay_that_two_variants_share_is_noticed(tmp_path):
    more = "variants:\n  a: {hardware: {gpus: 2}, stages: &s {train: {epochs: 2}}}\n  b: {stages: *s}\n"
    found, err = refused(project(tmp_path, old=OLD + more).parent, "old")
    assert [code for code, _ in found] == ["R0722"]
    assert "variant `b`: `stages.train.batch.global` would be `4`, and what is written means `2`" in err


# Files that belong together


def test_recipes_that_share_a_base_are_migrated_together(tmp_path):
    root = started(tmp_path, "shared")
    found, err = refused(root, "recipes/small.yaml")
    assert found == [("R0723", "recipes/bases/lora.yaml:1:1")]
    assert "help: run `recipe migrate recipes/small.yaml recipes/large.yaml`" in err
    told(root, "recipes/small.yaml", "recipes/large.yaml")


def test_a_base_that_does_not_change_binds_nobody(tmp_path):
    base = "models: {base: {id: tiny/qwen2-vl, dtype: float32}}\n"
    own = OLD.replace(base, "extends: [bases/models.yaml]\n")
    assert own != OLD
    root = project(tmp_path, old=own, other=own.replace("name: old", "name: other")).parent
    (root / "recipes" / "bases").mkdir()
    (root / "recipes" / "bases" / "models.yaml").write_text(base)
    told(root, "old")
    told(root, "other")
    assert (root / "recipes" / "bases" / "models.yaml").read_text() == base


def test_a_base_has_the_version_of_what_extends_it(tmp_path):
    root = started(tmp_path, "shared")
    base = root / "recipes" / "bases" / "lora.yaml"
    text = base.read_text("utf-8")
    base.write_text("version: 1\n" + text)
    found, _ = refused(root)
    assert found == [("R0727", "recipes/bases/lora.yaml:1:10")] * 2  # of both recipes
    base.write_text("version: 0\n" + text)
    assert "recipes/bases/lora.yaml:1  version 0 → 1" in told(root)
    assert base.read_text("utf-8").startswith("version: 1\n")


def test_a_base_alone_is_no_recipe(tmp_path):
    found, err = refused(started(tmp_path, "shared"), "recipes/bases/lora.yaml")
    assert [code for code, _ in found] == ["R0104"]
    assert "where this is a base, name the recipes that extend it instead" in err


def test_several_projects_are_no_project(tmp_path):
    project(tmp_path / "a", old=OLD)
    project(tmp_path / "b", old=OLD)
    assert recipe(tmp_path, "migrate", "a/recipes/old.yaml", "b/recipes/old.yaml")[0] == 2


# Text that cannot be edited


@pytest.mark.parametrize(
    "text",
    [
        "? train\n: ? kind\n  : sft\n  ? lora_rank\n  : 8\n",
        "train: {lora_rank: 'a\n  b', kind: x}",
        "train:\n  a: &x {lora_rank: 1}\n  tuner: *x\n  lora_rank: 8\n",
        "train:\n  lora_rank: {a: 1, # why\n    b: 2}\n  tuner: {kind: lora}\n",
        "train:\n  lora_rank:\n  - a # why\n  - b\n  tuner: {kind: lora}\n",
        "train:\n  lora_rank: &x 8\n  e: *x\n  tuner:\n    a: 1\n",
    ],
)
def test_text_that_is_not_edited(text):
    """Explicit keys, texts over lines in flow style, shared maps, comments without a place, anchors behind aliases."""
    root = parse(text, "a.yaml")
    with pytest.raises(RecipeError) as caught:
        edited(text, root, [Move(find(root, ("train",)), "lora_rank", ("tuner", "rank"))])
    (found,) = caught.value.diagnostics
    assert found.code == "R0724"
    assert found.spans[0].file == "a.yaml"


def test_two_changes_of_one_text_cannot_overlap():
    text = "a:\n  b:\n    c: 1\n    d: 2\n"
    root = parse(text, "a.yaml")
    a, b = find(root, ("a",)), find(root, ("a", "b"))
    with pytest.raises(RecipeError, match="cannot edit"):
        edited(text, root, [Remove(a, "b"), Put(b, ("e",), 3), Remove(b, "c")])


# Pages


@pytest.mark.parametrize("code", ["R0720", "R0721", "R0722", "R0724", "R0727"])
def test_the_examples_of_the_pages_are_right(code, tmp_path):
    """The wrong one is refused with this code; the right one is migrated."""
    wrong, right = (completed(tmp_path / str(number), example) for number, example in enumerate(examples(code, "yaml")))
    assert {found for found, _ in refused(wrong, "recipes/animals.yaml")[0]} == {code}
    told(right, "recipes/animals.yaml")


def completed(root, example):
    """A project with the files of an example, and in its recipe what the example leaves out."""
    files = files_of(example)
    project(root)
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8")
    recipe_, whole = root / "recipes" / "animals.yaml", OLD.replace("version: 0\n", "")
    text = recipe_.read_text("utf-8")
    head = whole.partition("stages:\n")[0]
    if "stages:\n" in text:
        text = text.replace("stages:\n", head + "stages:\n  data: {kind: prepare, dataset: digits}\n")
        text = text.replace("hardware: {gpus: 0}\n", "", 1)
    else:
        text += whole
    recipe_.write_text(text, encoding="utf-8")
    return root
