"""Vision towers and students in other formats give what they gave before; what cannot be exported is refused.

A whole classifier of Qwen2-VL is exported by the smoke run of `recipes/deploy.yaml`.
"""

import json
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.engine

CLASSES = ("one", "two", "three")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Five pictures, none of them square."""
    folder = tmp_path_factory.mktemp("data")
    lines = []
    for number in range(5):
        picture = Image.linear_gradient("L").rotate(70 * number).resize((60 + 8 * number, 90)).convert("RGB")
        picture.save(folder / f"{number}.png")
        message = {"role": "user", "content": "<image>Which?"}
        lines.append(json.dumps({"messages": [message], "images": [f"{number}.png"], "label": number % 3}) + "\n")
    (folder / "rows.jsonl").write_text("".join(lines))
    (folder / "classes.json").write_text(json.dumps(CLASSES))
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folders of tiny models."""
    import torch

    from runners.distill import students
    from runners.distill.students.base import Options
    from runners.tiny.llava import llava
    from runners.tiny.qwen import qwen2_vl

    root = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    llava(root / "llava1_5_hf")
    qwen2_vl(root / "qwen2_vl")
    for family, size in (("resnet", "resnet18"), ("vit", "vit-tiny")):
        students.save(students.build(family, size, CLASSES, Options(image_size=32)).eval(), root / family)
    return root


def exported(data, model, to, *more):
    from runners import export

    argv = ["--model", str(model), "--data", str(data / "rows.jsonl"), "--classes", str(data / "classes.json")]
    return export.main([*argv, *more, "--to", str(to)])


@pytest.mark.parametrize(("family", "size"), [("llava1_5_hf", ("56", "56")), ("qwen2_vl", ("56", "84"))])
def test_a_vision_tower_gives_the_same_features(family, size, models, data, tmp_path):
    tower = ("--family", family, "--part", "vision", "--size", *size)
    assert exported(data, models / family, tmp_path, *tower) == 0
    metrics = json.loads((tmp_path / "metrics.json").read_bytes())
    assert metrics["rows"] == 5
    assert metrics["scale"] > 1e-3  # nothing is compared with zeros
    for name in ("onnx", "torchscript"):
        assert metrics[f"{name}_max_difference"] < 1e-5 * max(metrics["scale"], 1)
    described = json.loads((tmp_path / "export" / "export.json").read_bytes())
    assert (described["output"], described["classes"]) == ("features", [])


@pytest.mark.parametrize("family", ["resnet", "vit"])
def test_a_student_gives_the_same_scores(family, models, data, tmp_path):
    assert exported(data, models / family, tmp_path, "--family", "student") == 0
    metrics = json.loads((tmp_path / "metrics.json").read_bytes())
    for name in ("onnx", "torchscript"):
        assert metrics[f"{name}_max_difference"] < 1e-4
        assert metrics[f"{name}_same_class"] == 1
        assert metrics[f"{name}_accuracy"] == metrics["accuracy_original"]


def test_the_same_model_gives_the_same_files_without_places(models, data, tmp_path):
    """A stage exports in a process of its own: TorchScript numbers the classes that one process has traced."""
    for name in ("first", "second"):
        exported(data, models / "llava1_5_hf", tmp_path / name, *TOWER)
    for file in ("export.json", "model.onnx", "model.pt"):
        first, second = ((tmp_path / name / "export" / file).read_bytes() for name in ("first", "second"))
        assert first == second or file == "model.pt"
        assert str(ROOT).encode() not in first
        assert str(tmp_path).encode() not in first


TOWER = ("--family", "llava1_5_hf", "--part", "vision", "--size", "56", "56")


def test_an_export_beyond_the_tolerance_is_refused(models, data, tmp_path):
    from schema.diagnostics import RecipeError

    with pytest.raises(RecipeError) as caught:
        exported(data, models / "llava1_5_hf", tmp_path, *TOWER, "--tolerance", "1e-12")
    assert caught.value.diagnostics[0].code == "R0594"
    assert (tmp_path / "metrics.json").exists()  # what was measured can be looked at


def test_another_computation_is_noticed(models, data, tmp_path, monkeypatch):
    """A wrapper that leaves the projector out of its place, as a mistake in our own code would."""
    from runners.exporting import llava
    from schema.diagnostics import RecipeError

    monkeypatch.setattr(llava.Vision, "forward", lambda self, image: self.projector(self.embeddings(image)[:, 1:]))
    with pytest.raises(RecipeError, match="differs from its original"):
        exported(data, models / "llava1_5_hf", tmp_path, *TOWER, "--formats", "torchscript")


@pytest.mark.parametrize(
    ("family", "size", "help"),
    [
        ("llava1_5_hf", ("28", "28"), "[56, 56]"),
        ("qwen2_vl", ("60", "84"), "[56, 84]"),
        ("resnet", ("28", "28"), "[32"),
    ],
)
def test_a_size_that_the_model_cannot_read_is_refused(family, size, help, models, data, tmp_path):
    from schema.diagnostics import RecipeError

    named = ("student", "whole") if family == "resnet" else (family, "vision")
    with pytest.raises(RecipeError) as caught:
        exported(data, models / family, tmp_path, "--family", named[0], "--part", named[1], "--size", *size)
    assert caught.value.diagnostics[0].code == "R0590"
    assert help in caught.value.diagnostics[0].help


def test_rows_of_a_classifier_ask_one_question(data, tmp_path):
    from runners.export import _same_prompt
    from schema.diagnostics import RecipeError

    rows = [{"messages": [{"role": "user", "content": text}]} for text in ("<image>A?", "<image>A?", "<image>B?")]
    assert _same_prompt(rows[:2], tmp_path) == rows[0]
    with pytest.raises(RecipeError, match="row 3"):
        _same_prompt(rows, tmp_path)
