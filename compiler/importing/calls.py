"""Which commands of an input become stages, with their options by the engine's names, and the launcher around them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from compiler.importing import distillation
from compiler.importing.files import read_mapping
from compiler.importing.left import Given, Left, given_from
from compiler.importing.options import read_options, swift_meaning, trainer_meaning
from compiler.importing.script import Command, Script, Text
from schema.diagnostics import Span
from schema.signature import Signature, load

SWIFT_KINDS = {"sft": "train", "rlhf": "train", "export": "merge", "infer": "predict"}
"""Subcommand of `swift` → what it becomes."""
LAUNCHERS = {
    ("accelerate", "launch"): ("accelerate", "launch"),
    ("deepspeed",): ("deepspeed", "deepspeed"),
    ("torchrun",): ("torch", "torchrun"),
    ("python", "-m", "torch.distributed.run"): ("torch", "torchrun"),
    ("python", "-m", "torch.distributed.launch"): ("torch", "torchrun"),
    ("python", "-m", "accelerate.commands.launch"): ("accelerate", "launch"),
}
PLACED_BY_LAUNCHER = {
    "num_processes": "num_processes",
    "num_machines": "nnodes",
    "num_nodes": "nnodes",
    "nnodes": "nnodes",
    "num_gpus": "nproc_per_node",
    "nproc_per_node": "nproc_per_node",
    "mixed_precision": "mixed_precision",
    "gradient_accumulation_steps": "gradient_accumulation_steps",
    "deepspeed_config_file": "deepspeed",
    "zero_stage": "zero_stage",
    "offload_optimizer_device": "offload_optimizer_device",
    "offload_param_device": "offload_param_device",
    "cpu": "use_cpu",
    "use_cpu": "use_cpu",
}
"""Option of a launcher, or key of its configuration → the name under which it is looked at later."""
SAID_BY_LAUNCHER = {
    "module": "the recipe's engine starts itself",
    "use_deepspeed": "`deepspeed` of the stage says it",
    "distributed_type": "the hardware of the recipe and `deepspeed` of the stage say it",
    "compute_environment": "a recipe is not bound to one",
    "multi_gpu": "`hardware` of the recipe says it",
    "standalone": "the launcher is started for one machine when `hardware.nodes` is 1",
    **dict.fromkeys(
        ("main_process_port", "main_process_ip", "master_addr", "master_port", "node_rank", "machine_rank"),
        "the launcher, or the cluster, sets it when the recipe runs",
    ),
    **dict.fromkeys(("gpu_ids", "include"), "`recipe run --gpus` chooses the GPUs"),
}
_LOCAL_GPUS = re.compile(r"localhost:(\d+(?:,\d+)*)\Z")
GRPO = frozenset({"num_generations", "reward_funcs", "max_completion_length", "reward_weights"})
"""Options of a trainer that mean GRPO."""
TRL_RENAMED = {"max_prompt_length": "max_length", "vllm_max_model_length": "vllm_max_model_len"}
"""Option of TRL's GRPO, also of older releases → ms-swift's that means the same."""
ALIGNMENT = ("grpo", "dpo")
"""Kinds of alignment that recipes have stages for."""


@dataclass(frozen=True, slots=True)
class Call:
    """A command that becomes a stage. `trainer` is a script on transformers' arguments, whose own defaults are not known."""

    kind: str
    program: str
    signature: Signature
    given: Mapping[str, Given]
    env: Mapping[str, Text]
    place: Span
    raw: str
    trainer: bool = False
    stage: str = "sft"
    """The kind of stage that a training becomes."""


@dataclass(slots=True)
class Calls:
    """What was found in an input."""

    calls: list[Call] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


def from_script(script: Script, folder: Path) -> Calls:
    """The commands of a script that become stages; configuration files are looked for from the project and beside it."""
    found = Calls(left=[Left("R0731", report.place, report.raw, report.message) for report in script.reports])
    for command in script.commands:
        _command(found, command, folder)
    return found


def from_yaml(given: Mapping[str, Given], place: Span) -> Calls:
    """A configuration of a trainer, as TRL reads it."""
    found = Calls()
    _trainer(found, "config", dict(given), {}, place, "")
    return found


