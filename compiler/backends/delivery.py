"""Stages behind training: exports, smaller numbers, servers and measurements.

Our own runners export and measure; ms-swift quantises language models and serves; onnxruntime quantises exports.
"""

from __future__ import annotations

from collections.abc import Iterator

from compiler.backends.fields import without_nulls
from compiler.backends.ms_swift_training import ENGINE, environment, identity_of
from compiler.plan import Command, FilePath, InputPath, Json, Launch, Output, OutputPath, Plan, StagePlan, Value
from schema.diagnostics import Diagnostic
from schema.stage import Stage
from schema.stages import Benchmark, Export, Quantize
from schema.stages.export import TensorRt
from schema.stages.quantize import AwareTraining

RESULT = OutputPath("result")
TRACED: dict[str, tuple[str, ...]] = {"whole": ("qwen2_vl",), "vision": ("qwen2_vl", "llava1_5_hf")}
"""Part of a model → the model types of which it can be exported."""
EXPORTERS = {"qwen2_vl": "runners.exporting.qwen2_vl", "llava1_5_hf": "runners.exporting.llava"}
STUDENT = "runners.exporting.student"
SPEED: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "throughput.csv": ("Throughput", "samples per second", ("",)),
    "latency.csv": ("Latency of a batch", "milliseconds", ("_p50", "_p95")),
}
"""File of a plot → its title, what it tells, and what follows a format's name in the head of a column."""
QUANTIZE_DEFAULTS: dict[str, Value] = {
    "use_chat_template": True,
    "template_backend": "swift",
    "safe_serialization": True,
    "max_shard_size": "5GB",
    "exist_ok": False,
    "merge_lora": False,
    "dataset_shuffle": False,
    "load_from_cache_file": False,
    "use_hf": False,
    "load_args": False,
}


def problems(plan: Plan, planned: StagePlan) -> Iterator[Diagnostic]:
    """R0380: only what has been tried is exported."""
    stage, model = planned.stage, planned.model
    if not isinstance(stage, Export) or model is None or plan.instance.recipe.student(stage.model):
        return
    if model.type not in TRACED[stage.part]:
        what = "a classifier" if stage.part == "whole" else "the vision tower"
        message = f"{what} of the model type `{model.type}` is not exported"
        help = f"`part: {stage.part}` is possible for " + " and ".join(f"`{known}`" for known in TRACED[stage.part])
        yield Diagnostic("R0380", message, help, (plan.instance.at("stages", planned.name, "model"),))


