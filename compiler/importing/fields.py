"""Options → fields: the backend's tables read backwards, and readers for what a table cannot say."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from compiler.backends.deepspeed import config as deepspeed_config
from compiler.backends.fields import LONG
from compiler.backends.ms_swift import SUPERVISED
from compiler.backends.ms_swift_training import LORA
from compiler.importing import alignment, delivery, trl
from compiler.importing.call import Call
from compiler.importing.draft import Draft, Path, number
from compiler.importing.files import find_file, read_json
from compiler.importing.left import Given
from compiler.importing.options import typed
from schema.signature import FIELDS
from schema.signature.values import Unfit
from schema.stage import Stage
from schema.stages import KINDS
from schema.synonyms import VALUES

EACH_GPU = ("accelerate", "deepspeed")
SHOWN = 40
"""Differences of a file that are told one by one."""
DEEPSPEED = ("zero0", "zero1", "zero2", "zero3", "zero1-offload", "zero2-offload", "zero3-offload")
_BY_OPTION: dict[str, Path] = {
    **{option: tuple(field.split(".")) for option, field in FIELDS.items()},
    **SUPERVISED,
    **LORA,
    "max_new_tokens": ("max_new_tokens",),
    "use_cpu": ("hardware", "gpus"),
    "cuda_visible_devices": ("hardware", "gpus"),
    "zero_stage": ("deepspeed",),
    "project": ("logging", "project"),
}
_STAGES: dict[str, type[Stage]] = {kind.model_fields["kind"].annotation.__args__[0]: kind for kind in KINDS}  # type: ignore[union-attr]


_TABLES: dict[str, Mapping[str, Mapping[str, Path]]] = {
    "ms-swift": {**alignment.BY_OPTION, **delivery.BY_OPTION},
    "trl": trl.BY_OPTION,
    "vllm": delivery.OF_VLLM,
}
"""Engine → kind of a stage → option → field."""


def field_of(option: str, kind: str, stage: str, model: str | None, engine: str) -> Path | None:
    """Where a recipe says what an option says, for a kind of stage; None where no field does."""
    own = _TABLES.get(engine, _TABLES["ms-swift"]).get(kind, {})
    path = own.get(option) or _BY_OPTION.get(option)
    if path is None or path[0] == "datasets":
        return None  # what a data set says is in its rows
    if path[0] == "models":
        return ("models", model, *path[2:]) if model else None
    if path[0] in ("hardware", "seed"):
        return path
    return ("stages", stage, *path) if path[0] in _STAGES[kind].model_fields else None


def value_of(given: Given, signature: Any) -> Any:
    """What a field takes for an option's value. Errors: Unfit."""
    option = signature.options.get(given.name)
    if option is None:
        return number(given.value)
    value = typed(signature, given)
    if option.type in ("int", "float") and not option.many:
        return number(given.value)
    return VALUES.get(value, value) if isinstance(value, str) else value


SPECIAL = frozenset(
    {
        *("model", "dataset", "val_dataset", "adapters", "split_dataset_ratio", "deepspeed", "report_to", "project"),
        *("torch_dtype", "bf16", "fp16", "mixed_precision", "tuner_type", "truncation_strategy", "swanlab_project"),
        *("save_strategy", "save_steps", "eval_strategy", "eval_steps", "logging_strategy", "logging_steps"),
        *("gradient_accumulation_steps", "per_device_train_batch_size", "load_best_model_at_end", "use_hf"),
        *(
            "early_stop_interval",
            "problem_type",
            "infonce_use_batch",
            "use_cpu",
            "cuda_visible_devices",
            "nproc_per_node",
            "nnodes",
            "num_processes",
        ),
        *("zero_stage", "offload_optimizer_device", "offload_param_device", "interleave_prob", "prompt", "data"),
        *alignment.SPECIAL,
    }
)
"""What a reader of its own looks at."""


def is_special(call: Call, option: str) -> bool:
    """Whether a reader of its own looks at an option."""
    if call.engine == "trl" and call.stage == "grpo" and option == "loss_type":
        return False
    return option in SPECIAL or (call.engine == "trl" and option in trl.SPECIAL)


def generic(draft: Draft, call: Call, stage: str, kind: str, model: str | None, given: Mapping[str, Given]) -> None:
    """Every option that is the same as one field."""
    for option in given.values():
        path = None if is_special(call, option.name) else field_of(option.name, kind, stage, model, call.engine)
        if path is None or option.odd:
            continue
        try:
            value = value_of(option, call.signature)
        except Unfit:
            continue  # which is told where all options are compared
        if isinstance(path[-1], int):
            _element(draft, path, value, option)
        else:
            draft.put(path, value, option)


