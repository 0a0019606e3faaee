"""Import of a distillation whose script is not known: its command line, and the JSON that a training service posts."""

import re

import pytest
from compiling import project
from importing import CASES, imported, source_of


def test_every_word_of_a_distillation_is_placed_or_listed(tmp_path):
    """Each option was put at a path of the recipe, or is told; none is told and put."""
    project(tmp_path)
    text = source_of(next(case for case in CASES if case.name == "distillation")).read_text("utf-8")
    found = imported(tmp_path, text)
    written = set(re.findall(r"--(\w+)", text))
    placed = {entry.given.written.lstrip("-") for entry in found.draft.placed.values() if entry.given is not None}
    listed = {item.raw.split()[0].lstrip("-") for item in found.left}
    assert placed | listed == written
    assert placed & listed == set()
    assert listed == {"output_dir", "turbo"}


@pytest.mark.parametrize("name", ["Qwen2.5-VL-8B", "'Qwen/Qwen2.5-VL 8B'"])
def test_a_teacher_that_does_not_exist_becomes_one_that_may_be_meant(tmp_path, name):
    project(tmp_path)
    found = imported(
        tmp_path, f"python train.py --student_model resnet/resnet18 --teacher_model {name} --data_path data/x\n"
    )
    (left,) = found.left
    assert found.draft.placed[("models", "teacher", "id")].value == "Qwen/Qwen2.5-VL-7B-Instruct"
    assert left.code == "R0732"
    for known in ("Qwen/Qwen2.5-VL-7B-Instruct", "Qwen/Qwen3-VL-8B-Instruct"):
        assert known in left.reason


@pytest.mark.parametrize(
    ("options", "family", "size"),
    [
        ("--student_model_type YOLOv8 --student_model_size yolov8n", "yolov8", "n"),
        ("--student_model vit/tiny", "vit", "vit-tiny"),
        ("--student_model ResNet/ResNet50", "resnet", "resnet50"),
        ("--student_model_size 50 --student_model_type resnet", "resnet", "resnet50"),
    ],
)
def test_a_student_may_be_named_in_other_ways(tmp_path, options, family, size):
    project(tmp_path)
    placed = imported(tmp_path, f"python train.py {options} --data_path data/x\n").draft.placed
    assert [placed["stages", "student", "student", field].value for field in ("family", "size")] == [family, size]


@pytest.mark.parametrize(
    ("options", "spec"),
    [
        ("resnet/resnet18 --data_path /mnt/x", {"kind": "image-folder", "path": "/mnt/x", "external": True}),
        ("resnet/resnet18 --data_path data/x.jsonl", {"kind": "jsonl", "path": "data/x.jsonl"}),
        ("yolov8/n --data_path data/x/boxes.json", {"kind": "coco", "path": "data/x", "annotations": "boxes.json"}),
        ("unet/small", {"kind": "coco", "path": "data/REPLACE-ME"}),
    ],
)
def test_data_of_a_distillation_is_read_by_its_ending(tmp_path, options, spec):
    project(tmp_path)
    found = imported(tmp_path, f"python train.py --student_model {options}\n")
    data = {path[2]: entry.value for path, entry in found.draft.placed.items() if path[:2] == ("datasets", "pictures")}
    assert spec.items() <= data.items()
    assert any("where its data is" in left.reason for left in found.left) == ("REPLACE-ME" in spec["path"])


def test_inner_maps_of_a_service_name_what_they_are_about(tmp_path):
    project(tmp_path)
    text = """{"student_model": {"type": "vit", "size": "vit-base"}, "lora": {"rank": 0, "dropout": 0.2}, "bf16": true,
        "distillation": {"type": "Logit"}, "hyperparameters": {"optimizer": "AdamW"}, "train_data": "data/x"}"""
    found = imported(tmp_path, text, file="job.json")
    assert found.left == ()
    said = found.draft.data()["stages"]["student"]
    assert said["student"] == {
        "family": "vit",
        "size": "vit-base",
        "lora": {"rank": 0, "dropout": said["student"]["lora"]["dropout"]},
    }
    assert (said["type"], said["optimizer"], said["precision"]) == ("logit", {"name": "adamw"}, "bfloat16")
