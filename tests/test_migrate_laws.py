"""`recipe migrate` on generated recipes of version 0, in any way of writing: the same results, or nothing is written."""

import random
import re
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import v0_language
from compiling import plans, project, quoted, recipe, tree
from hypothesis import given, settings
from hypothesis import strategies as st
from test_keys import put, split
from yaml_styles import written

EXAMPLES = 80
REFUSALS = {"R0207", "R0722", "R0724"}
"""Bases that contradict each other, axes that one variant cannot serve, and maps that anchors share."""


def optional(**fields):
    return st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in fields.items()})


FLAT = {
    "learning_rate": [1e-4, 2e-5, 0.001],
    "lr_scheduler": ["linear", "constant"],
    "warmup_ratio": [0, 0.1],
    "weight_decay": [0, 0.05],
    "batch_size": [1, 2, 4],
    "gradient_accumulation": [1, 3, 8],
    "shuffle_seed": [1, 42],
    "too_long": ["error", "right", "left"],
    "epochs": [2, 0.5],
}
LORA = {
    "lora_rank": [4, 16],
    "lora_alpha": [8],
    "lora_dropout": [0, 0.1],
    "lora_target_modules": [["q_proj", "v_proj"], ["all-linear"]],
}
MAPS = {
    "optimizer": [{"betas": [0.9, 0.99]}, {"name": "adamw_torch", "epsilon": 1e-6}],
    "tuner": [{"kind": "full"}, {"kind": "lora", "bias": "all"}, {"kind": "lora"}],
}
HARDWARE = optional(gpus=[0, 1, 2, 8], nodes=[1, 2], threads=[2])
WHOLE = optional(**FLAT, **LORA, **MAPS)
PART = optional(**FLAT, **LORA, kind=["sft"])


@st.composite
def recipes(draw):
    """A recipe with one or two trainings, variants and axes."""
    training = {"kind": "sft", "model": "base", "data": "data.train"}
    stages = {"data": {"kind": "prepare", "dataset": "rows"}, "train": training | draw(WHOLE)}
    if draw(st.booleans()):
        stages["second"] = training | draw(WHOLE)
    found = {
        "version": 0,
        "name": "drawn",
        "models": {"base": {"id": "Qwen/Qwen2.5-0.5B-Instruct"}},
        "datasets": {"rows": {"kind": "jsonl", "path": "data/rows.jsonl", "split": {"validation": 0.1}}},
        "hardware": draw(HARDWARE),
        "stages": stages,
    }
    names = ["a", "b", "c", "d"][: draw(st.integers(0, 4))]
    if names:
        found["variants"] = {name: draw(overlays(sorted(stages.keys() - {"data"}))) for name in names}
    if len(names) == 4 and draw(st.booleans()):
        found["axes"] = {"one": ["a", "b"], "two": ["c", "d"]}
    return found


@st.composite
def overlays(draw, stages):
    what = draw(st.sampled_from(["hardware", "stages", "stages", "both"]))
    found = {"hardware": draw(HARDWARE)} if what != "stages" else {}
    return found if what == "hardware" else found | {"stages": {draw(st.sampled_from(stages)): draw(PART)}}


def test_a_recipe_means_what_it_meant_or_is_left_alone():
    ended = Counter()

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(recipes(), st.integers(0, 2**64), st.booleans())
    def law(drawn, seed, based):
        with TemporaryDirectory() as folder:
            ended[migrated(Path(folder), drawn, random.Random(seed), based)] += 1

    law()
    assert ended.total() >= EXAMPLES
    assert ended["kept"] >= 0.7 * EXAMPLES, ended


def migrated(root, drawn, rng, based):
    """Migrate a recipe that is written as chance has it, and compare with its meaning; how that ended."""
    texts = in_files(drawn, rng) if based else {"drawn": drawn}
    project(root, drawn=written(texts.pop("drawn"), rng))
    for name, base in texts.items():
        (root / "recipes" / "bases").mkdir(exist_ok=True)
        (root / "recipes" / "bases" / f"{name}.yaml").write_text(written(base, rng), encoding="utf-8")
    file = root / "recipes" / "drawn.yaml"
    meant, before, said = v0_language.meaning(file), tree(root), comments(root)
    code, _, err = recipe(root, "migrate", file)
    codes = set(re.findall(r"^error\[(R\d+)\]", err, re.MULTILINE))
    if code == 1:
        assert codes and codes <= REFUSALS, (codes, err)
        assert tree(root) == before
        return "refused"
    now = {plan.instance.variant: plan.recipe_hash for plan in plans(file).values()}
    assert now == {variant: hash_of(root, recipe_) for variant, recipe_ in meant.items()}
    after = tree(root / "recipes")
    left = "\n".join(comments(root))
    assert [comment for comment in set(said) if left.count(comment) < said.count(comment)] == []
    assert recipe(root, "migrate", file)[0] == 0
    assert tree(root / "recipes") == after
    return "kept"


def in_files(drawn, rng):
    """A recipe of which some values stand in a base."""
    own, base = split(drawn, rng), {}
    for path, value in own.pop("moved"):
        if path[0] in ("version", "name"):
            own[path[0]] = value
        else:
            put(base, path, value)
    return {"drawn": own | {"extends": ["bases/one.yaml"]}, "one": base}


def comments(root):
    """Every comment of a project's recipes."""
    texts = [text.decode() for text in tree(root / "recipes").values()]
    return [comment.strip() for text in texts for comment in re.findall("#.*", text)]


def hash_of(root, document):
    file = root / "meaning" / "drawn.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(quoted(document), encoding="utf-8")
    (plan,) = plans(file).values()
    file.unlink()
    file.parent.rmdir()
    return plan.recipe_hash