def _command(found: Calls, command: Command, folder: Path) -> None:
    words = list(command.words)
    raw = " ".join(word.raw for word in words)
    if not words:
        return
    names = tuple("" if word.odd else word.text for word in words[:3])
    program = PurePosixPath(names[0]).name.removesuffix("3")
    head = (program, *names[1:])
    launcher = next((length for length in (3, 2, 1) if head[:length] in LAUNCHERS), 0)
    if program in ("swift", "megatron") or head[:1] == ("trl",):
        _engine(found, command, head, words, raw, folder)
    elif launcher:
        _launched(found, command, LAUNCHERS[head[:launcher]], words[launcher:], raw, folder)
    elif program == "python" and len(words) > 1 and _is_trainer(names[1]):
        given, left, _ = read_options(words[2:], None, trainer_meaning(load("ms-swift", "sft")))
        found.left += left
        _script(found, f"python {names[1]}", given, command, raw)
    else:
        found.left.append(Left("R0733", command.place, raw, _why_not(names[0], command)))


def _script(found: Calls, program: str, given: list[Given], command: Command, raw: str) -> None:
    """A script that is started with Python itself."""
    if distillation.distils(iter(given)):
        distilled(found, program, given, command.env, command.place, raw)
    else:
        _trainer(found, program, _by_name(given), command.env, command.place, raw)


def distilled(found: Calls, program: str, given: list[Given], env: Mapping[str, Text], place: Span, raw: str) -> None:
    """A trainer that distils. No engine of a recipe has its options: the signature is one that knows none of them."""
    options = distillation.unnamed(iter(given))
    found.calls.append(Call("distill", program, load("torch", "torchrun"), options, env, place, raw, True, "distill"))


def _why_not(name: str, command: Command) -> str:
    if name.startswith("-"):
        return "it begins with a dash: the command above ended before it, as a comment or a blank behind `\\` ends one"
    if command.words[0].odd:
        return f"what it runs is not known: {command.words[0].odd}"
    return "it is no launch that becomes a stage"


def _is_trainer(name: str) -> bool:
    return name.endswith(".py")


def _by_name(given: list[Given]) -> dict[str, Given]:
    return {option.name or option.written: option for option in given}


def _engine(found: Calls, command: Command, head: tuple[str, ...], words: list[Text], raw: str, folder: Path) -> None:
    """`swift …` and `trl …`."""
    verb = head[1] if len(head) > 1 else ""
    if head[0] == "trl" and verb in ("sft", *ALIGNMENT):
        given, left, _ = read_options(words[2:], None, trainer_meaning(load("ms-swift", "sft")))
        found.left += left
        options = _by_name(given)
        config = options.pop("--config", None)
        if config is not None:
            options = {**_configured(found, config, folder), **options}
        _trainer(found, f"trl {verb}", options, command.env, command.place, raw)
    elif head[0] == "swift" and verb in SWIFT_KINDS:
        signature = load("ms-swift", verb)
        given, left, _ = read_options(words[2:], signature, swift_meaning(signature))
        found.left += left
        _swift(found, verb, signature, _by_name(given), command, raw)
    else:
        reason = f"recipes have no kind of stage for `{' '.join(head[:2])}`"
        found.left.append(Left("R0733", command.place, raw, reason))


def _swift(found: Calls, verb: str, signature: Signature, given: dict[str, Given], command: Command, raw: str) -> None:
    stage = "sft"
    if verb == "rlhf":
        stage = given["rlhf_type"].value if "rlhf_type" in given else "dpo"
        if stage not in ALIGNMENT:
            reason = f"recipes have no kind of stage for `rlhf_type: {stage}`"
            found.left.append(Left("R0733", command.place, raw, reason))
            return
    call = Call(SWIFT_KINDS[verb], f"swift {verb}", signature, given, command.env, command.place, raw, stage=stage)
    found.calls.append(call)


def _configured(found: Calls, config: Given, folder: Path) -> dict[str, Given]:
    """The options of a YAML file that a command names."""
    read = _read(found, config, folder)
    meaning = trainer_meaning(load("ms-swift", "sft"))
    return _by_name([renamed(given, meaning) for given in read])


def _read(found: Calls, config: Given, folder: Path) -> list[Given]:
    """What a configuration file says."""
    read, left = read_mapping(config, folder)
    found.left += left or [config.left("it was read, and what it says is listed with its own lines", "R0735")]
    return read


