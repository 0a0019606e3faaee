"""Which models of the zoo the toolchains run: the others are told when a recipe is compiled, with the toolchain that would."""

import pytest
from compiling import ROOT, plans, project

from schema.diagnostics import RecipeError
from schema.load import load

TEXT = (ROOT / "recipes" / "animals-zoo.yaml").read_text("utf-8")
DEFAULT = "id: Qwen/Qwen2-VL-7B-Instruct, dtype: bfloat16"
RUNS = {
    "qwen2-vl-2b": "qwen2_vl",
    "qwen2-vl-7b": "qwen2_vl",
    "llava-1-5-7b": "llava1_5_hf",
    "llava-1-5-13b": "llava1_5_hf",
    "minicpm-v-2-6": "minicpmv2_6",
    "minicpm-v-1": "minicpmv",
    "cogvlm-17b": "cogvlm",
    "cogvlm2-19b": "cogvlm2",
    "smoke": "llava1_5_hf",
    "older-smoke": "llava1_5_hf",
}
"""Variant of the zoo → the type of model that ms-swift is told."""
OLDER = ("minicpm-v-2-6", "minicpm-v-1", "cogvlm-17b", "cogvlm2-19b", "older-smoke")
"""The variants that run in the toolchain with an older transformers."""
OLD = ["OpenBMB/MiniCPM-V", "ZhipuAI/cogvlm-chat", "zai-org/cogvlm-chat-hf", "ZhipuAI/cogvlm2-llama3-chat-19B"]
"""Models whose own code was written for transformers below 4.42: MiniCPM-V 1.0, CogVLM 17B by both of its names, CogVLM2."""


def refused(folder, model):
    """What is wrong with the zoo's recipe for another model, without its variants."""
    text = TEXT.partition("\nvariants:")[0].replace(DEFAULT, f"id: {model}, dtype: bfloat16")
    assert model in text
    with pytest.raises(RecipeError) as caught:
        plans(project(folder, zoo=text) / "zoo.yaml")
    return [finding for finding in caught.value.diagnostics if finding.severity == "error"]


def test_every_variant_compiles_where_its_model_runs():
    found = plans(ROOT / "recipes" / "animals-zoo.yaml")
    assert {label.partition("/")[2] for label in found} == {"", *RUNS}
    for variant, kind in RUNS.items():
        plan = found[f"animals-zoo/{variant}"]
        assert [finding for finding in plan.diagnostics if finding.severity == "error"] == []
        assert {stage.toolchain for stage in plan.stages} == {"transformers-4.41" if variant in OLDER else "default"}
        for stage in ("train", "answers", *(() if variant == "smoke" else ("merged",))):
            assert plan.stage(stage).launch.commands[0].options["model_type"] == kind


def test_only_the_model_and_its_hardware_differ_between_variants():
    def said(variant):
        options = dict(
            plans(ROOT / "recipes/animals-zoo.yaml")[f"animals-zoo/{variant}"].stage("train").launch.commands[0].options
        )
        apart = (
            "model",
            "dataset",
            "model_type",
            "template",
            "per_device_train_batch_size",
            "gradient_accumulation_steps",
        )
        return {name: value for name, value in options.items() if name not in apart}

    assert said("llava-1-5-7b") == said("llava-1-5-13b") == said("qwen2-vl-2b")
    assert said("minicpm-v-1") == said("cogvlm-17b") == said("cogvlm2-19b") | {"max_length": 2048}
    assert said("minicpm-v-1") | {"attn_impl": "sdpa"} == said("minicpm-v-2-6")


def test_a_picture_and_its_answer_fit_into_the_length():
    """CogVLM takes 1227 tokens for a picture, CogVLM2 2306; what is longer would be left out or refused."""
    found = plans(ROOT / "recipes/animals-zoo.yaml")
    for variant, tokens in {"cogvlm-17b": 1227, "cogvlm2-19b": 2306}.items():
        for stage in ("train", "answers"):
            options = found[f"animals-zoo/{variant}"].stage(stage).launch.commands[0].options
            assert options["max_length"] >= tokens + 256


@pytest.mark.parametrize("model", OLD)
def test_a_model_of_older_code_is_refused_with_the_toolchain_that_would_run_it(tmp_path, model):
    wrong = refused(tmp_path, model)
    assert [finding.code for finding in wrong] == ["R0342"] * 3  # training, merge and answers
    for finding in wrong:
        assert f"`{model}` asks for transformers<4.42" in finding.message
        assert "transformers 5.19.0" in finding.message
        assert finding.help == "write `toolchain: transformers-4.41`"


@pytest.mark.parametrize("model", OLD)
def test_it_compiles_where_its_code_runs(tmp_path, model):
    text = TEXT.partition("\nvariants:")[0].replace(DEFAULT, f"id: {model}, dtype: bfloat16")
    text = text.replace("\nseed: 42\n", "\nseed: 42\ntoolchain: transformers-4.41\n")
    (plan,) = plans(project(tmp_path, zoo=text) / "zoo.yaml").values()
    assert plan.stage("train").launch.commands[0].options["train_type"] == "lora"


def test_a_limit_that_the_engine_does_not_state_is_told(tmp_path):
    """Of MiniCPM-V 2.6, whose code is reported to fail with transformers 5."""
    wrong = refused(tmp_path, "OpenBMB/MiniCPM-V-2_6")
    assert {finding.help for finding in wrong} == {"write `toolchain: transformers-4.41` or `toolchain: vllm`"}


def test_old_models_are_known_by_their_names():
    """So the refusal is about versions and not about a name."""
    for model in OLD:
        (instance, *_) = load(ROOT / "recipes/animals-zoo.yaml", {}, (f"models.base.id={model}",)).instances
        assert instance.recipe.models["base"].id == model
