"""No input makes `recipe validate` raise anything: bytes, texts, and recipes with something changed."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.validation import findings
from schema.diagnostics import RecipeError
from schema.load import load
from schema.render import github, text, to_json
from schema.source import parse, to_data

HERE = Path(__file__).parent
SEEDS = [*sorted((HERE.parent / "recipes").glob("*.yaml")), *sorted((HERE / "errors").glob("*.yaml"))]
TEXTS = [path.read_text("utf-8") for path in SEEDS]
RECIPES = [to_data(parse(text_, "a.yaml")) for text_ in TEXTS[:2]]
# Words of the language, of YAML and of engines at wrong places get further than random characters.
WORDS = [
    *"[]{}:,-?!&*#|>'\"%@`~",
    *["\t", "\n", "\r", " ", "\x00", "\x85", "\u202e", "\ufeff", "😀", "中", "ſ", "İ"],
    *[": ", "- ", "\n  ", "\n      ", "<<: ", "*a", "&a ", "!!int ", "!!python/none", "---\n", "<<<<<<< x\n"],
    *["null", "~", "true", "no", "0", "-1", "1e-4", "1e999", ".nan", "9" * 30, "0x10", "0o7", "1.0", "4.0"],
    *[
        "''",
        '"a\\nb"',
        "[]",
        "{}",
        "[[]]",
        "{a: {b: c}}",
        "x-note: 1\n",
        "..",
        "/",
        "${x}",
        "$(x)",
        "../../x",
        "a" * 300,
    ],
    *["kind", "kind: prepare", "sft", "lora", "train", "data.train", "data.", ".train", "base", "a.b.c", "lr: 1"],
    *["version", "name", "stages", "models", "datasets", "variants", "axes", "extends", "24GiB", "5 steps"],
]
SCALARS = [None, True, False, 0, 1, -1, 8, 2.5, 1e300, 2**53, "", "x", "base", "train", "data.train", "sft", "lora"]
ANYTHING = st.recursive(
    st.sampled_from(SCALARS) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory):
    """A file in a project of its own."""
    path = tmp_path_factory.mktemp("fuzz") / "recipes" / "fuzz.yaml"
    path.parent.mkdir()
    return path


def loads_or_refuses(path, content, sets=()):
    """Validate, and render what is found in every way. Says whether the recipe was accepted, if only with warnings."""
    path.write_bytes(content)
    sources = {}
    found = findings(path, sources)
    try:
        load(path, sources, sets)
    except RecipeError as error:
        found += error.diagnostics
    assert all(d.code and d.message for d in found)
    assert not {"\x1b", "\x00", "\u202e", "\x85"} & set(text(found, sources))
    assert len(json.loads(to_json(found))["diagnostics"]) == len(found)
    assert bool(github(found)) == bool(found)
    return all(d.severity == "warning" for d in found)


def test_there_are_seeds(recipe_file):
    assert len(SEEDS) > 40
    assert all(loads_or_refuses(recipe_file, text_.encode()) for text_ in TEXTS[:2])


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass")))
@settings(max_examples=300, deadline=None)
def test_bytes(recipe_file, content):
    loads_or_refuses(recipe_file, content)


def mutated(text_, seed):
    """The text with a few of its pieces dropped, doubled, swapped or replaced."""
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(text_) + 1)
        end = min(len(text_), start + chance.choice([0, 0, 1, 1, 2, 5, 20, 80]))
        other = chance.randrange(len(text_) + 1)
        piece = chance.choice(
            ["", chance.choice(WORDS), text_[start:end] * 2, text_[other : other + chance.randrange(60)]]
        )
        text_ = text_[:start] + piece + text_[end:]
    return text_


@given(st.sampled_from(TEXTS), st.integers(0, 2**32))
@settings(max_examples=1000, deadline=None)
def test_changed_texts(recipe_file, text_, seed):
    loads_or_refuses(recipe_file, mutated(text_, seed).encode("utf-8", "surrogatepass"))


def places(value, path=()):
    """Every place in the data, as a path."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from places(item, (*path, key))


def replaced(value, path, new):
    """A copy with something else at a path."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def get(value, path):
    for key in path:
        value = value[key]
    return value


@st.composite
def changed_recipes(draw):
    """A shipped recipe with values replaced, keys renamed and parts copied elsewhere: most get far."""
    recipe = draw(st.sampled_from(RECIPES))
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(recipe))
        path, other = draw(st.sampled_from(found)), draw(st.sampled_from(found))
        new = draw(ANYTHING | st.just(get(recipe, other)))
        if path and isinstance(path[-1], str) and draw(st.booleans()):
            parent = dict(get(recipe, path[:-1]))
            parent[draw(st.sampled_from(WORDS) | st.text(max_size=5))] = parent.pop(path[-1])
            recipe = replaced(recipe, path[:-1], parent)
        else:
            recipe = replaced(recipe, path, new)
    return recipe


@given(changed_recipes())
@settings(max_examples=1000, deadline=None)
def test_changed_recipes(recipe_file, recipe):
    loads_or_refuses(recipe_file, json.dumps(recipe, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass"))


@given(st.lists(st.sampled_from([*WORDS, ".", "=", "stages", "train", "epochs", "seed"]), max_size=8).map("".join))
@settings(max_examples=300, deadline=None)
def test_assignments(recipe_file, assignment):
    loads_or_refuses(recipe_file, TEXTS[0].encode(), [assignment])