def _element(draft: Draft, path: Path, value: Any, given: Given) -> None:
    """One number of a pair, beside the default of the other."""
    whole, index = path[:-1], int(path[-1])
    known = draft.placed.get(whole)
    pair = list(known.value) if known else [0.9, 0.95]
    pair[index] = value
    if whole not in draft.refused:
        draft.placed.pop(whole, None)
        draft.put(whole, pair, given)


def tuner(draft: Draft, call: Call, stage: str, given: Mapping[str, Given]) -> None:
    """Adapters or all weights."""
    if call.engine == "trl":
        trl.tuner(draft, call, stage, given)
        return
    kind = given.get("tuner_type")
    path = ("stages", stage, "tuner", "kind")
    value = VALUES.get(kind.value, kind.value) if kind else "lora"
    draft.put(path, value if value in ("lora", "full") else "lora", kind)
    draft.put(path, "lora")
    if "quant_bits" in given and given["quant_bits"].written.startswith("--load_in"):
        draft.put(("stages", stage, "tuner", "quantization"), "bnb", given["quant_bits"])


def head(draft: Draft, stage: str, task: str, given: Mapping[str, Given]) -> None:
    """What is learned besides text: any number of classes, or embeddings against the others of a batch."""
    if task == "tag":
        draft.put(("stages", stage, "multi_label"), True, given["problem_type"])
    batch = given.get("infonce_use_batch")
    if task == "embed" and batch is not None and not batch.odd:
        draft.put(("stages", stage, "in_batch_negatives"), batch.value.lower() in ("true", "1"), batch)


def precision(draft: Draft, call: Call, stage: str, model: str | None, given: Mapping[str, Given]) -> None:
    """Number formats of the weights and of training."""
    if call.engine == "trl" and not call.trainer:
        trl.precision(draft, stage, model, given)
        return
    wanted, source = _training_format(call, given)
    dtype = given.get("torch_dtype") or given.get("dtype")
    of_weights = VALUES.get(dtype.value, dtype.value) if dtype and not dtype.odd else None
    if of_weights and model:
        draft.put(("models", model, "dtype"), of_weights, dtype)
    elif wanted and model and not draft.placed.get(("models", model, "dtype")):
        draft.put(("models", model, "dtype"), wanted, source)
    if wanted is None and of_weights == "float32" and not call.trainer and call.kind == "train":
        # ms-swift turns half precision on for float32 weights unless it is told not to.
        draft.put(("stages", stage, "precision"), "float16", default=True)
    if wanted and wanted != draft_value(draft, ("models", model or "", "dtype")):
        draft.put(("stages", stage, "precision"), wanted, source)


def _training_format(call: Call, given: Mapping[str, Given]) -> tuple[str | None, Given | None]:
    said = {name: given[name] for name in ("bf16", "fp16") if name in given and not given[name].odd}
    values: dict[str, Any] = {}
    for name, option in said.items():
        try:
            values[name] = True if call.trainer and not option.values else typed(call.signature, option)
        except Unfit:
            continue
    for name, format in (("bf16", "bfloat16"), ("fp16", "float16")):
        if values.get(name):
            return format, said[name]
    if values.keys() == {"bf16", "fp16"}:
        return "float32", said["bf16"]
    mixed = given.get("mixed_precision")
    if mixed is not None and mixed.value in ("bf16", "fp16"):
        return VALUES[mixed.value], mixed
    return None, None


def draft_value(draft: Draft, path: Path, otherwise: Any = None) -> Any:
    """What the draft says at a path."""
    placed = draft.placed.get(path)
    return placed.value if placed else otherwise


