"""`recipe compare`: one metric of every instance that has run, as text, Markdown and JSON."""

import json

import pytest
from compiling import project, recipe

RECIPE = """\
version: 1
name: demo
models: {base: {id: Qwen/Qwen2.5-VL-7B-Instruct}}
datasets: {questions: {kind: okvqa, path: data/okvqa}}
stages:
  data: {kind: prepare, dataset: questions}
  before: {kind: predict, model: base, data: data.validation}
  scores-before: {kind: evaluate, predictions: before, metrics: [vqa_accuracy]}
  train: {kind: sft, model: base, data: data.train}
  after: {kind: predict, model: train, data: data.validation}
  scores-after: {kind: evaluate, predictions: after, metrics: [vqa_accuracy]}
variants:
  gemma: {models: {base: {id: LLM-Research/gemma-3-12b-it}}}
  llama: {models: {base: {id: LLM-Research/Llama-3.2-11B-Vision-Instruct}}}
"""


@pytest.fixture
def root(tmp_path):
    project(tmp_path, demo=RECIPE)
    return tmp_path


def ran(root, label, **scores):
    for stage, value in scores.items():
        folder = root / "outputs" / label / stage.replace("_", "-")
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(json.dumps({"vqa_accuracy": value, "rows": 5046, "unanswered": 2}))


@pytest.fixture
def scored(root):
    """The plain recipe has run, of one variant the first score is there, and the other has not run."""
    ran(root, "demo", scores_before=0.5, scores_after=0.5625)
    ran(root, "demo/gemma", scores_before=0.25)
    return root


def test_as_text(scored):
    code, out, err = recipe(scored, "compare", "recipes/demo.yaml")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines() if line.strip()] == [
        ["demo:", "vqa_accuracy"],
        ["instance", "model", "scores-before", "scores-after", "change", "rows"],
        ["demo", "Qwen/Qwen2.5-VL-7B-Instruct", "0.500", "0.562", "+0.062", "5,046"],
        ["gemma", "LLM-Research/gemma-3-12b-it", "0.250", "–", "–", "5,046"],
        ["Not", "run:", "llama"],
    ]


def test_as_markdown(scored):
    _, out, _ = recipe(scored, "compare", "recipes/demo.yaml", "--format", "markdown")
    assert out.splitlines() == [
        "**demo**: vqa_accuracy",
        "",
        "| instance | model | scores-before | scores-after | change | rows |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
        "| demo | Qwen/Qwen2.5-VL-7B-Instruct | 0.500 | 0.562 | +0.062 | 5,046 |",
        "| gemma | LLM-Research/gemma-3-12b-it | 0.250 | – | – | 5,046 |",
        "",
        "Not run: llama",
    ]


def test_as_json(scored):
    _, out, _ = recipe(scored, "compare", "recipes/demo.yaml", "--format", "json")
    assert json.loads(out) == {
        "format_version": 1,
        "recipe": "demo",
        "metric": "vqa_accuracy",
        "stages": ["scores-before", "scores-after"],
        "instances": [
            {
                "instance": "demo",
                "model": "Qwen/Qwen2.5-VL-7B-Instruct",
                "scores": {"scores-before": 0.5, "scores-after": 0.5625},
                "change": 0.0625,
                "rows": 5046,
            },
            {
                "instance": "gemma",
                "model": "LLM-Research/gemma-3-12b-it",
                "scores": {"scores-before": 0.25, "scores-after": None},
                "change": None,
                "rows": 5046,
            },
        ],
        "not_run": ["llama"],
    }


def test_some_instances_and_another_metric(scored):
    code, out, _ = recipe(
        scored, "compare", "recipes/demo.yaml", "--variant", "gemma", "--metric", "unanswered", "--format", "json"
    )
    found = json.loads(out)
    assert code == 0 and found["stages"] == ["scores-before"] and found["not_run"] == []
    assert found["instances"][0]["scores"] == {"scores-before": 2} and found["instances"][0]["change"] is None


def test_nothing_has_run(root):
    code, out, err = recipe(root, "compare", "recipes/demo.yaml")
    assert (code, out) == (1, "") and "R0648" in err and "recipe run recipes/demo.yaml" in err


def test_a_metric_that_there_is_not(scored):
    code, _, err = recipe(scored, "compare", "recipes/demo.yaml", "--metric", "accuracy")
    assert code == 1 and "R0649" in err and "one of `vqa_accuracy`" in err


def test_a_variant_that_there_is_not(scored):
    code, _, err = recipe(scored, "compare", "recipes/demo.yaml", "--variant", "gema")
    assert code == 1 and "gemma" in err
