"""Rules across the options of ms-swift that the engine finds out late: after loading weights, or never.

Each rule is a function in `_RULES`; it sees the values that are given and the engine's defaults for the others, and
says nothing about options that its command lacks. The rules were read in ms-swift 4.6.0 and transformers 5.19.0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schema.signature.names import near
from schema.signature.problem import Problem
from schema.signature.recorded import Signature

FLASH = frozenset({"flash_attn", "flash_attention_2", "flash_attention_3", "flash_attention_4"})
DEEPSPEED = ("zero0", "zero1", "zero2", "zero3", "zero2_offload", "zero3_offload")
INIT_WEIGHTS = ("true", "false", "gaussian", "pissa", "olora", "loftq", "lora-ga", "bat")
RANGES: Mapping[str, tuple[float | None, float | None]] = {
    "split_dataset_ratio": (0, 1),
    "freeze_parameters_ratio": (0, 1),
    "lora_dropout": (0, 1),
    "label_smoothing_factor": (0, 1),
    "warmup_ratio": (0, 1),
    "top_p": (0, 1),
    "temperature": (0, None),
    "learning_rate": (0, None),
    "weight_decay": (0, None),
    "lora_rank": (1, None),
    "num_labels": (1, None),
    "num_beams": (1, None),
    "per_device_train_batch_size": (1, None),
    "per_device_eval_batch_size": (1, None),
    "gradient_accumulation_steps": (1, None),
}
"""Option → least and greatest value, both allowed."""


@dataclass(frozen=True, slots=True)
class Given:
    """The options of one command: what is given, else the engine's default."""

    signature: Signature
    values: Mapping[str, Any]
    processes: int

    def __getitem__(self, name: str) -> Any:
        option = self.signature.options.get(name)
        return self.values.get(name, option.default if option else None)


Rule = Callable[[Given], Iterator[Problem]]


def check_rules(signature: Signature, options: Mapping[str, Any], processes: int = 1) -> list[Problem]:
    """What is wrong with options together.

    Arguments:
        options: name → value as `resolve` gives it.
        processes: how many take part, nodes × devices.
    """
    given = Given(signature, options, processes)
    return [problem for rule in _RULES for problem in rule(given)]


def _problem(option: str, message: str, help: str) -> Problem:
    return Problem("rule", option, message, help)


def _ranges(given: Given) -> Iterator[Problem]:
    for name, (low, high) in RANGES.items():
        value = given.values.get(name)
        if isinstance(value, (int, float)) and not _within(value, low, high):
            limits = f"between {low} and {high}" if high is not None else f"at least {low}"
            yield _problem(name, f"`{name}` is {value}, and must be {limits}", f"write a number {limits}")


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _packing(given: Given) -> Iterator[Problem]:
    for name in ("packing", "padding_free"):
        if given[name] and "attn_impl" in given.signature.options and given["attn_impl"] not in FLASH:
            message = f"`{name}` needs flash attention, and `attn_impl` is {given['attn_impl'] or 'not set'}"
            yield _problem(name, message, "set `attn_impl: flash_attention_2`, or leave it out")
    for name in ("packing", "streaming"):
        if given[name] and given["lazy_tokenize"]:
            yield _problem("lazy_tokenize", f"`lazy_tokenize` and `{name}` exclude each other", "keep one of them")


def _precision(given: Given) -> Iterator[Problem]:
    if given["bf16"] and given["fp16"]:
        yield _problem("fp16", "`bf16` and `fp16` exclude each other", "keep one of them")
    if given["torch_dtype"] == "float32" and "fp16" in given.signature.options and given["fp16"] is None:
        message = "with `torch_dtype: float32` alone the engine turns half precision on"
        yield _problem("torch_dtype", message, "add `fp16: false` and `bf16: false`")


def _best(given: Given) -> Iterator[Problem]:
    evaluation = _evaluation(given)
    if given["load_best_model_at_end"] and given["save_strategy"] != "best":
        if evaluation != given["save_strategy"]:
            message = f"the best model cannot be told: evaluation is `{evaluation}`, saving `{given['save_strategy']}`"
            yield _problem("load_best_model_at_end", message, "give `eval_strategy` and `save_strategy` the same value")
        elif evaluation == "steps" and not _multiple(given["save_steps"], given["eval_steps"] or given["save_steps"]):
            message = "the best model cannot be told: `save_steps` is no multiple of `eval_steps`"
            yield _problem("load_best_model_at_end", message, "make `save_steps` a multiple of `eval_steps`")
    if given["early_stop_interval"] and evaluation == "no":
        message = "early stopping needs evaluation, and there is none"
        yield _problem("early_stop_interval", message, "give `val_dataset` and `eval_strategy`")
    if given["lr_scheduler_type"] in ("reduce_lr_on_plateau", "greedy") and evaluation == "no":
        message = f"the schedule `{given['lr_scheduler_type']}` needs evaluation, and there is none"
        yield _problem("lr_scheduler_type", message, "give `val_dataset` and `eval_strategy`")


def _evaluation(given: Given) -> str:
    """When it evaluates: never without data, else as it saves where nothing is said."""
    has_data = (
        given["val_dataset"] or given["split_dataset_ratio"] or given["cached_val_dataset"] or given["eval_dataset"]
    )
    return str(given["eval_strategy"] or given["save_strategy"]) if has_data else "no"


