"""What the training commands of ms-swift share: which option a field of a training stage becomes, and how they start.

Every option that can change the result is written out with the default of schema version 1, so that another release of
the engine with other defaults changes nothing in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from compiler.backends import curves
from compiler.backends.deepspeed import config as deepspeed_config
from compiler.backends.fields import (
    LONG,
    TRANSFORMERS,
    Fields,
    cadence,
    fields,
    model_below,
    picture_folder,
    told_by_cluster,
    without_nulls,
)
from compiler.plan import (
    Command,
    FilePath,
    InputPath,
    Launch,
    OutputPath,
    Plan,
    ResolvedModel,
    ResumedModel,
    ResumePath,
    StagePlan,
    Value,
)
from compiler.render.root import PLUGIN
from schema.base import steps_of
from schema.hardware import Hardware
from schema.stages import Classify, Embed
from schema.training import Source, TrainingStage
from schema.tuner import LoraTuner

ENGINE = "ms-swift"
TRAINING: Fields = {
    "optim": ("optimizer", "name"),
    "vit_lr": ("optimizer", "vision_learning_rate"),
    "aligner_lr": ("optimizer", "aligner_learning_rate"),
    **TRANSFORMERS,
    "vit_gradient_checkpointing": ("gradient_checkpointing",),
    "save_total_limit": ("checkpoints", "keep"),
    "freeze_vit": ("tuner", "freeze", "vision"),
    "freeze_aligner": ("tuner", "freeze", "aligner"),
    "freeze_llm": ("tuner", "freeze", "language"),
}
"""Option → the field of a training stage that it is. The order is that of the scripts."""

LORA: Fields = {
    "lora_rank": ("tuner", "rank"),
    "lora_alpha": ("tuner", "alpha"),
    "lora_dropout": ("tuner", "dropout"),
    "lora_bias": ("tuner", "bias"),
    "init_weights": ("tuner", "init"),
    "use_rslora": ("tuner", "rank_stabilized"),
    "use_dora": ("tuner", "dora"),
    "target_modules": ("tuner", "target_modules"),
    "modules_to_save": ("tuner", "modules_to_save"),
    "quant_bits": ("tuner", "bits"),
    "quant_method": ("tuner", "quantization"),
}
"""The same for adapters."""

SFT_DEFAULTS: dict[str, Value] = {
    "tuner_backend": "peft",
    "freeze_parameters_ratio": 0.0,
    "template_backend": "swift",
    "use_chat_template": True,
    "add_non_thinking_prefix": True,
    "disable_ignore_empty_think": False,
    "loss_scale": "default",
    "enable_dft_loss": False,
    "router_aux_loss_coef": 0.0,
    "padding_side": "right",
    "padding_free": False,
    "sequence_parallel_size": 1,
    "disable_auto_column_mapping": False,
    "dataset_shuffle": True,
    "val_dataset_shuffle": False,
    "train_dataloader_shuffle": True,
    "group_by_length": False,
    "split_dataset_ratio": 0.0,
    "streaming": False,
    "strict": True,  # a row that cannot be read ends the run; ms-swift's default swaps it for another one in silence
    "load_from_cache_file": False,
    "remove_unused_columns": True,
    "dataloader_drop_last": False,
    "dataloader_in_order": True,
    "dataloader_persistent_workers": False,  # else the number of workers changes the random stream
    "label_smoothing_factor": 0.0,
    "average_tokens_across_devices": True,
    "auto_find_batch_size": False,
    "use_liger_kernel": False,
    "torch_compile": False,
    "full_determinism": False,
    "eval_on_start": False,
    "eval_delay": 0.0,
    "eval_do_concat_batches": True,
    "prediction_loss_only": False,
    "predict_with_generate": False,
    "acc_strategy": "token",
    "load_best_model_at_end": False,
    "save_only_model": False,
    "resume_only_model": False,
    "ignore_data_skip": False,
    "safe_serialization": True,
    "max_shard_size": "5GB",
    "use_hf": False,
    "load_args": False,
    "check_model": False,
    "add_version": False,
    "create_checkpoint_symlink": False,
}

WATCH = {"external_plugins": (PLUGIN,), "callbacks": ("recipe",)}
"""Has the trainer's own settings compared with the plan before its first step: `runners.watch`."""

OFFLINE = {"HF_HUB_OFFLINE": "1", "MODELSCOPE_CACHE": ".recipe/cache/modelscope", "TOKENIZERS_PARALLELISM": "false"}


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
    seed = plan.instance.recipe.seed
    model_path = model_below(planned)
    full = not isinstance(stage.tuner, LoraTuner)
    options: dict[str, Value | None] = {
        "model": ResumedModel(model_path) if full else model_path,
        **identity_of(model, stage),
        **_number_formats(stage, model),
        "tuner_type": "full" if full else "lora",
        **({} if full else fields(stage, LORA)),
        **_quantisation(stage, model),
        **_data(planned, stage),
        **fields(stage, table),
        **own,
        "learning_rate": stage.optimizer.learning_rate or (1e-5 if full else 1e-4),
        **_warmup(stage),
        "gradient_accumulation_steps": batch.accumulation,
        **_cadences(stage),
        "seed": seed,
        "data_seed": seed,
        **defaults,
        **_hardware(plan, planned, stage),
        **_logging(stage),
        "output_dir": OutputPath("checkpoints"),
        "resume_from_checkpoint": ResumePath(),
    }
    return without_nulls(options)


