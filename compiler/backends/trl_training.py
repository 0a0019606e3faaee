"""What the training commands of TRL 0.29 share: `accelerate launch … -m runners.trl_…`.

The tables say which option of TRL a field of the recipe becomes, and which fields it has no option for. Every option
that can change the result is written out with the default of schema version 1, as for ms-swift.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from compiler.backends import accelerate, curves
from compiler.backends.deepspeed import config as deepspeed_config
from compiler.backends.fields import (
    LONG,
    TRANSFORMERS,
    Fields,
    cadence,
    fields,
    model_below,
    own_environment,
    picture_folder,
    told_by_cluster,
    value_at,
    without_nulls,
)
from compiler.plan import (
    Command,
    InputPath,
    Json,
    Launch,
    OutputPath,
    Plan,
    ResolvedModel,
    ResumedModel,
    ResumePath,
    StagePlan,
    Value,
)
from schema.base import steps_of
from schema.diagnostics import Diagnostic
from schema.signature import toolchain
from schema.training import TrainingStage
from schema.tuner import LoraTuner

ENGINE = "trl"
Path = tuple[str | int, ...]
Unsaid = Mapping[Path, tuple[Any, ...]]
"""Field without an option → the values of it that need none."""

TRAINING: Fields = {
    **TRANSFORMERS,
    "save_total_limit": ("checkpoints", "keep"),
    "freeze_vision": ("tuner", "freeze", "vision"),
    "freeze_aligner": ("tuner", "freeze", "aligner"),
    "freeze_language": ("tuner", "freeze", "language"),
}
"""Option → the field of a training stage that it is."""

LORA: Fields = {
    "lora_r": ("tuner", "rank"),
    "lora_alpha": ("tuner", "alpha"),
    "lora_dropout": ("tuner", "dropout"),
    "use_rslora": ("tuner", "rank_stabilized"),
    "use_dora": ("tuner", "dora"),
    "lora_target_modules": ("tuner", "target_modules"),
    "lora_modules_to_save": ("tuner", "modules_to_save"),
}
"""The same for adapters."""

UNSAID: Unsaid = {
    ("optimizer", "vision_learning_rate"): (None,),
    ("optimizer", "aligner_learning_rate"): (None,),
    ("early_stopping",): (None,),
}
UNSAID_OF_ADAPTERS: Unsaid = {
    ("tuner", "bias"): ("none",),
    ("tuner", "init"): ("true",),
    ("tuner", "bits"): (None, 4, 8),
    ("tuner", "quantization"): (None, "bnb"),
}

BATCHES: Mapping[str, Value] = {
    "dataloader_drop_last": False,
    "dataloader_in_order": True,
    "dataloader_persistent_workers": False,  # else the number of workers changes the random stream
    "label_smoothing_factor": 0.0,
    "average_tokens_across_devices": True,
    "auto_find_batch_size": False,
}
LOOP: Mapping[str, Value] = {
    "use_liger_kernel": False,
    "torch_compile": False,
    "full_determinism": False,
    "bf16_full_eval": False,
    "fp16_full_eval": False,
    "eval_on_start": False,
    "eval_delay": 0.0,
    "eval_do_concat_batches": True,
    "prediction_loss_only": False,
    "load_best_model_at_end": False,
    "save_only_model": False,
    "ignore_data_skip": False,
    "push_to_hub": False,
}
"""Options that no field says, of every trainer."""

OTHERWISE = "train it with `engine: ms-swift`"


def no_trainer(plan: Plan, planned: StagePlan) -> Iterator[Diagnostic]:
    """R0331: the kind of the stage has no trainer here."""
    message = f"TRL has no trainer for a stage of the kind `{planned.kind}`"
    yield Diagnostic("R0331", message, OTHERWISE, (plan.instance.at("stages", planned.name, "engine"),))


def unsaid(plan: Plan, planned: StagePlan, more: Unsaid) -> Iterator[Diagnostic]:
    """R0330: what the recipe says and TRL has no option for; `more` are fields of the stage's kind."""
    stage, at = planned.stage, plan.instance.at
    assert isinstance(stage, TrainingStage)
    for field in _unsaid(stage, more):
        message = f"TRL has no option for what `{'.'.join(map(str, field))}` says"
        yield Diagnostic("R0330", message, f"remove it, or {OTHERWISE}", (at("stages", planned.name, *field),))
    if planned.model is not None and planned.model.spec.template is not None:
        message = "`template` is a name of ms-swift's, and TRL takes the chat template in the model's folder"
        place = at("models", planned.model.name, "template")
        yield Diagnostic("R0330", message, f"remove it, or {OTHERWISE}", (place,))


def _unsaid(stage: TrainingStage, more: Unsaid) -> Iterator[Path]:
    """The fields of a stage that have a value which TRL has no option for."""
    table = {**UNSAID, **more, **(UNSAID_OF_ADAPTERS if isinstance(stage.tuner, LoraTuner) else {})}
    yield from (path for path, fine in table.items() if value_at(stage, path) not in fine)
    if len(stage.logging.trackers) > 1:
        yield ("logging", "trackers", 1)
    for path, sources in ((("data",), stage.data), (("evaluation", "data"), stage.evaluation.data or ())):
        for number, source in enumerate(sources):
            yield from ((*path, number, name) for name in ("weight", "count") if getattr(source, name) is not None)


