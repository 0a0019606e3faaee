"""Rules of stages that learn from rewards and preferences. Engines find most of them out after loading the weights."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace

from schema.context import Context
from schema.diagnostics import Diagnostic
from schema.references import stage_place
from schema.rewards import Extracting, Format, Length, PathReward, Reward
from schema.stages import Dpo, Grpo
from schema.stages.dpo import SMOOTHED
from schema.training import AlignmentStage, TrainingStage
from schema.tuner import LoraTuner

DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def _grpo(context: Context) -> Iterator[tuple[str, Grpo]]:
    return ((name, stage) for name, stage in context.training() if isinstance(stage, Grpo))


def groups_divide(context: Context) -> Iterator[Diagnostic]:
    """R0317: the answers of one step, and those of one evaluation step, are whole groups."""
    hardware = context.recipe.hardware
    for name, stage in _grpo(context):
        path, group = ("stages", name), stage.generations
        here = replace(context.at(*path, "generations"), label="answers to each question")
        if stage.batch.global_ % group:
            whole = math.lcm(group, stage.batch.micro * hardware.world)  # which accumulation has to divide, too
            near = max(round(stage.batch.global_ / whole), 1) * whole
            places = (here, replace(context.at(*path, "batch", "global"), label="answers of a step"))
            message = f"a global batch of {stage.batch.global_} answers is no whole number of groups of {group}"
            yield Diagnostic("R0317", message, f"write `global: {near}`, or another `generations`", places)
        at_once = stage.evaluation.micro_batch * hardware.world
        if stage.evaluation.data and at_once % group:
            places = (here, context.at(*path, "evaluation", "micro_batch"))
            message = f"an evaluation step of {at_once} answers is no whole number of groups of {group}"
            help = f"make `micro_batch` × gpus × nodes a multiple of {group}: it is {stage.evaluation.micro_batch} × "
            yield Diagnostic("R0317", message, f"{help}{hardware.processes} × {hardware.nodes}", places)


def rewards_can_be_read(context: Context) -> Iterator[Diagnostic]:
    """R0318: regular expressions compile, limits leave room, and a dotted path leads to a function."""
    for name, stage in _grpo(context):
        for number, reward in enumerate(stage.rewards):
            for field, message, help in _unreadable(reward):
                place = context.at("stages", name, "rewards", number, field)
                yield Diagnostic("R0318", message, help, (place,))


def _unreadable(reward: Reward) -> Iterator[tuple[str, str, str]]:
    """Field, what is wrong with it, and what to write."""
    match reward:
        case Format(pattern=pattern):
            yield from _expression("pattern", pattern, groups=0)
        case Extracting(extract=str(extract)):
            yield from _expression("extract", extract, groups=1)
        case Length(at_least=low, at_most=high) if low > high:
            yield "at_least", f"no answer has at least {low} and at most {high}", f"write at most {high}"
        case PathReward(path=path) if not DOTTED.fullmatch(path):
            yield "path", f"`{path}` is no dotted path of a function", "write `FOLDER.FILE.FUNCTION`, without `.py`"


def _expression(field: str, pattern: str, groups: int) -> Iterator[tuple[str, str, str]]:
    try:
        found = re.compile(pattern, re.DOTALL).groups
    except (re.error, OverflowError, RecursionError) as error:
        yield (
            field,
            f"`{field}` is no regular expression: {error}",
            "mend it; `\\` before a sign takes its meaning away",
        )
        return
    if found < groups:
        yield field, f"`{field}` has no group that says what counts", "put what counts into parentheses"


SERVERS = {"ms-swift": "swift rollout", "trl": "trl vllm-serve"}
"""Engine that trains → the server that samples for it."""


def rollouts_are_possible(context: Context) -> Iterator[Diagnostic]:
    """R0319: what vLLM needs to sample answers."""
    hardware = context.recipe.hardware
    for name, stage in _grpo(context):
        rollout, path = stage.rollout, ("stages", name, "rollout")
        if rollout.engine != "vllm":
            continue
        engine = context.at(*path, "engine")
        if hardware.gpus == 0:
            places = (engine, replace(context.at("hardware", "gpus"), label="no GPU"))
            yield Diagnostic(
                "R0319", "vLLM samples on GPUs, and the hardware has none", "write `engine: transformers`", places
            )
        elif rollout.mode == "server" and rollout.host is None:
            server = SERVERS[stage.engine.name]
            help = f"add `host:` with the name of the machine on which `{server}` runs, or write `mode: colocate`"
            yield Diagnostic("R0319", "nothing says where the vLLM server is", help, (context.at(*path, "mode"),))
        elif rollout.mode == "colocate" and hardware.world % rollout.tensor_parallel:
            message = f"{hardware.world} processes cannot share models over {rollout.tensor_parallel} GPUs each"
            help = f"write a `tensor_parallel` that divides {hardware.world}"
            yield Diagnostic("R0319", message, help, (context.at(*path, "tensor_parallel"),))


def best_is_by_reward(context: Context) -> Iterator[Diagnostic]:
    """R0320: the loss of GRPO is near zero all the time and says nothing about the answers."""
    for name, stage in _grpo(context):
        chooses = stage.checkpoints.select == "best" or stage.early_stopping is not None
        if chooses and stage.checkpoints.metric.endswith("loss"):
            message = f"`{stage.checkpoints.metric}` does not tell which checkpoint answers best"
            help = "write `metric: eval_reward` and `higher_is_better: true`"
            yield Diagnostic("R0320", message, help, (context.at("stages", name, "checkpoints", "metric"),))


def _alignment(context: Context) -> Iterator[tuple[str, AlignmentStage, TrainingStage | None]]:
    """Each stage with a reference model, and the stage before that hands an adapter to it."""
    for name, stage in context.training():
        if isinstance(stage, AlignmentStage):
            before = context.recipe.stages.get(stage.model)
            adapted = isinstance(before, TrainingStage) and before.gives == "adapter"
            yield name, stage, before if adapted and isinstance(before, TrainingStage) else None


def adapters_go_on(context: Context) -> Iterator[Diagnostic]:
    """R0321, R0322: an adapter of the stage before is not lost in silence, and neither is what the recipe says of it."""
    for name, stage, before in _alignment(context):
        path = ("stages", name)
        if before is None:
            if stage.adapter == "new":
                message = f"`adapter: new` is about an adapter, and `{stage.model}` hands none over"
                yield Diagnostic("R0321", message, "remove `adapter`", (context.at(*path, "adapter"),))
            continue
        places = (context.at(*path, "tuner"), stage_place(context, stage.model))
        if not isinstance(stage.tuner, LoraTuner):
            message = (
                f"a full fine-tune leaves the adapter of `{stage.model}` out: what it has learned is lost in silence"
            )
            help = f"fold it in first (`merged: {{kind: merge, adapter: {stage.model}}}`) and write `model: merged`"
            yield Diagnostic("R0321", message, help, places)
        elif stage.adapter == "stack":
            yield from _other_tuner(context, name, stage.tuner, stage.model, before)


LOADED = ("rank", "alpha", "dropout", "target_modules", "modules_to_save", "bias", "init", "rank_stabilized", "dora")
"""Fields of a tuner that an adapter brings with it: an engine ignores what is said otherwise."""


def _other_tuner(
    context: Context, name: str, tuner: LoraTuner, model: str, before: TrainingStage
) -> Iterator[Diagnostic]:
    for field in LOADED:
        here, there = getattr(tuner, field), getattr(before.tuner, field)
        if here != there:
            message = (
                f"training goes on in the adapter of `{model}`, whose `{field}` is {_said(there)} and not {_said(here)}"
            )
            help = f"write the tuner of `{model}` here as well, or `adapter: new`, or put a `merge` stage between"
            places = (context.at("stages", name, "tuner", field), context.at("stages", model, "tuner", field))
            yield Diagnostic("R0322", message, help, places)


def _said(value: object) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else f"{value}".lower()


SHIFTING = ("pissa", "olora", "loftq", "lora-ga")
"""Ways for an adapter to start that change the weights below it: without the adapter, the model is no longer what it was."""


def reference_stays(context: Context) -> Iterator[Diagnostic]:
    """R0323: the reference is the model with its new adapter off, so that adapter has to start from nothing."""
    for name, stage, before in _alignment(context):
        new = before is None or stage.adapter == "new"
        compared = getattr(stage, "beta", 0) > 0
        if new and compared and isinstance(stage.tuner, LoraTuner) and stage.tuner.init in SHIFTING:
            message = f"`init: {stage.tuner.init}` changes the weights of the model that is also the reference"
            help = "write `init: gaussian`, or leave `init` out"
            yield Diagnostic("R0323", message, help, (context.at("stages", name, "tuner", "init"),))


def smoothing_counts(context: Context) -> Iterator[Diagnostic]:
    """R0324: `label_smoothing` stands with a loss that knows it, and a loss that needs it has it."""
    for name, stage in context.training():
        if not isinstance(stage, Dpo):
            continue
        places = (context.at("stages", name, "label_smoothing"), context.at("stages", name, "loss_type"))
        if stage.label_smoothing and stage.loss_type not in SMOOTHED:
            message = f"the loss `{stage.loss_type}` ignores `label_smoothing`"
            help = "remove it, or write one of " + ", ".join(f"`{loss}`" for loss in SMOOTHED)
            yield Diagnostic("R0324", message, help, places)
        elif stage.loss_type == "exo_pair" and not stage.label_smoothing:
            message = "the loss `exo_pair` takes the logarithm of `label_smoothing`, which is 0"
            yield Diagnostic("R0324", message, "add `label_smoothing: 0.001`", places[::-1])