def training_launch(
    plan: Plan, planned: StagePlan, train: Command, before: Sequence[Command] = (), runners: Sequence[str] = ()
) -> Launch:
    """A training command; then the checkpoint that goes on. `before` runs first, and `runners` take part in it."""
    stage, model = planned.stage, planned.model
    assert isinstance(stage, TrainingStage) and model is not None
    hardware = plan.instance.recipe.hardware
    files = {"deepspeed": deepspeed_config(stage.deepspeed, bool(stage.overlap_comm))} if stage.deepspeed else {}
    env = environment(plan, planned, model) | _launcher(hardware, stage)
    return Launch(
        (*before, train, curves.collect(stage)), env, files, told_by_cluster(plan), ("runners.collect", *runners)
    )


def identity_of(model: ResolvedModel, trained: object) -> dict[str, Value | None]:
    """What the engine has to know of a model that is given as a folder."""
    task: dict[str, Value | None] = {"task_type": "embedding" if isinstance(trained, Embed) else "causal_lm"}
    if isinstance(trained, Classify):
        problem = "multi_label_classification" if trained.multi_label else "single_label_classification"
        task = {"task_type": "seq_cls", "num_labels": trained.classes, "problem_type": problem}
    return {"model_type": model.type, "template": model.template, **task}


def _number_formats(stage: TrainingStage, model: ResolvedModel) -> dict[str, Value | None]:
    """Weights' and training's number formats: ms-swift turns fp16 on for float32 weights unless it is told not to."""
    precision = stage.precision or model.spec.dtype
    return {
        "torch_dtype": model.spec.dtype,
        "bf16": precision == "bfloat16",
        "fp16": precision == "float16",
        "attn_impl": model.attention,
    }


def _quantisation(stage: TrainingStage, model: ResolvedModel) -> dict[str, Value | None]:
    """What bitsandbytes does with four bits (QLoRA, arXiv:2305.14314)."""
    if not isinstance(stage.tuner, LoraTuner) or stage.tuner.quantization != "bnb":
        return {}
    return {
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True,
        "bnb_4bit_compute_dtype": model.spec.dtype,
    }


def _data(planned: StagePlan, stage: TrainingStage) -> dict[str, Value | None]:
    validation = stage.evaluation.data or ()
    weights = tuple(source.weight for source in stage.data if source.weight is not None)
    return {
        "dataset": tuple(_sources(planned, "data", stage.data)),
        "val_dataset": tuple(_sources(planned, "validation", validation)),
        "interleave_prob": tuple(weight / sum(weights) for weight in weights),
        "stopping_strategy": "first_exhausted" if weights else None,
    }


def _sources(planned: StagePlan, role: str, sources: tuple[Source, ...]) -> Iterator[InputPath]:
    for given, source in zip(planned.inputs_like(role), sources, strict=True):
        yield InputPath(given.role, given.path, f"#{source.count}" if source.count else "")


def _warmup(stage: TrainingStage) -> dict[str, Value | None]:
    if stage.optimizer.warmup_steps is not None:
        return {"warmup_steps": stage.optimizer.warmup_steps}
    return {"warmup_ratio": stage.optimizer.warmup_ratio}


def _cadences(stage: TrainingStage) -> dict[str, Value | None]:
    evaluates = stage.evaluation.data is not None
    early = stage.early_stopping
    return {
        **cadence("save", stage.checkpoints.every),
        **(cadence("eval", stage.evaluation.every) if evaluates else {"eval_strategy": "no"}),
        "metric_for_best_model": stage.checkpoints.metric if evaluates else None,
        "greater_is_better": stage.checkpoints.higher_is_better if evaluates else None,
        "early_stop_interval": early.patience if early else None,
    }


def _hardware(plan: Plan, planned: StagePlan, stage: TrainingStage) -> dict[str, Value | None]:
    deepspeed = FilePath("deepspeed", f"{plan.pipeline}/{planned.name}.deepspeed.json") if stage.deepspeed else None
    gpus = plan.instance.recipe.hardware.gpus
    return {"deepspeed": deepspeed, "use_cpu": gpus == 0, "dataloader_num_workers": 4 if gpus else 0}


def _logging(stage: TrainingStage) -> dict[str, Value | None]:
    trackers = stage.logging.trackers
    return {
        "logging_strategy": "epoch" if stage.logging.every == "epoch" else "steps",
        "logging_steps": steps_of(stage.logging.every) or LONG,
        "report_to": trackers or "none",
        "project": stage.logging.project,
        "swanlab_project": stage.logging.project if "swanlab" in trackers else None,
    }


def environment(plan: Plan, planned: StagePlan, model: ResolvedModel) -> dict[str, str | InputPath]:
    hardware = plan.instance.recipe.hardware
    env: dict[str, str | InputPath] = {"OMP_NUM_THREADS": str(hardware.threads), "PYTHONHASHSEED": "0", **OFFLINE}
    if hardware.gpus == 0:
        env["CUDA_VISIBLE_DEVICES"] = ""
    for name, pixels in (("MAX_PIXELS", model.spec.max_pixels), ("MIN_PIXELS", model.spec.min_pixels)):
        if pixels is not None:
            env[name] = str(pixels)
    folder = picture_folder(plan, planned)
    if folder is not None:
        env["ROOT_IMAGE_DIR"] = folder
    return env


def _launcher(hardware: Hardware, stage: TrainingStage) -> dict[str, str | InputPath]:
    """ms-swift starts torchrun itself when it is told how many processes a machine has."""
    if hardware.world == 1 and not stage.deepspeed:
        return {}
    env: dict[str, str | InputPath] = {"NPROC_PER_NODE": str(hardware.processes)}
    if hardware.nodes > 1:
        env["NNODES"] = str(hardware.nodes)
    return env