def training_options(
    plan: Plan, planned: StagePlan, table: Fields, own: Mapping[str, Value | None], defaults: Mapping[str, Value]
) -> dict[str, Value]:
    """The options of a training command.

    Args:
        table: Option → field, beside those of `LORA`.
        own: Options that only the stage's kind has.
        defaults: Options that no field says.
    """
    stage, model, batch = planned.stage, planned.model, planned.batch
    assert isinstance(stage, TrainingStage) and model is not None and batch is not None
    recipe = plan.instance.recipe
    full = not isinstance(stage.tuner, LoraTuner)
    model_path = model_below(planned)
    options: dict[str, Value | None] = {
        "model_name_or_path": ResumedModel(model_path) if full else model_path,
        "processor": model_path,  # a checkpoint's own is written anew in another order
        **_precision(stage, model),
        "max_pixels": model.spec.max_pixels,
        "min_pixels": model.spec.min_pixels,
        "use_peft": not full,
        **({} if full else _adapter(stage)),
        **_data(plan, planned),
        **fields(stage, table),
        **own,
        "learning_rate": stage.optimizer.learning_rate or (1e-5 if full else 1e-4),
        **_warmup(stage, toolchain(recipe.toolchain_of(planned.name))),
        "gradient_accumulation_steps": batch.accumulation,
        **_cadences(stage),
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        **defaults,
        "use_cpu": recipe.hardware.gpus == 0,
        "dataloader_num_workers": 4 if recipe.hardware.gpus else 0,
        **_logging(stage),
        "output_dir": OutputPath("checkpoints"),
        "resume_from_checkpoint": ResumePath(),
    }
    return without_nulls(options)


def training_launch(
    plan: Plan, planned: StagePlan, command: str, options: Mapping[str, Value], table: Fields
) -> Launch:
    """TRL's trainer in the processes that accelerate starts; then the checkpoint that goes on."""
    stage = planned.stage
    assert isinstance(stage, TrainingStage)
    program = f"runners.trl_{command}"
    train = Command(
        ("python", "-m", program),
        options,
        (ENGINE, command),
        stage.engine.args,
        trains=True,
        fields={**table, **LORA},
        launcher=accelerate.launcher(plan, planned, stage.deepspeed),
    )
    return Launch(
        (train, curves.collect(stage)),
        own_environment(plan),
        _files(plan, stage),
        told_by_cluster(plan),
        (program, "runners.collect"),
    )


def _precision(stage: TrainingStage, model: ResolvedModel) -> dict[str, Value | None]:
    """Weights' and training's number formats: TRL turns bf16 on unless it is told not to."""
    precision = stage.precision or model.spec.dtype
    return {
        "dtype": model.spec.dtype,
        "bf16": precision == "bfloat16",
        "fp16": precision == "float16",
        "attn_implementation": model.attention,
    }


def _adapter(stage: TrainingStage) -> dict[str, Value | None]:
    """Options of the adapter; with four bits, what bitsandbytes does (QLoRA, arXiv:2305.14314)."""
    assert isinstance(stage.tuner, LoraTuner)
    bits = stage.tuner.bits
    four: dict[str, Value | None] = {"bnb_4bit_quant_type": "nf4", "use_bnb_nested_quant": True} if bits == 4 else {}
    return {
        **fields(stage, LORA),
        "lora_task_type": "CAUSAL_LM",
        "load_in_4bit": bits == 4,
        "load_in_8bit": bits == 8,
        **four,
    }


def _data(plan: Plan, planned: StagePlan) -> dict[str, Value | None]:
    return {
        "train_dataset": tuple(InputPath(given.role, given.path) for given in planned.inputs_like("data")),
        "eval_dataset": tuple(InputPath(given.role, given.path) for given in planned.inputs_like("validation")),
        "image_folder": picture_folder(plan, planned),
    }


def _warmup(stage: TrainingStage, packages: Mapping[str, str]) -> dict[str, Value]:
    """Steps, or a share of them below one: one option for both since transformers 5, which TRL has it from."""
    steps, ratio = stage.optimizer.warmup_steps, stage.optimizer.warmup_ratio
    if packages.get("transformers", "5").partition(".")[0] == "4":
        return {"warmup_ratio": ratio} if steps is None else {"warmup_steps": steps}
    return {"warmup_steps": ratio if steps is None else float(steps)}


def _cadences(stage: TrainingStage) -> dict[str, Value | None]:
    evaluates = stage.evaluation.data is not None
    return {
        **cadence("save", stage.checkpoints.every),
        **(cadence("eval", stage.evaluation.every) if evaluates else {"eval_strategy": "no"}),
        "metric_for_best_model": stage.checkpoints.metric if evaluates else None,
        "greater_is_better": stage.checkpoints.higher_is_better if evaluates else None,
    }


def _logging(stage: TrainingStage) -> dict[str, Value | None]:
    return {
        "logging_strategy": "epoch" if stage.logging.every == "epoch" else "steps",
        "logging_steps": steps_of(stage.logging.every) or LONG,
        "report_to": stage.logging.trackers[0] if stage.logging.trackers else "none",
        "project": stage.logging.project,
    }


def _files(plan: Plan, stage: TrainingStage) -> dict[str, Json]:
    files = {accelerate.NAME: accelerate.config(plan.instance.recipe.hardware, stage.deepspeed)}
    return files | (
        {"deepspeed": deepspeed_config(stage.deepspeed, bool(stage.overlap_comm))} if stage.deepspeed else {}
    )
