"""The JSON Schema against the loader: it never refuses what the loader accepts, and says the same about the shape.

What it cannot say stands in `UNSAID`. RECIPE_EXAMPLES=20000 tries more mutants than the default.
"""

import copy
import json
import os
import random
from itertools import count
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from recipe_mutants import changed, slices, thinned

from schema import checks, compose, jsonschema
from schema.diagnostics import RecipeError, Span
from schema.shape import validate
from schema.source import parse, to_data
from schema.tree import Entry, MapNode, ScalarNode, SeqNode
from schema.yaml_core import EXACT

ROOT = Path(__file__).parent.parent
COMMITTED = ROOT / "schema" / "recipe-v1.schema.json"
GOLDEN = ROOT / "tests" / "golden"
WHOLES = ("every-field", "rlhf", "zoo", "visual-questions", "distill", "dense", "delivery", "answers", "paths")
"""Golden recipes that have every field between them."""
FILES = [*sorted((ROOT / "recipes").glob("*.yaml")), *(GOLDEN / name / "recipe.yaml" for name in WHOLES)]
RECIPES = {
    path.parent.name if path.stem == "recipe" else path.stem: to_data(parse(path.read_text("utf-8"), path.name))
    for path in FILES
}
WHOLE = RECIPES["every-field"]
DOCUMENT = jsonschema.document()


