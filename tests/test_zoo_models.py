"""Which models of the zoo compile, and that they are trained alike."""

from compiling import ROOT, plans

from schema.load import load

RUNS = {
    "qwen2-vl-2b": "qwen2_vl",
    "qwen2-vl-7b": "qwen2_vl",
    "llava-1-5-7b": "llava1_5_hf",
    "llava-1-5-13b": "llava1_5_hf",
    "minicpm-v-2-6": "minicpmv2_6",
    "smoke": "llava1_5_hf",
}
"""Variant of the zoo → the type of model that ms-swift is told."""
OLD = ["OpenBMB/MiniCPM-V", "ZhipuAI/cogvlm-chat", "zai-org/cogvlm-chat-hf", "ZhipuAI/cogvlm2-llama3-chat-19B"]
"""Models whose own code was written for transformers below 4.42: MiniCPM-V 1.0, CogVLM 17B by both of its names, CogVLM2."""


def test_every_variant_compiles_where_its_model_runs():
    found = plans(ROOT / "recipes" / "animals-zoo.yaml")
    assert {label.partition("/")[2] for label in found} == {"", *RUNS}
    for variant, kind in RUNS.items():
        plan = found[f"animals-zoo/{variant}"]
        assert [finding for finding in plan.diagnostics if finding.severity == "error"] == []
        for stage in ("train", "merged", "answers"):
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

    assert said("llava-1-5-7b") == said("llava-1-5-13b") == said("minicpm-v-2-6") == said("qwen2-vl-2b")


def test_old_models_are_known_by_their_names():
    """So the refusal is about versions and not about a name."""
    for model in OLD:
        (instance, *_) = load(ROOT / "recipes/animals-zoo.yaml", {}, (f"models.base.id={model}",)).instances
        assert instance.recipe.models["base"].id == model