def export(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """`python -m runners.export`; then an engine of TensorRT, where the machine has its program."""
    stage, model = planned.stage, planned.model
    assert isinstance(stage, Export)
    student = plan.instance.recipe.student(stage.model) is not None
    family = "student" if student or model is None else model.type
    options: dict[str, Value | None] = {
        "model": InputPath("model", planned.input("model").path),
        "family": family,
        "part": stage.part,
        "size": stage.image_size,
        "data": InputPath("data", planned.input("data").path),
        "rows": stage.rows,
        "classes": InputPath("classes", planned.input("classes").path),
        "formats": stage.formats,
        "opset": stage.opset,
        "tolerance": stage.tolerance,
        "to": RESULT,
    }
    commands = [Command(("python", "-m", "runners.export"), without_nulls(options))]
    files: dict[str, Json] = {}
    runners = ["runners.export", STUDENT if family == "student" else EXPORTERS.get(family, STUDENT)]
    if stage.tensorrt is not None and stage.image_size is not None:
        files["tensorrt"] = {"argv": trtexec(stage.tensorrt, stage.image_size)}
        config = FilePath("tensorrt", f"{plan.pipeline}/{planned.name}.tensorrt.json")
        commands.append(Command(("python", "-m", "runners.tensorrt"), {"config": config, "to": RESULT}))
        runners.append("runners.tensorrt")
    launch = Launch(tuple(commands), _env(plan, planned), files, runners=tuple(runners))
    return launch, (Output("export", "model"), Output("metrics.json", "metrics"))


def trtexec(wanted: TensorRt, size: tuple[int, int]) -> list[str]:
    """The words of `trtexec`, run in the folder of the export. Options as of TensorRT 10."""
    shapes = (f"--{name}Shapes=image:{batch}x3x{size[0]}x{size[1]}" for name, batch in _batches(wanted))
    half = ("--fp16",) if wanted.fp16 else ()
    memory = f"--memPoolSize=workspace:{wanted.workspace}"  # in MiB
    return ["trtexec", "--onnx=model.onnx", "--saveEngine=model.plan", *half, memory, *shapes]


def _batches(wanted: TensorRt) -> Iterator[tuple[str, int]]:
    return zip(("min", "opt", "max"), wanted.batch, strict=True)


def quantize(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """`swift export --quant_method …`, our runner of onnxruntime, or that which trains a student on."""
    stage = planned.stage
    assert isinstance(stage, Quantize)
    if stage.aware:
        return _quantize_student(plan, planned, stage)
    return _quantize_export(plan, planned, stage) if stage.of_export else _quantize_model(plan, planned, stage)


def _quantize_export(plan: Plan, planned: StagePlan, stage: Quantize) -> tuple[Launch, tuple[Output, ...]]:
    options: dict[str, Value | None] = {
        "export": InputPath("model", planned.input("model").path),
        "method": stage.method,
        "calibration": InputPath("data", planned.input("data").path) if stage.data else None,
        "samples": stage.samples if stage.data else None,
        "check": InputPath("check", planned.input("check").path) if stage.check else None,
        "to": RESULT,
    }
    command = Command(("python", "-m", "runners.quantize"), without_nulls(options))
    launch = Launch((command,), _env(plan, planned), runners=("runners.quantize",))
    return launch, (Output("export", "model"), Output("metrics.json", "metrics"))


def _quantize_student(plan: Plan, planned: StagePlan, stage: Quantize) -> tuple[Launch, tuple[Output, ...]]:
    student, training = plan.instance.recipe.student(stage.model), stage.training or AwareTraining()
    assert student is not None  # the recipe has been checked
    facts = student.student.facts
    options: dict[str, Value | None] = {
        "student": InputPath("model", planned.input("model").path),
        "data": InputPath("data", planned.input("data").path),
        "epochs": training.epochs,
        "learning_rate": training.learning_rate or facts.learning_rate / 10,
        "batch": training.batch or facts.batch,
        "seed": plan.instance.recipe.seed,
        "check": InputPath("check", planned.input("check").path) if stage.check else None,
        "to": RESULT,
    }
    command = Command(("python", "-m", "runners.quantize_aware"), without_nulls(options))
    modules = (f"runners.distill.students.{student.student.family}", f"runners.distill.tasks.{student.learns}")
    launch = Launch((command,), _env(plan, planned), runners=("runners.quantize_aware", *modules))
    return launch, (Output("export", "model"), Output("metrics.json", "metrics"))


def _quantize_model(plan: Plan, planned: StagePlan, stage: Quantize) -> tuple[Launch, tuple[Output, ...]]:
    model, recipe = planned.model, plan.instance.recipe
    assert model is not None
    grouped = stage.method in ("gptq", "awq")
    options: dict[str, Value | None] = {
        "model": InputPath("model", planned.input("model").path),
        **identity_of(model, recipe.classifier(stage.model)),
        "quant_method": stage.method,
        "quant_bits": stage.bits,
        "group_size": stage.group_size if grouped else None,
        "dataset": InputPath("data", planned.input("data").path) if stage.data else None,
        "quant_n_samples": stage.samples if stage.data else None,
        "quant_batch_size": 1 if grouped else None,
        "max_length": stage.max_length if stage.data else None,
        "torch_dtype": model.spec.dtype,
        "attn_impl": model.attention,
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        **QUANTIZE_DEFAULTS,
        "output_dir": OutputPath("quantized"),
    }
    fields = {"quant_method": ("method",), "quant_bits": ("bits",), "group_size": ("group_size",)}
    swift = Command(("swift", "export"), without_nulls(options), (ENGINE, "export"), stage.engine.args, fields=fields)
    before = InputPath("model", planned.input("model").path)
    gathered: dict[str, Value] = {"before": before, "from": OutputPath("quantized"), "to": RESULT}
    collect = Command(("python", "-m", "runners.quantized"), gathered)
    launch = Launch((swift, collect), environment(plan, planned, model), runners=("runners.quantized",))
    return launch, (Output("model", "model"), Output("metrics.json", "metrics"))


def benchmark(plan: Plan, planned: StagePlan) -> tuple[Launch, tuple[Output, ...]]:
    """`python -m runners.benchmark`, of an export or of a model through its engine."""
    stage, model, recipe = planned.stage, planned.model, plan.instance.recipe
    assert isinstance(stage, Benchmark)
    used = recipe.stages.get(stage.model)
    of_export = used is not None and used.gives == "export"
    engine: dict[str, Value | None] = {}
    if not of_export and model is not None:
        classifier = recipe.classifier(stage.model)
        engine = {
            "model_type": model.type,
            "template": model.template,
            "classes": classifier.classes if classifier else None,
            "dtype": model.spec.dtype,
            "attention": model.attention,
            "max_new_tokens": None if classifier else stage.max_new_tokens,
        }
    options: dict[str, Value | None] = {
        "export" if of_export else "model": InputPath("model", planned.input("model").path),
        **engine,
        "data": InputPath("data", planned.input("data").path),
        "batch_sizes": stage.batch_sizes,
        "warmup": stage.warmup,
        "repeats": stage.repeats,
        "threads": recipe.hardware.threads,
        "to": RESULT,
    }
    command = Command(("python", "-m", "runners.benchmark"), without_nulls(options))
    launch = Launch((command,), _env(plan, planned), runners=("runners.benchmark",))
    return launch, (
        Output("metrics.json", "metrics"),
        *_plots(planned.name, _formats(used) if of_export else ("engine",)),
    )


def _formats(exporting: Stage | None) -> tuple[str, ...]:
    """The formats in which a stage hands over an export; what has been quantised is ONNX."""
    return exporting.formats if isinstance(exporting, Export) else ("onnx",)


def _plots(stage: str, formats: tuple[str, ...]) -> Iterator[Output]:
    for name, (title, told, endings) in SPEED.items():
        columns = [form + ending for form in formats for ending in endings]
        labels = {"title": f"{title}: {stage}", "x_label": "batch size", "y_label": told}
        yield Output(name, "plot", {"x": "batch_size", "y": columns, **labels, "template": "simple"})


def _env(plan: Plan, planned: StagePlan) -> dict[str, str | InputPath]:
    """As for engines. Our runners find drawn pictures beside the rows."""
    if planned.model is not None:
        return environment(plan, planned, planned.model)
    hardware = plan.instance.recipe.hardware
    env: dict[str, str | InputPath] = {"OMP_NUM_THREADS": str(hardware.threads), "PYTHONHASHSEED": "0"}
    return env | ({"CUDA_VISIBLE_DEVICES": ""} if hardware.gpus == 0 else {})
