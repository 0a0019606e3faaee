"""What decides a stage's result: its normalised launch, generated files, pinned inputs, our own code and the toolchain.

The document holds no name of a recipe or stage, no place, and no key of another stage: two launches that cannot differ in
their result have equal documents. An input is named by its role, and by its bytes where a lock says which they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from compiler.attention import KERNELS
from compiler.ignored import IGNORED_ENVIRONMENT, IGNORED_OPTIONS
from compiler.plan import (
    Command,
    FilePath,
    InputPath,
    Json,
    OutputPath,
    Plan,
    Rest,
    ResumedModel,
    ResumePath,
    StagePlan,
    Value,
    Variable,
    is_place,
)
from schema.code import digests
from schema.signature import Signature, load, packages, resolve, toolchain
from schema.stage import Stage
from schema.stages import Quantize
from schema.training import TrainingStage
from schema.tuner import LoraTuner

FORMAT = 1

ANSWER_PACKAGES = (
    *("accelerate", "numpy", "peft", "pillow", "safetensors"),
    *("tokenizers", "torch", "torchvision", "transformers"),
)
ENGINE_PACKAGES = (*ANSWER_PACKAGES, "datasets", "ms-swift", "qwen-vl-utils")
TRL_PACKAGES = (*ANSWER_PACKAGES, "datasets", "trl")
STUDENT_PACKAGES = (
    *("numpy", "pillow", "safetensors", "scikit-learn", "segmentation-models-pytorch"),
    *("timm", "torch", "torchmetrics", "torchvision"),
)
EXPORT_PACKAGES = (*ENGINE_PACKAGES, "onnx", "onnxruntime", "onnxscript")
PACKAGES: dict[str, tuple[str, ...]] = {
    "swift": ENGINE_PACKAGES,
    "swift rlhf": ("trl",),
    "runners.predict.__main__": ANSWER_PACKAGES,
    "runners.predict.vllm": (*ANSWER_PACKAGES, "vllm"),
    "runners.predict.check": ANSWER_PACKAGES,
    "runners.synthesize": ANSWER_PACKAGES,
    "runners.prepare": ("numpy", "pillow", "pyarrow", "scikit-learn"),
    "runners.collect": (),
    "runners.quantized": (),
    "runners.evaluate": ("scikit-learn",),
    "runners.scores.tags": ("numpy", "scikit-learn"),
    "runners.scores.pairs": ("numpy",),
    "runners.features": ENGINE_PACKAGES,
    "runners.trl_sft": TRL_PACKAGES,
    "runners.trl_grpo": TRL_PACKAGES,
    "runners.trl_dpo": TRL_PACKAGES,
    "runners.distill.train": (*STUDENT_PACKAGES, "accelerate", "peft", "tokenizers", "transformers"),
    "runners.export": EXPORT_PACKAGES,
    "runners.quantize": ("numpy", "onnx", "onnxruntime", "pillow"),
    "runners.quantize_aware": (
        *(*STUDENT_PACKAGES, "accelerate", "onnx", "onnxruntime", "onnxscript"),
        *("peft", "tokenizers", "torchao", "transformers"),
    ),
    "runners.ask": (),
    "runners.benchmark": (*ENGINE_PACKAGES, "onnxruntime"),
    "runners.distill.score": ("numpy", "pycocotools", "torch", "torchmetrics"),
    "runners.distill.answer": STUDENT_PACKAGES,
    "runners.distill.students.yolov8": ("ultralytics",),
}
"""Program, its command or a runner → the packages whose versions matter to its result."""
QUANTISERS = {"bnb": ("bitsandbytes",), "gptq": ("gptqmodel", "optimum")}
"""Method of a `quantize` stage or of a tuner → the packages that make the numbers smaller, where a toolchain holds them."""


def identity(plan: Plan) -> Plan:
    """Every stage with its identity document."""
    return replace(plan, stages=tuple(replace(stage, identity=_document(stage)) for stage in plan.stages))


def _document(stage: StagePlan) -> Json:
    launch = stage.launch
    pins = {given.role: dict(given.lock) for given in stage.inputs if given.lock}
    return {
        "format": FORMAT,
        "kind": stage.kind,
        "launch": [_command(command) for command in launch.commands],
        "env": {k: v for k, v in launch.env.items() if k not in IGNORED_ENVIRONMENT},
        "files": dict(launch.files),
        "inputs": [given.role for given in stage.inputs],
        **({"pins": pins} if pins else {}),
        "code": digests(launch.runners),
        "toolchain": packages(*sorted(needed(stage)), within=stage.toolchain),
    }


def _command(command: Command) -> Json:
    signature = load(*command.signature) if command.signature else None
    options = {name: _value(signature, name, value) for name, value in command.options.items()}
    for name, value in command.passed.items():
        assert signature is not None
        found = signature.find(name)
        assert found is not None  # the pass before this one has checked it
        options[found[0].name] = resolve(signature, name, value)
    document = {
        "program": list(command.program),
        "options": {name: value for name, value in options.items() if name not in IGNORED_OPTIONS},
    }
    if command.positional:
        document["positional"] = [_plain(value) for value in command.positional]
    return document if command.launcher is None else document | {"launcher": _command(command.launcher)}


def _value(signature: Signature | None, name: str, value: Value) -> Json:
    if signature is None or is_place(value):
        return _plain(value)
    return resolve(signature, name, _plain(value))


def _plain(value: Any) -> Json:
    match value:
        case tuple():
            return [_plain(item) for item in value]
        case InputPath(role, _, suffix):
            return {"input": role, **({"suffix": suffix} if suffix else {})}
        case ResumedModel(given) | Rest(given):
            return _plain(given)
        case FilePath(name):
            return {"file": name}
        case OutputPath() | ResumePath() | Variable():
            return None
    return value


def needed(stage: StagePlan) -> set[str]:
    """The packages whose versions matter to the result of a stage."""
    written = [command.program for command in stage.launch.commands]
    programs = {name for program in written for name in (program[0], " ".join(program[:2]))} | set(stage.launch.runners)
    names = {package for program in programs for package in PACKAGES.get(program, ())}
    if "deepspeed" in stage.launch.files:
        names.add("deepspeed")
    kernel = KERNELS.get(stage.model.attention) if stage.model else None
    quantisers = QUANTISERS.get(_quantisation(stage.stage) or "", ())
    installed = {*filter(None, [kernel]), *quantisers} & toolchain(stage.toolchain).keys()
    return names | installed  # what a toolchain lacks is installed by hand, which R0314 tells


def _quantisation(stage: Stage) -> str | None:
    """How a stage makes weights smaller, where it does: those that it hands over, or those below its adapter."""
    if isinstance(stage, TrainingStage) and isinstance(stage.tuner, LoraTuner):
        return stage.tuner.quantization
    return stage.method if isinstance(stage, Quantize) else None
