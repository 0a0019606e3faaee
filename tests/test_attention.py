"""What `attention: auto` becomes, and why."""

import json
from unittest import mock

import pytest
from compiling import files, plans, project, recipe

from compiler.attention import attention
from schema.hardware import Hardware, generation, misspelt
from schema.models import ModelSpec
from schema.signature import recorded

TRAINED = """\
version: 1
name: two
models: {base: {id: Qwen/Qwen2-VL-2B-Instruct}}
datasets: {digits: {kind: digits, split: {validation: 0.2}}}
hardware: {gpus: 1, gpu: A100}
stages:
  data: {kind: prepare, dataset: digits}
  train: {kind: sft, engine: trl, toolchain: trl1, model: base, data: data.train}
  merged: {kind: merge, adapter: train}
"""
WITH = {"flash-attn": "2.8.3"}


@pytest.mark.parametrize(
    ("model", "hardware", "packages", "kernel", "why"),
    [
        ({}, {"gpu": "A100"}, {}, "sdpa", "the toolchain has no flash-attn"),
        ({}, {"gpu": "A100"}, WITH, "flash_attention_2", "the toolchain has flash-attn 2.8.3, and A100 is Ampere"),
        ({}, {"gpu": "RTX 4090"}, WITH, "flash_attention_2", "Ada"),
        ({}, {"gpu": "NVIDIA H100 80GB HBM3"}, WITH, "flash_attention_2", "Hopper"),
        ({}, {"gpu": "B200"}, WITH, "flash_attention_2", "Blackwell"),
        ({}, {"gpu": "V100-SXM2-32GB"}, WITH, "sdpa", "needs Ampere or newer, and V100-SXM2-32GB is Volta"),
        ({}, {"gpu": "Tesla T4"}, WITH, "sdpa", "Turing"),
        ({}, {"gpu": "MI300X"}, WITH, "sdpa", "MI300X is not known"),
        ({}, {}, WITH, "sdpa", "the recipe names no GPU"),
        ({}, {"gpus": 0}, WITH, "sdpa", "needs a GPU"),
        ({"dtype": "float32"}, {"gpu": "A100"}, WITH, "sdpa", "takes no float32"),
        ({"attention": "eager"}, {"gpu": "A100"}, WITH, "eager", "as the recipe says"),
        ({"type": "cogvlm"}, {"gpu": "A100"}, WITH, "eager", "the code of cogvlm declares no other"),
    ],
)
def test_the_best_kernel_that_there_is(model, hardware, packages, kernel, why):
    spec = ModelSpec.model_validate({"id": "a/b", **model})
    found, told = attention(spec, spec.type or "qwen2_vl", Hardware.model_validate(hardware), packages)
    assert (found, why in told) == (kernel, True), told


def test_the_toolchain_of_the_stage_decides_and_its_flash_attn_counts(tmp_path):
    """A toolchain that had flash-attn: the trainer runs with it, and its version is part of the stage's identity."""
    file = project(tmp_path, two=TRAINED) / "two.yaml"
    with mock.patch.dict(recorded._recorded("trl1")["packages"], WITH):
        (plan,) = plans(file).values()
        train = plan.stage("train")
        assert train.launch.commands[0].options["attn_implementation"] == "flash_attention_2"
        assert train.identity["toolchain"]["flash-attn"] == "2.8.3"
        assert plan.stage("merged").model.attention == "sdpa"
        _, shown, _ = recipe(tmp_path, "show", "two")
        assert "attention flash_attention_2 (the toolchain has flash-attn 2.8.3, and A100 is Ampere)" in shown
        assert "attention sdpa (the toolchain has no flash-attn)" in shown
    document = json.loads(files(file)["pipelines/two/train.json"])
    assert document["launch"][0]["options"]["attn_implementation"] == "sdpa"
    assert "flash-attn" not in document["toolchain"]


@pytest.mark.parametrize(
    ("gpu", "found"),
    [
        ("RTX2080Ti", "Turing"),
        ("GeForce GTX 1080 Ti", "Pascal"),
        ("RTX 3080 Ti", "Ampere"),
        ("RTX 4070 SUPER", "Ada"),
        ("nvidia_a100_80gb_pcie", "Ampere"),
        ("Quadro RTX 6000", "Turing"),
        ("RTX 6000 Ada Generation", "Ada"),
        ("Tesla K80", "Kepler"),
        ("MI300X", None),
        ("", None),
    ],
)
def test_generations_by_the_names_that_people_and_drivers_write(gpu, found):
    assert generation(Hardware.model_construct(gpu=gpu)) == found


@pytest.mark.parametrize(
    ("gpu", "meant"),
    [
        ("A-100", "A100"),
        ("A 100", "A100"),
        ("H10O", "H100"),
        ("RTX 4900", "4090"),
        *(
            (free, None)
            for free in ("A100", "MI100", "MI300X", "W7900", "Ascend 910B", "TPU v5e", "Gaudi2", "GPU", "M2")
        ),
    ],
)
def test_a_slip_is_told_and_a_free_name_is_not(gpu, meant):
    assert misspelt(gpu) == meant
