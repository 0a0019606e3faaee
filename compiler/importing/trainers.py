"""Trainers on transformers' arguments: TRL's own commands, its configuration, scripts behind a launcher, our runners.

They become stages of TRL, whose options they mostly name; with `--engine ms-swift` stages of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from compiler.importing import distillation, launchers, trl
from compiler.importing.call import Call, Calls, by_name, overruled
from compiler.importing.left import Given, Left
from compiler.importing.options import Meaning, read_options, trainer_meaning
from compiler.importing.script import Command, Text
from schema.diagnostics import Span
from schema.signature import Signature, load

GRPO = frozenset({"num_generations", "reward_funcs", "max_completion_length", "reward_weights"})
"""Options of a trainer that mean GRPO."""
TRL_RENAMED = {"max_prompt_length": "max_length", "vllm_max_model_length": "vllm_max_model_len"}
"""Option of TRL's GRPO, also of older releases → ms-swift's that means the same."""
ALIGNMENT = ("grpo", "dpo")
"""Kinds of alignment that recipes have stages for."""


def command(found: Calls, verb: str, line: Command, words: list[Text], raw: str, folder: Path) -> None:
    """`trl sft|dpo|grpo …`: its options, those of `--config` below them, and those of accelerate, which it starts."""
    launcher = load("accelerate", "launch")
    given, left, _ = read_options(words, None, _written)
    found.left += left
    options = by_name(given)
    config, accelerate = options.pop("--config", None), options.pop("--accelerate_config", None)
    known = load("trl", verb)
    own = {name: one for name, one in options.items() if known.find(name) is None and launcher.find(name)}
    rest = {name: one for name, one in options.items() if name not in own}
    if config is not None:
        rest = overruled(found, _keyed(launchers.read(found, config, folder)), _keyed(list(rest.values())))
    started = [replace(one, name=launcher.find(name)[0].name) for name, one in own.items()]  # type: ignore[index]
    placed, launched = launchers.options_of(found, _configured(accelerate) + started, folder)
    trainer(found, f"trl {verb}", list(rest.values()), line.env, line.place, raw, placed, launched)


def _configured(accelerate: Given | None) -> list[Given]:
    if accelerate is None:
        return []
    return launchers.of_trl(accelerate) or [replace(accelerate, name="config_file")]


def _keyed(options: list[Given]) -> dict[str, Given]:
    """Options by their bare names, so that those of a file and those of a command line meet."""
    return {option.written.lstrip("-").replace("-", "_"): option for option in options}


def _written(name: str, values: tuple[str, ...]) -> tuple[str, tuple[str, ...], str]:
    return "", values, ""


def launched(found: Calls, line: Command, engine: tuple[str, str], words: list[Text], raw: str, folder: Path) -> None:
    """A launcher with its own options, the script, and the script's options."""
    launcher = load(*engine)

    def meaning(name: str, values: tuple[str, ...]) -> tuple[str, tuple[str, ...], str]:
        option = launcher.find(name)
        return (option[0].name if option else ""), values, ""

    own, left, read = read_options(words, launcher, meaning)
    found.left += left
    if read >= len(words):
        found.left.append(Left("R0733", line.place, raw, "the script that it starts is not named"))
        return
    given, left, _ = read_options(words[read + 1 :], None, _written)
    found.left += left
    program = " ".join((*launcher.program, words[read].text))
    if distillation.distils(iter(given)):
        distilled(found, program, [*own, *given], line.env, line.place, raw)
        return
    placed, rest = launchers.options_of(found, own, folder)
    trainer(found, program, given, line.env, line.place, raw, placed, rest)


def script(found: Calls, program: str, words: list[Text], line: Command, raw: str) -> None:
    """A script that is started with Python itself."""
    given, left, _ = read_options(words, None, _written)
    found.left += left
    if distillation.distils(iter(given)):
        distilled(found, program, given, line.env, line.place, raw)
    else:
        trainer(found, program, given, line.env, line.place, raw)


def distilled(found: Calls, program: str, given: list[Given], env: Mapping[str, Text], place: Span, raw: str) -> None:
    """A trainer that distils. No engine of a recipe has its options: the signature is one that knows none of them."""
    options = distillation.unnamed(iter(given))
    found.calls.append(Call("distill", program, load("torch", "torchrun"), options, env, place, raw, True, "distill"))


def trainer(
    found: Calls,
    program: str,
    written: list[Given],
    env: Mapping[str, Text],
    place: Span,
    raw: str,
    placed: Mapping[str, Given] | None = None,
    rest: Mapping[str, Given] | None = None,
) -> None:
    """A trainer becomes a stage of what its name or its options say that it trains.

    Args:
        written: Its options as they are written.
        placed: What its launcher says of hardware, precision and accumulation.
        rest: What else its launcher says.
    """
    options = _keyed(written)
    stage = _trained(program, options)
    if stage == "sft" and "beta" in options:
        reason = "`beta` is of GRPO, of DPO and of others, and nothing says which: what is written here is `sft`"
        found.left.append(Left("R0733", place, raw or program, reason))
    engine = "trl" if found.engine == "trl" else "ms-swift"
    signature = load(engine, stage if engine == "trl" or stage == "sft" else "rlhf")
    given = _named(found, written, trl.meaning(signature) if engine == "trl" else _of_swift(stage, signature))
    unknown = stage == "sft" and not trl.is_own(program, options) if engine == "trl" else True
    given = overruled(found, placed or {}, given)
    call = Call("train", program, signature, given, env, place, raw or program, unknown, stage, rest or {})
    found.calls.append(call)


def _named(found: Calls, written: list[Given], meaning: Meaning) -> dict[str, Given]:
    """Options by the engine's names; of two that mean the same the last one counts."""
    named: dict[str, Given] = {}
    for option in written:
        flag = option.written if option.written.startswith("-") else f"--{option.written}"
        name, values, told = meaning(flag, option.values)
        one = replace(option, name=name, values=values, renamed=told)
        key = name or option.written
        if key in named:
            found.left.append(named[key].left(f"line {one.place.line} gives it again, and the last one counts"))
        named[key] = one
    return named


def _of_swift(stage: str, signature: Signature) -> Meaning:
    """How ms-swift reads the names of a trainer on transformers, of alignment too."""
    known: Callable[..., tuple[str, tuple[str, ...], str]] = trainer_meaning(load("ms-swift", "sft"))

    def meaning(name: str, values: tuple[str, ...]) -> tuple[str, tuple[str, ...], str]:
        found = known(name, values)
        bare = name.lstrip("-").replace("-", "_")
        aligned = TRL_RENAMED.get(bare, bare) if stage == "grpo" else bare
        if stage == "sft" or found[0] or aligned not in signature.options:
            return found
        return aligned, values, "" if aligned == bare else f"`{bare}` is `{aligned}` of the engine"

    return meaning


def _trained(program: str, options: Mapping[str, Given]) -> str:
    if GRPO & options.keys():
        return "grpo"
    sft, grpo, dpo = (load("trl", kind).options.keys() for kind in ("sft", "grpo", "dpo"))
    if options.keys() & (dpo - sft - grpo):
        return "dpo"
    named = PurePosixPath(program.split()[-1]).name.lower()
    return next((kind for kind in ALIGNMENT if kind in named), "sft")