def _multiple(saving: float, evaluating: float) -> bool:
    if (saving < 1) != (evaluating < 1):
        return False
    scale = 1_000_000 if saving < 1 else 1
    return round(saving * scale) % round(evaluating * scale) == 0


def _parallel(given: Given) -> Iterator[Problem]:
    name = given["deepspeed"]
    if name and given["fsdp"]:
        yield _problem("fsdp", "`fsdp` and `deepspeed` exclude each other", "keep one of them")
    if isinstance(name, str) and not name.endswith(".json") and name not in DEEPSPEED:
        close = near(name, DEEPSPEED)
        help = f"did you mean `{close[0]}`?" if close else "name a file, or one of " + ", ".join(DEEPSPEED)
        yield _problem("deepspeed", f"`{name}` is neither a configuration of ms-swift nor a JSON file", help)


def _warmup(given: Given) -> Iterator[Problem]:
    if given["warmup_ratio"] and given["warmup_steps"]:
        yield _problem("warmup_steps", "`warmup_ratio` and `warmup_steps` exclude each other", "keep one of them")
    if given["warmup_ratio"] == 1:
        yield _problem("warmup_ratio", "a `warmup_ratio` of 1 is refused", "write a number below 1")


def _classification(given: Given) -> Iterator[Problem]:
    if given["task_type"] == "seq_cls" and given["num_labels"] is None:
        yield _problem("task_type", "classification needs `num_labels`", "add `num_labels`")
    if given["num_labels"] == 1 and given["problem_type"] == "single_label_classification":
        yield _problem("num_labels", "one label leaves nothing to classify", "write at least 2")


def _quantisation(given: Given) -> Iterator[Problem]:
    method, bits = given["quant_method"], given["quant_bits"]
    if bits is not None and method is None:
        yield _problem("quant_bits", "`quant_bits` without `quant_method` has no effect", "add `quant_method: bnb`")
    if method is not None and bits is None and method != "fp8":
        yield _problem("quant_method", f"`quant_method: {method}` needs `quant_bits`", "add `quant_bits: 4`")
    if method == "bnb" and bits not in (None, 4, 8):
        yield _problem("quant_bits", f"bitsandbytes has no {bits} bits", "write 4 or 8")


def _data(given: Given) -> Iterator[Problem]:
    chances, sources = given["interleave_prob"], given["dataset"]
    if chances and sources and len(chances) != len(sources):
        message = f"{len(chances)} probabilities are given for {len(sources)} data sets"
        yield _problem("interleave_prob", message, "give one for each data set")
    if chances and abs(sum(chances) - 1) > 1e-6:
        yield _problem("interleave_prob", f"the probabilities sum to {sum(chances):g}", "make them sum to 1")
    if given["streaming"] and not (given["max_steps"] or 0) > 0:
        yield _problem("streaming", "a streamed data set has no length, so `max_steps` must say when to end", "add it")
    if given["truncation_strategy"] == "split" and given.signature.command in ("sft", "rlhf"):
        message = "`truncation_strategy: split` is for pre-training only"
        yield _problem("truncation_strategy", message, "write `left` or `right`")


def _tuner(given: Given) -> Iterator[Problem]:
    lora = [name for name in given.values if name.startswith("lora_") or name in ("use_dora", "use_rslora")]
    if given["tuner_type"] == "full" and lora:
        yield _problem(lora[0], f"`{lora[0]}` has no effect on a full fine-tune", "leave it out")
    start = str(given["init_weights"] or "true").lower()
    if start not in INIT_WEIGHTS and not re.fullmatch(r"pissa_niter_\d+", start):
        help = "write one of " + ", ".join(INIT_WEIGHTS)
        yield _problem("init_weights", f"`init_weights` does not take `{start}`", help)


def _generation_batch(given: Given) -> Iterator[Problem]:
    if given["rlhf_type"] != "grpo":
        return
    if given["num_generations"] == 1 and given.values.get("num_generations") == 1:
        yield _problem("num_generations", "GRPO compares answers, so it needs more than one", "write at least 2")
        return
    step = given["per_device_train_batch_size"] * given.processes
    batch = given["generation_batch_size"]
    if batch is not None and batch % step:
        message = f"`generation_batch_size` is {batch}, and no multiple of the {step} examples of a step"
        yield _problem("generation_batch_size", message, f"write a multiple of {step}")
        return
    steps = given["steps_per_generation"] or given["gradient_accumulation_steps"] or 1
    batch = batch or step * steps
    if batch % given["num_generations"]:
        message = f"a generation of {batch} answers cannot be split into groups of {given['num_generations']}"
        yield _problem("num_generations", message, "make `num_generations` divide the generation batch")


def _rendezvous(given: Given) -> Iterator[Problem]:
    if not given.values.get("standalone"):
        return
    if str(given["nnodes"]) not in ("1", "1:1"):
        message = f"`--standalone` is for one node, and `nnodes` is {given['nnodes']}: torchrun hangs"
        yield _problem("standalone", message, "leave `--standalone` out")
    for name in ("rdzv_endpoint", "master_addr", "master_port"):
        if name in given.values:
            yield _problem(name, f"`--standalone` ignores `{name}`", "leave one of them out")


_RULES: tuple[Rule, ...] = (
    _ranges,
    _packing,
    _precision,
    _best,
    _parallel,
    _warmup,
    _classification,
    _quantisation,
    _data,
    _tuner,
    _generation_batch,
    _rendezvous,
)
