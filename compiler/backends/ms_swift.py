"""ms-swift 4.6: `swift sft`, `swift infer` and `swift export`.

The tables say which option a field of the recipe becomes. Every option that can change the result is written out with
the default of schema version 1, so that another release of the engine with other defaults changes nothing in silence.
"""

from __future__ import annotations

from compiler.backends import curves
from compiler.backends.fields import Fields, without_nulls
from compiler.backends.ms_swift_training import (
    ENGINE,
    LORA,
    SFT_DEFAULTS,
    TRAINING,
    WATCH,
    environment,
    identity_of,
    training_launch,
    training_options,
)
from compiler.plan import KEPT, Command, InputPath, Launch, Output, OutputPath, Plan, Rest, StagePlan, Value
from schema.stages import Classify, Merge, Predict
from schema.training import SupervisedStage, TrainingStage

SUPERVISED: Fields = {"max_length": ("max_length",), "packing": ("packing",)} | dict(TRAINING)
"""Option → the field of a training stage that it is, where answers are learned."""

PACKING: dict[str, Value] = {"packing_strategy": "binpack", "packing_num_proc": 1}
"""How examples share a sequence."""

INFER_DEFAULTS: dict[str, Value] = {
    "infer_backend": "transformers",
    "stream": False,
    "strict": True,
    "val_dataset_shuffle": False,
    "use_chat_template": True,
    "template_backend": "swift",
    "remove_unused_columns": True,
    "disable_auto_column_mapping": False,
    "load_from_cache_file": False,
    "repetition_penalty": 1.0,
    "num_beams": 1,
    "logprobs": False,
    "merge_lora": False,
    "use_hf": False,
    "load_data_args": False,
    "load_args": False,
}
EXPORT_DEFAULTS: dict[str, Value] = {
    "merge_lora": True,
    "use_chat_template": True,
    "safe_serialization": True,
    "max_shard_size": "5GB",
    "exist_ok": False,
    "tuner_type": "lora",
    "template_backend": "swift",
    "device_map": "cpu",  # else on a GPU where there is one, and rounded otherwise
    "use_hf": False,
    "load_args": False,
}


def sft(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """`swift sft`, with a language modelling or a classification head; then the checkpoint that goes on."""
    stage = planned.stage
    assert isinstance(stage, SupervisedStage)
    own: dict[str, Value | None] = {
        **(PACKING if stage.packing else {}),
        "truncation_strategy": "delete" if stage.too_long == "error" else stage.too_long,
    }
    options = training_options(plan, planned, SUPERVISED, own, SFT_DEFAULTS)
    fields = {**SUPERVISED, **LORA}
    train = Command(("swift", "sft"), options, (ENGINE, "sft"), stage.engine.args, WATCH, True, fields)
    return training_launch(plan, planned, train), curves.outputs(stage, "loss", "Training curve")


def merge(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """`swift export --merge_lora true`; then the model without what is bound to this machine."""
    stage, model = planned.stage, planned.model
    assert isinstance(stage, Merge) and model is not None
    trained = plan.instance.recipe.stages[stage.adapter]
    assert isinstance(trained, TrainingStage)
    options: dict[str, Value | None] = {
        "model": InputPath("base", planned.input("base").path),
        "adapters": InputPath("adapter", planned.input("adapter").path),
        **identity_of(model, trained),
        "torch_dtype": model.spec.dtype,
        "attn_impl": model.attention,
        "seed": plan.instance.recipe.seed,
        **EXPORT_DEFAULTS,
        "output_dir": OutputPath("merged"),
    }
    export = Command(("swift", "export"), without_nulls(options), (ENGINE, "export"))
    collect = Command(
        ("python", "-m", "runners.collect", "model"), {"from": OutputPath("merged"), "to": OutputPath("result")}
    )
    launch = Launch((export, collect), environment(plan, planned, model), runners=("runners.collect",))
    return launch, (Output("model", "model"),)


def predict(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """`swift infer` on every row; then the answers with what was parsed from them."""
    stage, model = planned.stage, planned.model
    assert isinstance(stage, Predict) and model is not None
    recipe = plan.instance.recipe
    used = recipe.stages.get(stage.model)
    adapter = used is not None and used.gives == "adapter"
    classifier = recipe.classifier(stage.model)
    data = InputPath("data", planned.input("data").path)
    classes = InputPath("classes", planned.input("classes").path)
    generating = classifier is None
    block = stage.batch * -(-1000 // stage.batch)  # whole batches, whatever the block
    # Drawn answers are others when the engine begins in the middle.
    goes_on = not generating or stage.temperature == 0
    raw = OutputPath(f"{KEPT}/raw.jsonl" if goes_on else "raw.jsonl")
    rest = Rest(data, "rest.jsonl")
    options: dict[str, Value | None] = {
        "model": InputPath("base", planned.input("base").path)
        if adapter
        else InputPath("model", planned.input("model").path),
        "adapters": InputPath("model", planned.input("model").path) if adapter else None,
        **identity_of(model, classifier),
        "torch_dtype": model.spec.dtype,
        "attn_impl": model.attention,
        "val_dataset": rest if goes_on else data,
        "max_length": stage.max_length,
        "truncation_strategy": "delete",
        "max_new_tokens": stage.max_new_tokens if generating else None,
        "temperature": stage.temperature if generating else None,
        "top_p": stage.top_p if generating else None,
        "top_k": 50 if generating else None,
        "max_batch_size": stage.batch,
        "write_batch_size": block,
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        **INFER_DEFAULTS,
        **_probabilities(classifier),
        "result_path": raw,
    }
    infer = Command(("swift", "infer"), without_nulls(options), (ENGINE, "infer"), stage.engine.args)
    collect = Command(
        ("python", "-m", "runners.collect", "predictions"),
        {
            "raw": raw,
            "data": data,
            "to": OutputPath("result"),
            "classes": classes,
            "parse": stage.parse,
        },
    )
    env = environment(plan, planned, model)
    if recipe.hardware.gpus > 1:
        env["NPROC_PER_NODE"] = str(recipe.hardware.gpus)
    left = Command(
        ("python", "-m", "runners.unanswered"),
        {"raw": raw, "data": data, "classes": classes, "every": block, "to": rest},
    )
    launch = Launch((infer, collect), env, runners=("runners.collect",), rest=left if goes_on else None)
    return launch, (Output("predictions.jsonl"),)


def _probabilities(classifier: Classify | None) -> dict[str, Value | None]:
    """Where any number of classes may be right, the probability of each: thresholds are chosen by it."""
    if classifier is None or not classifier.multi_label:
        return {}
    return {"logprobs": True, "top_logprobs": classifier.classes}