def renamed(given: Given, meaning: object) -> Given:
    """A key of a configuration by the engine's name."""
    name, values, told = meaning(given.written, given.values)  # type: ignore[operator]
    return replace(given, name=name, values=values, renamed=told)


def _launched(
    found: Calls, command: Command, engine: tuple[str, str], words: list[Text], raw: str, folder: Path
) -> None:
    """A launcher with its own options, the script, and the script's options."""
    launcher = load(*engine)

    def meaning(name: str, values: tuple[str, ...]) -> tuple[str, tuple[str, ...], str]:
        option = launcher.find(name)
        return (option[0].name if option else ""), values, ""

    own, left, read = read_options(words, launcher, meaning)
    found.left += left
    if read >= len(words):
        found.left.append(Left("R0733", command.place, raw, "the script that it starts is not named"))
        return
    given, left, _ = read_options(words[read + 1 :], None, trainer_meaning(load("ms-swift", "sft")))
    found.left += left
    program = " ".join((*launcher.program, words[read].text))
    if distillation.distils(iter(given)):
        distilled(found, program, [*own, *given], command.env, command.place, raw)
        return
    options = {**_launcher_options(found, own, folder), **_by_name(given)}
    _trainer(found, program, options, command.env, command.place, raw)


def _launcher_options(found: Calls, own: list[Given], folder: Path) -> dict[str, Given]:
    """What a launcher's options and its configuration file say about hardware and precision."""
    given = _by_name(own)
    config = given.pop("config_file", None)
    read = _read(found, config, folder) if config is not None else []
    options: dict[str, Given] = {}
    for option in [*(replace(o, name=o.written.rpartition(".")[2]) for o in read), *given.values()]:
        if option.name in PLACED_BY_LAUNCHER:
            options[PLACED_BY_LAUNCHER[option.name]] = replace(option, name=PLACED_BY_LAUNCHER[option.name])
        elif option.name == "include" and (local := _LOCAL_GPUS.match(option.value)):
            options["nproc_per_node"] = replace(option, name="nproc_per_node", values=(str(local[1].count(",") + 1),))
        elif option.name in SAID_BY_LAUNCHER:
            found.left.append(option.left(SAID_BY_LAUNCHER[option.name], "R0735"))
        else:
            found.left.append(option.left("it is the launcher's, and recipes have no field for it"))
    return options


def _trainer(
    found: Calls, program: str, given: dict[str, Given], env: Mapping[str, Text], place: Span, raw: str
) -> None:
    """A trainer on transformers' arguments becomes a stage of what its name or its options say that it trains."""
    stage = _trained(program, given)
    if stage == "sft" and _option(given, "beta"):
        reason = "`beta` is of GRPO, of DPO and of others, and nothing says which: what is written here is `sft`"
        found.left.append(Left("R0733", place, raw or program, reason))
    signature = load("ms-swift", "sft" if stage == "sft" else "rlhf")
    if stage != "sft":
        given = _by_name([_aligned(option, stage, signature) for option in given.values()])
    found.calls.append(Call("train", program, signature, given, env, place, raw or program, True, stage))


def _trained(program: str, given: Mapping[str, Given]) -> str:
    if any(_option(given, name) for name in GRPO):
        return "grpo"
    named = PurePosixPath(program.split()[-1]).name.lower()
    return next((kind for kind in ALIGNMENT if kind in named), "sft")


def _option(given: Mapping[str, Given], name: str) -> bool:
    return any(option.name == name or option.written.lstrip("-").replace("-", "_") == name for option in given.values())


def _aligned(option: Given, stage: str, signature: Signature) -> Given:
    """An option that only alignment has, by the engine's name."""
    bare = option.written.lstrip("-").replace("-", "_")
    name = TRL_RENAMED.get(bare, bare) if stage == "grpo" else bare
    if option.name or name not in signature.options:
        return option
    renamed = "" if name == bare else f"`{bare}` is `{name}` of the engine"
    return replace(option, name=name, renamed=renamed)


def environment(call: Call) -> dict[str, Given]:
    """The environment of a call as options, in lower case as fields' synonyms have them."""
    return {name.lower(): replace(given_from(text, name), name=name.lower()) for name, text in call.env.items()}