def inlined(schema):
    """The same schema with every reference replaced by what it refers to, which is checked faster."""
    if isinstance(schema, list):
        return [inlined(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: inlined(value) for key, value in schema.items() if key != "$defs"}
    if not isinstance(schema.get("$ref"), str):
        return schema
    return inlined(DOCUMENT["$defs"][schema.pop("$ref").rpartition("/")[2]]) | schema


SCHEMA = Draft202012Validator(inlined(DOCUMENT))
EXAMPLES = int(os.environ.get("RECIPE_EXAMPLES", "2000"))

UNSAID_RULES = {
    "names_are_apart": "R0211, R0306",
    "official_split_stays": "R0365",
    "prompt_asks_the_question": "R0368",
    "questions_are_answered_in_words": "R0367",
    "answers_are_scored_as_they_are": "R0366",
    "references_exist": "R0201, R0202",
    "references_fit": "R0203, R0204",
    "no_cycles": "R0205",
    "batch_divides": "R0301",
    "tuner_is_possible": "R0302, R0303",
    "cadences_fit": "R0304",
    "hardware_can": "R0305, R0309, R0310",
    "packages_are_locked": "R0314",
    "sources_agree": "R0308",
    "tasks_agree": "R0307",
    "one_prompt": "R0316",
    "paths_stay_inside": "R0311, R0312",
    "pictures_have_one_folder": "R0313",
    "groups_divide": "R0317",
    "rewards_can_be_read": "R0318",
    "rollouts_are_possible": "R0319",
    "best_is_by_reward": "R0320",
    "adapters_go_on": "R0321, R0322",
    "reference_stays": "R0323",
    "smoothing_counts": "R0324",
    "pictures_have_room": "R0325",
    "answers_are_possible": "R0360, R0361, R0362, R0363",
    "checks_read_text": "R0364",
    "paths_belong_to_questions": "R0333 to R0335",
    "thresholds_are_fair": "R0370",
    "metrics_fit": "R0371",
    "overlap_has_shards": "R0372",
    "training_fits": "R0329",
    "pairs_have_others": "R0373",
    "heads_fit": "R0374",
    "retrieval_has_pairs": "R0375",
    "student_batch_divides": "R0390",
    "students_exist": "R0391",
    "students_can_learn_so": "R0392",
    "student_adapters_are_possible": "R0393",
    "student_adapters_have_layers": "R0485",
    "widths_agree": "R0394",
    "teachers_are_named": "R0395",
    "students_are_known_to_learn": "R0396, R0397, R0398",
    "views_are_possible": "R0460",
    "student_cadences_fit": "R0461",
    "students_step": "R0462",
    "settings_are_read": "R0465",
    "frozen_norms_are_of_use": "R0463",
    "student_metrics_exist": "R0464",
    "kinds_fit_tasks": "R0450",
    "queries_only_read": "R0451",
    "urls_tell_no_secret": "R0452",
    "extras_are_known": "R0453",
    "found_things_have_their_scores": "R0454",
    "exports_have_outputs": "R0381",
    "export_sizes_are_known": "R0382",
    "engines_can_be_built": "R0383",
    "bits_fit": "R0384",
    "calibration_is_used": "R0385",
    "checks_are_of_exports": "R0386",
    "students_round_while_they_learn": "R0467",
    "servers_can_run": "R0387",
    "vllm_is_told_known_options": "R0388",
    "sizes_are_apart": "R0389",
    "choices_have_their_gpu": "R0399",
    "formats_have_their_gpu": "R0376",
    "gpus_are_known": "R0377",
    "scaled_losses_have_whole_weights": "R0378",
}
"""Rules across fields, with their codes: the JSON Schema says none of them."""
UNSAID_OF_FILES = ("R0206", "R0207", "R0209", "R0213")
"""What is wrong between a file and those that it extends, and between variants and axes."""


def plain_number_as_name(node, diagnostic):
    """R0107: a plain number is text where text is wanted; its spelling (`-1`) may be no name, and JSON has no spelling."""
    return diagnostic.code == "R0107" and isinstance(node, ScalarNode) and node.plain


def line_end(node, diagnostic):
    """R0106, R0107: Python's `$` also fits before a last line end, and an editor's does not."""
    return diagnostic.code in ("R0106", "R0107") and "\n" in str(getattr(node, "value", diagnostic.message))


def nothing_but_removed(node, diagnostic):
    """R0105: `stages` counts neither notes nor entries that are taken away."""
    return diagnostic.code == "R0105" and "`stages`" in diagnostic.message


def of_files(node, diagnostic):
    return diagnostic.code in UNSAID_OF_FILES


UNSAID = (plain_number_as_name, line_end, nothing_but_removed, of_files)
"""What the JSON Schema cannot say of one file. It cannot say either what a variant and the plain recipe come to together."""


class Tree:
    """Data as the reader would have read it: strings quoted, everything else plain, each node on a line of its own."""

    def __init__(self, data):
        self.lines = count(1)
        self.nodes = {}
        self.root = self.node(data)

    def node(self, value):
        span = Span("a.yaml", next(self.lines), 1, 1, 2)
        if isinstance(value, dict):
            node = MapNode(span, {key: self.entry(item) for key, item in value.items()})
        elif isinstance(value, list):
            node = SeqNode(span, tuple(map(self.node, value)))
        else:
            raw = value if isinstance(value, str) else json.dumps(value)
            node = ScalarNode(span, value, raw, not isinstance(value, str))
        self.nodes[span.line] = node
        return node

    def entry(self, value):
        key = Span("a.yaml", next(self.lines), 1, 1, 2)
        return Entry(key, self.node(value))


def errors(tree, layers=()):
    """What is wrong with the shape of a recipe, or of one variant of it."""
    try:
        validate(compose.instance(tree, layers))
    except RecipeError as error:
        return list(error.diagnostics)
    return []


def verdict(tree):
    """What the loader says about a tree: what is wrong with the plain recipe, and whether something is with a variant."""
    try:
        overlays = compose.overlays(tree)
    except RecipeError as error:
        return [*error.diagnostics, *errors(tree)], False
    return errors(tree), any(errors(tree, layers) for layers in overlays.values())


def unsaid(tree, diagnostic):
    node = tree.nodes.get(diagnostic.spans[0].line)
    return any(reason(node, diagnostic) for reason in UNSAID)


def too_large(data):
    """Whether a whole number is larger than JSON's numbers are exact: the reader refuses it wherever it stands."""
    if isinstance(data, dict | list):
        return any(map(too_large, data.values() if isinstance(data, dict) else data))
    return isinstance(data, int) and abs(data) > EXACT


def agree(data):
    """Hold both verdicts against each other; whether the recipe was accepted. No text is read with such a number in it."""
    if too_large(data):
        return False
    tree = Tree(data)
    (found, combined), accepted = verdict(tree.root), SCHEMA.is_valid(data)
    if accepted:
        assert [d for d in found if not unsaid(tree, d)] == []
    else:
        assert found or combined, next(SCHEMA.iter_errors(data))
    return not found and not combined


# The document itself


def test_the_committed_schema_is_current():
    stale = "run: .venv/bin/recipe schema > schema/recipe-v1.schema.json"
    assert COMMITTED.read_text("utf-8") == jsonschema.text(), stale


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(DOCUMENT)
    assert DOCUMENT["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert '"$id"' not in jsonschema.text()


def test_every_recipe_points_an_editor_at_it():
    for path in FILES:
        reference = path.read_text("utf-8").splitlines()[0].removeprefix("# yaml-language-server: $schema=")
        assert (path.parent / reference).resolve() == COMMITTED


def properties(document):
    for name, definition in document["$defs"].items():
        for field, schema in definition.get("properties", {}).items():
            yield name, field, schema


def test_fields_have_the_words_of_the_models():
    described = {(name, field): schema.get("description") for name, field, schema in properties(DOCUMENT)}
    assert described["LoraTuner", "rank"] == "Rank of the update matrices."
    assert described["Batch", "global"].startswith("Examples of one optimizer step")
    assert described["Sft", "model"].startswith("A name in `models`")
    assert described["SftPart", "model"] == described["Sft", "model"]
    assert sum(words is not None for words in described.values()) / len(described) > 0.6


def test_every_field_is_used_by_the_recipe_of_all_fields():
    """Else mutants never reach it."""
    whole = [(name, field) for name, field, _ in properties(DOCUMENT) if not name.endswith(jsonschema.PART)]
    used = {(None, field) for name in WHOLES for field in fields(RECIPES[name])}
    missing = {field for name, field in whole if (None, field) not in used} - {"extends", "toolchain"}
    assert missing == set()


def fields(value):
    if isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from fields(item)
    elif isinstance(value, list):
        for item in value:
            yield from fields(item)


def test_the_list_of_unsaid_rules_is_whole():
    rules = {rule.__name__: rule.__doc__.partition(":")[0] for rule in (*checks.REFERENCES, *checks.RULES)}
    assert rules == UNSAID_RULES


# Verdicts


@pytest.mark.parametrize("name", RECIPES)
def test_shipped_recipes_are_accepted(name):
    assert agree(RECIPES[name])


@pytest.mark.parametrize(
    ("path", "value", "accepted"),
    [
        (("seed",), 4.0, True),
        (("seed",), 4.5, False),
        (("seed",), True, False),
        (("version",), 1.0, True),
        (("version",), True, False),
        (("description",), 2024, True),
        (("description",), True, True),
        (("description",), None, False),
        (("name",), 12, True),
        (("hardware", "gpu_memory"), 24, False),
        (("hardware", "gpu_memory"), "24GiB", True),
        (("hardware", "gpu_memory"), "２４GiB", False),
        (("stages", "train", "tuner"), {"rank": 8}, False),
        (("stages", "train", "tuner", "bits"), 4.0, True),
        (("stages", "train", "tuner", "bits"), 5, False),
        (("stages", "train", "tuner", "init"), True, True),
        (("stages", "train", "tuner", "init"), "maybe", False),
        (("stages", "train", "data"), "pictures.train", True),
        (("stages", "train", "data"), "pictures/train", False),
        (("stages", "train", "data"), 5, False),
        (("stages", "train", "data"), [], False),
        (("stages", "train", "x-note"), [1], True),
        (("stages", "x-note"), 5, True),
        (("stages", "train"), None, True),
        (("stages", "train"), {}, False),
        (("stages", "train", "evaluation"), None, False),
        (("stages", "train", "optimizer", "betas"), [0.9], False),
        (("stages", "train", "optimizer", "betas"), [0.9, 1, 2], False),
        (("stages", "Train"), {"kind": "merge", "adapter": "train"}, False),
        (("models", "base", "lr"), 1, False),
        (("axes",), None, True),
        (("variants", "small"), None, False),
        (("variants", "small"), {"name": "other"}, False),
        (("variants", "small"), {"stages": {"train": {"epochs": "x"}}}, False),
        (("variants", "small"), {"stages": {"train": None, "merged": None}, "x-a": 1}, True),
        (("variants", "small"), {"stages": {"train": {"tuner": {"bits": 8}}}}, True),
        (("variants", "small"), {"datasets": {"animals": {"split": {"validation": 0.3}}}}, True),
        (("variants", "Small"), {}, False),
        (("axes", "size"), [], False),
        (("axes", "size"), "small", False),
    ],
)
def test_one_change(path, value, accepted):
    data = copy.deepcopy(WHOLE) | {"axes": {"size": ["small", "large"]}}
    data["variants"] = {"small": {"seed": 1}, "large": {"seed": 2}}
    *parents, last = path
    place = data
    for key in parents:
        place = place[key]
    place[last] = value
    assert agree(data) == accepted
    assert SCHEMA.is_valid(data) == Draft202012Validator(DOCUMENT).is_valid(data) == accepted


def test_null_takes_away_variants_with_their_axes():
    assert agree(WHOLE | {"variants": None, "axes": None})
    assert not agree(WHOLE | {"variants": None})


# Numbers that choose among changes do not become simpler by shrinking.
FAST = {"deadline": None, "derandomize": True, "database": None, "phases": [Phase.explicit, Phase.generate]}
CHANCES = st.integers(0, 2**64).map(random.Random)


def test_mutants():
    """Thousands of them; enough of both kinds, or the test says little."""
    verdicts = []

    @settings(max_examples=EXAMPLES, **FAST)
    @given(st.sampled_from(sorted(RECIPES)), CHANCES)
    def run(name, rng):
        data = slices(RECIPES[name], rng)
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            changed(data, rng)
        verdicts.append(agree(data))

    run()
    assert 0.1 < sum(verdicts) / len(verdicts) < 0.9


def test_files_that_extend():
    """A file on top of a base: what the loader accepts of both together, the JSON Schema accepts of the file alone."""
    accepted = []

    @settings(max_examples=EXAMPLES // 4, **FAST)
    @given(st.sampled_from(sorted(RECIPES)), CHANCES)
    def run(name, rng):
        base = slices(RECIPES[name], rng)
        own = thinned(copy.deepcopy(base), rng)
        for _ in range(rng.choice([0, 1, 2])):
            changed(own, rng)
        own["extends"] = ["base.yaml"]
        tree = Tree(own)
        tree.root = compose.join_bases([Tree(base).root], tree.root)
        accepted.append(verdict(tree.root) == ([], False))
        if accepted[-1] and not too_large(own):
            assert SCHEMA.is_valid(own), next(SCHEMA.iter_errors(own))

    run()
    assert 0.1 < sum(accepted) / len(accepted) < 0.9
