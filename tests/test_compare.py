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
        "remarks": [],
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


STUDENTS = """\
version: 1
name: demo
models: {base: {id: tiny/qwen2-vl}}
datasets: {signs: {kind: scenes, classes: [car, sign], count: 40, split: {validation: 0.2, stratify: false}}}
hardware: {gpus: 0}
stages:
  data: {kind: prepare, dataset: signs, task: detect}
  small: {kind: distill, teacher: base, data: data.train, student: yolov8/n, evaluation: {data: data.validation}}
  exported: {kind: export, model: small, data: data.validation}
  int8: {kind: quantize, model: exported, method: int8-dynamic, check: data.validation}
  alone: {kind: distill, type: none, data: data.train, student: yolov8/n, evaluation: {data: data.validation}}
  answers: {kind: predict, model: small, data: data.validation}
  scores: {kind: evaluate, predictions: answers}
"""


def written(root, **stages):
    for stage, metrics in stages.items():
        folder = root / "outputs" / "demo" / stage
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(json.dumps(metrics))


def test_students_stand_beside_each_other_and_a_teacher_without_a_score_is_told(tmp_path):
    project(tmp_path, demo=STUDENTS)
    written(
        tmp_path,
        small={"before_map50_95": 0.0, "eval_map50_95": 0.5, "eval_loss": 2.0, "steps": 9},
        int8={"rows": 8, "bytes_before": 9, "bytes_after": 3, "map50_95_before": 0.5, "map50_95_after": 0.25},
        alone={"eval_map50_95": 0.375},
        scores={"rows": 8, "map50": 0.75, "map50_95": 0.5},
    )
    code, out, err = recipe(tmp_path, "compare", "recipes/demo.yaml")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert lines[0] == ["demo:", "map50_95"]
    assert lines[1][2:] == ["small", "int8", "alone", "scores", "rows"]
    assert lines[2][2:] == ["0.500", "0.250", "0.375", "0.500", "8"]
    assert "No score of the teacher of `small`: it gives none for detection." in " ".join(out.split())


def test_a_teacher_that_scores_classes_has_a_column(tmp_path):
    text = STUDENTS.replace("kind: scenes, classes: [car, sign], count: 40", "kind: digits")
    text = text.replace("stratify: false", "stratify: true").replace("task: detect", "task: classify")
    project(tmp_path, demo=text.replace("yolov8/n", "resnet/resnet18"))
    written(tmp_path, small={"eval_accuracy": 0.75, "teacher_accuracy": 0.125}, alone={"eval_accuracy": 0.5})
    _, out, _ = recipe(tmp_path, "compare", "recipes/demo.yaml", "--format", "json")
    found = json.loads(out)
    assert found["stages"] == ["small", "small-teacher", "alone"]
    assert found["instances"][0]["scores"] == {"small": 0.75, "small-teacher": 0.125, "alone": 0.5}
    assert found["remarks"] == []
