"""Rules of classes that occur together, of embeddings and of fair thresholds: what is refused, and that neighbours are not."""

import pytest
from compiling import plans, project, quoted

from schema.load import load

TAGGER = {"kind": "classify", "model": "base", "data": "tags.train", "classes": 9, "multi_label": True}
NEAR = {"kind": "embed", "model": "base", "data": "pairs.train", "batch": {"global": 16, "micro": 16}}
SPLIT = {"validation": 0.1, "test": 0.1}


def document(stages, gpus=1, negatives=None):
    columns = {"prompt": "q", "answer": "a", "label": "l", "positive": "p", "negatives": negatives}
    prepared = {
        name: {"kind": "prepare", "dataset": "rows", "task": task}
        for name, task in (("tags", "tag"), ("more-tags", "tag"), ("pairs", "embed"), ("texts", "generate"))
    }
    return {
        "version": 1,
        "name": "small",
        "models": {"base": {"id": "Qwen/Qwen2-VL-2B-Instruct"}},
        "datasets": {"rows": {"kind": "jsonl", "path": "rows.jsonl", "columns": columns, "split": SPLIT}},
        "hardware": {"gpus": gpus},
        "stages": prepared | stages,
    }


def found(folder, stages, **more):
    path = project(folder, small=quoted(document(stages, **more))) / "small.yaml"
    (instance,) = load(path, {}).instances
    return [finding.code for finding in instance.findings]


def scored(chosen, tested, model="train", metrics=("f1", "map")):
    """Stages that choose thresholds on one set of rows and score another."""
    return {
        "train": TAGGER,
        "other": TAGGER,
        "folded": {"kind": "merge", "adapter": "train"},
        "tried": {"kind": "predict", "model": "train", "data": chosen},
        "answers": {"kind": "predict", "model": model, "data": tested},
        "scores": {"kind": "evaluate", "predictions": "answers", "thresholds_from": "tried", "metrics": list(metrics)},
    }


def test_thresholds_of_the_validation_split_are_applied_to_the_test_split(tmp_path):
    assert found(tmp_path, scored("tags.validation", "tags.test")) == []


@pytest.mark.parametrize(
    ("chosen", "tested", "model"),
    [
        ("tags.test", "tags.test", "train"),
        ("tags.train", "tags.test", "train"),
        ("tags.validation", "tags.validation", "train"),
        ("tags.test", "tags.validation", "train"),
        ("more-tags.validation", "tags.test", "train"),
        ("tags.validation", "tags.test", "other"),
        ("tags.validation", "tags.test", "folded"),
    ],
)
def test_thresholds_that_would_flatter(tmp_path, chosen, tested, model):
    assert found(tmp_path, scored(chosen, tested, model)) == ["R0370"]


def test_what_needs_a_probability_of_each_class(tmp_path):
    stages = {
        "train": {"kind": "sft", "model": "base", "data": "texts.train"},
        "tried": {"kind": "predict", "model": "train", "data": "texts.validation"},
        "answers": {"kind": "predict", "model": "train", "data": "texts.test"},
        "scores": {"kind": "evaluate", "predictions": "answers", "thresholds_from": "tried", "metrics": ["map"]},
    }
    assert found(tmp_path, stages) == ["R0371", "R0371"]
    stages["scores"] = {"kind": "evaluate", "predictions": "answers"}
    assert found(tmp_path, stages) == []


def test_a_tagger_reads_rows_with_any_number_of_classes(tmp_path):
    assert found(tmp_path, {"train": TAGGER | {"multi_label": False}}) == ["R0307"]
    assert found(tmp_path, {"train": TAGGER}) == []
    answers = {"kind": "predict", "model": "base", "data": "tags.test"}
    assert found(tmp_path, {"answers": answers}) == ["R0307"]
    assert found(tmp_path, {"vectors": answers | {"kind": "features"}}) == []


def test_communication_is_overlapped_where_something_is_sharded(tmp_path):
    sft = {"kind": "sft", "model": "base", "data": "texts.train", "overlap_comm": True}
    assert found(tmp_path, {"train": sft}) == ["R0372"]
    assert found(tmp_path, {"train": sft | {"deepspeed": "zero0"}}) == ["R0372"]
    assert found(tmp_path, {"train": sft | {"overlap_comm": False}}) == []
    (plan,) = plans(
        project(tmp_path, small=quoted(document({"train": sft | {"deepspeed": "zero2"}}))) / "small.yaml"
    ).values()
    zero = plan.stage("train").launch.files["deepspeed"]["zero_optimization"]
    assert {name: zero[name] for name in ("stage", "allgather_partitions", "reduce_scatter", "overlap_comm")} == {
        "stage": 2,
        "allgather_partitions": True,
        "reduce_scatter": True,
        "overlap_comm": True,
    }


def test_a_pair_has_something_to_be_held_against(tmp_path):
    alone = NEAR | {"batch": {"global": 16, "micro": 1}}
    assert found(tmp_path, {"near": alone}) == ["R0373"]
    assert found(tmp_path, {"near": alone}, gpus=4) == []
    assert found(tmp_path, {"near": alone}, negatives="n") == []
    assert found(tmp_path, {"near": NEAR | {"in_batch_negatives": False}}) == ["R0373"]
    assert found(tmp_path, {"near": NEAR | {"in_batch_negatives": False}}, negatives="n") == []


def test_models_are_asked_for_what_they_give(tmp_path):
    merged = {"near": NEAR, "folded": {"kind": "merge", "adapter": "near"}}
    for model in ("near", "folded"):
        asked = {"kind": "features", "model": model, "data": "pairs.validation"}
        assert found(tmp_path, merged | {"vectors": asked}) == []
        assert "R0374" in found(tmp_path, merged | {"vectors": asked | {"kind": "predict"}})
    asked = {"kind": "features", "model": "train", "data": "tags.test"}
    assert found(tmp_path, {"train": TAGGER, "vectors": asked}) == ["R0374"]


def test_a_data_set_may_have_the_name_of_the_stage_that_prepares_it(tmp_path):
    recipe = document({"rows": {"kind": "prepare", "dataset": "rows"}})
    (plan,) = plans(project(tmp_path, small=quoted(recipe)) / "small.yaml").values()
    assert plan.stage("rows").inputs[0].path == "rows.jsonl"


def test_retrieval_looks_for_texts_of_rows(tmp_path):
    vectors = {"kind": "features", "model": "base", "data": "pairs.validation"}
    found_ = {"kind": "retrieve", "embeddings": "vectors"}
    assert found(tmp_path, {"vectors": vectors, "found": found_}) == []
    assert found(tmp_path, {"vectors": vectors | {"data": "tags.test"}, "found": found_}) == ["R0375"]