def hardware(draft: Draft, call: Call, given: Mapping[str, Given]) -> None:
    """How many machines and processes; a launcher's number is that of all machines together.

    accelerate and deepspeed start a process for each GPU that they see, where they are told no number.
    """
    cpu, devices, total = given.get("use_cpu"), given.get("cuda_visible_devices"), given.get("num_processes")
    nodes = draft_value(draft, ("hardware", "nodes"), 1)
    if "nnodes" in given:
        draft.put(("hardware", "nodes"), number(given["nnodes"].value), given["nnodes"])
        nodes = draft_value(draft, ("hardware", "nodes"), 1)
    if cpu is not None and cpu.value.lower() in ("true", "1", ""):
        draft.put(("hardware", "gpus"), 0, cpu)
    if devices is not None and not devices.odd and devices.value.strip() in ("", "-1"):
        draft.put(("hardware", "gpus"), 0, devices)
    if "nproc_per_node" in given:
        draft.put(("hardware", "gpus"), number(given["nproc_per_node"].value), given["nproc_per_node"])
    count = number(total.value) if total else None
    if isinstance(count, int) and isinstance(nodes, int) and nodes > 0 and count % nodes == 0:
        draft.put(("hardware", "gpus"), count // nodes, total)
    if devices is not None and not devices.odd and total is None and call.program.startswith(EACH_GPU):
        draft.put(("hardware", "gpus"), gpus_in(devices.value), devices)


def gpus_in(devices: str) -> int:
    """How many GPUs a list such as `0,1` names."""
    return len([device for device in devices.split(",") if device.strip() not in ("", "-1")])


def batch(draft: Draft, call: Call, stage: str, given: Mapping[str, Given]) -> None:
    """global = micro × processes × accumulation. What is not given is the engine's default: ms-swift accumulates to 16,
    transformers takes 8 examples at once."""
    micro, accumulation = given.get("per_device_train_batch_size"), given.get("gradient_accumulation_steps")
    path = ("stages", stage, "batch")
    world = max(_count(draft, "gpus"), 1) * max(_count(draft, "nodes"), 1)
    on_transformers = call.trainer or call.engine == "trl"
    one = _whole(micro, 8 if on_transformers else 1)
    once = on_transformers or call.stage == "grpo"
    times = _whole(accumulation, 1 if once else max(1, math.ceil(16 / (one or 1) / world)))
    if one and times:
        draft.put((*path, "global"), one * world * times, accumulation or micro, default=micro is None)
        draft.put((*path, "micro"), one, micro, default=micro is None)
    else:
        step = world * (one or 1)
        draft.put((*path, "global"), step * math.ceil(16 / step), default=True)  # something that comes out even
        if one and micro:
            draft.put((*path, "micro"), one, micro)


def _count(draft: Draft, name: str) -> int:
    value = draft_value(draft, ("hardware", name), 1)
    return value if isinstance(value, int) and value < 2**31 else 1


def _whole(given: Given | None, default: int) -> int | None:
    """A count that is given, or its default; None where it cannot be known."""
    if given is None or given.value == "auto":
        return default
    value = number(given.value)
    return value if isinstance(value, int) and 0 < value < 2**31 and not given.odd else None


def cadences(draft: Draft, call: Call, stage: str, given: Mapping[str, Given]) -> None:
    """When it saves, evaluates and logs."""
    path = ("stages", stage)
    save = _cadence(given, "save", None if call.trainer and call.engine != "trl" else ("steps", "500"))
    evaluates = (*path, "evaluation", "data") in draft.placed
    evaluation = _cadence(given, "eval", save if evaluates else None)
    for field, cadence in (("checkpoints", save), ("evaluation", evaluation)):
        if cadence and cadence[0] == "epoch":
            draft.put((*path, field, "every"), "epoch", given.get(f"{_WHAT[field]}_strategy"))
        elif cadence and cadence[0] == "steps":
            steps = given.get(f"{_WHAT[field]}_steps")
            draft.put((*path, field, "every"), _steps(cadence[1]), steps, default=steps is None)
    logged = _cadence(given, "logging", None)
    if logged and logged[0] == "epoch":
        draft.put((*path, "logging", "every"), "epoch", given["logging_strategy"])
    elif logged and logged[0] == "steps":
        draft.put((*path, "logging", "every"), _steps(logged[1]), given.get("logging_steps"))


_WHAT = {"checkpoints": "save", "evaluation": "eval"}


def _cadence(given: Mapping[str, Given], what: str, default: tuple[str, str] | None) -> tuple[str, str] | None:
    strategy, steps = given.get(f"{what}_strategy"), given.get(f"{what}_steps")
    if strategy is None and steps is None:
        return default
    kind = strategy.value if strategy else (default[0] if default else "steps")
    count = number(steps.value) if steps else number(default[1] if default else "500")
    if kind == "steps" and not (isinstance(count, int) and count > 0):
        return None
    return kind, str(count)


def _steps(count: str) -> str:
    if int(count) >= LONG:
        return "end"
    return f"{count} steps" if count != "1" else "1 step"


def trackers(draft: Draft, stage: str, given: Mapping[str, Given]) -> None:
    """Who is told. `all` and others that the language has no name for stay out."""
    told = given.get("report_to")
    if told is not None:
        names = [name for name in told.values if name not in ("none", "[]")]
        draft.put(("stages", stage, "logging", "trackers"), names, told)
    for name in ("project", "swanlab_project"):
        if name in given:
            draft.put(("stages", stage, "logging", "project"), given[name].value, given[name])


def best(draft: Draft, stage: str, given: Mapping[str, Given]) -> None:
    """The checkpoint that goes on, and an early end."""
    loads = given.get("load_best_model_at_end")
    if loads is not None and loads.value.lower() in ("true", "1", ""):
        draft.put(("stages", stage, "checkpoints", "select"), "best", loads)
    if "early_stop_interval" in given:
        early = given["early_stop_interval"]
        draft.put(("stages", stage, "early_stopping", "patience"), number(early.value), early)


def length(draft: Draft, stage: str, given: Mapping[str, Given]) -> None:
    """What happens to what is too long."""
    how = given.get("truncation_strategy")
    if how is not None and how.value in ("delete", "left", "right"):
        value = "error" if how.value == "delete" else how.value
        draft.put(("stages", stage, "too_long"), value, how)


def deepspeed(draft: Draft, call: Call, stage: str, given: Mapping[str, Given], folder: Any) -> None:
    """A configuration by its name, by its file, or by what a launcher says of it."""
    path = ("stages", stage, "deepspeed")
    option, level = given.get("deepspeed"), given.get("zero_stage")
    if option is not None and not option.odd:
        name = option.value.replace("_", "-")
        if name in DEEPSPEED:
            draft.put(path, name, option)
        elif (file := find_file(option.value, folder)) is not None:
            _from_file(draft, path, option, read_json(file))
    if level is not None:
        offloads = any(
            given[n].value == "cpu" for n in ("offload_optimizer_device", "offload_param_device") if n in given
        )
        draft.put(path, f"zero{level.value}" + ("-offload" if offloads else ""), level)


def _from_file(draft: Draft, path: Path, option: Given, found: Any) -> None:
    """The named configuration that a file is, or comes nearest to; every difference is told."""
    zero = found.get("zero_optimization") if isinstance(found, dict) else None
    if not isinstance(zero, dict) or zero.get("stage") not in (0, 1, 2, 3):
        draft.left.append(option.left("no ZeRO stage can be read in the file"))
        return
    offloads = any(_offloads(zero.get(f"offload_{what}")) for what in ("optimizer", "param"))
    name = f"zero{zero['stage']}" + ("-offload" if offloads and zero["stage"] else "")
    draft.put(path, name, option)
    overlaps = zero.get("overlap_comm") is True and zero["stage"] > 0
    if overlaps:
        draft.put((*path[:-1], "overlap_comm"), True, option)
    both = sorted(_differences(found, deepspeed_config(name, overlaps)).items())
    if added := [f"`{key}` {_short(ours)}" for key, (theirs, ours) in both if theirs == ABSENT]:
        draft.left.append(option.left(f"`deepspeed: {name}` also has {', '.join(added)}"))
    differences = [(key, values) for key, values in both if values[0] != ABSENT]
    for key, (theirs, ours) in differences[:SHOWN]:
        has = "absent" if ours == ABSENT else _short(ours)
        reason = f"`{key}` is {_short(theirs)} in the file, and {has} in `deepspeed: {name}`"
        draft.left.append(option.left(reason))
    if len(differences) > SHOWN:
        draft.left.append(option.left(f"{len(differences) - SHOWN} more keys differ from `deepspeed: {name}`"))


ABSENT = object()
"""In place of a value that a configuration does not have."""


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else text[:59] + "…"


def _offloads(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("device") not in (None, "none")


def _differences(theirs: Mapping[str, Any], ours: Mapping[str, Any], above: str = "") -> dict[str, tuple[Any, Any]]:
    found: dict[str, tuple[Any, Any]] = {}
    for key in theirs.keys() | ours.keys():
        one, other = theirs.get(key, ABSENT), ours.get(key, ABSENT)
        if isinstance(one, dict) and isinstance(other, dict) and not above:
            found |= _differences(one, other, f"{key}.")
        elif one != other:
            found[f"{above}{key}"] = (one, other)
    return found
