"""Which commands of an input become stages, with their options by the engine's names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from compiler.importing import launchers, trainers
from compiler.importing.call import Call, Calls, Engine, by_name, overruled
from compiler.importing.delivery import SERVERS, positional
from compiler.importing.launchers import LAUNCHERS
from compiler.importing.left import Given, Left
from compiler.importing.options import Meaning, read_options, swift_meaning
from compiler.importing.script import Command, Script, Text
from schema.diagnostics import Span
from schema.signature import Signature, load

SWIFT_KINDS = {"sft": "train", "rlhf": "train", "export": "export", "infer": "predict", "deploy": "deploy"}
"""Subcommand of `swift` → what it becomes."""
ENVIRONMENT = "ENV."
"""What stands before the variables that a file of ms-swift sets."""
MODULES = ("trl.scripts.", "runners.trl_")
"""Beginnings of modules that train."""


def from_script(script: Script, folder: Path, engine: Engine) -> Calls:
    """The commands of a script that become stages; configuration files are looked for from the project and beside it."""
    found = Calls(engine, left=[Left("R0731", report.place, report.raw, report.message) for report in script.reports])
    for command in script.commands:
        _command(found, command, folder)
    return found


def from_yaml(given: list[Given], place: Span, engine: Engine) -> Calls:
    """A configuration of a trainer, as TRL reads it; one with ms-swift's name of a model is of `swift sft` or `rlhf`."""
    found = Calls(engine)
    keys = {option.written for option in given}
    if "model" in keys and "model_name_or_path" not in keys:
        verb = "rlhf" if "rlhf_type" in keys else "sft"
        signature = load("ms-swift", verb)
        read, command = _with_environment(found, given, Command((), {}, place))
        _swift(found, verb, signature, _of_swift(read, signature), command, PurePosixPath(place.file).name)
        return found
    trainers.trainer(found, PurePosixPath(place.file).name, given, {}, place, "")
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
    if program in ("swift", "megatron", "trl", "vllm"):
        _engine(found, command, head, words, raw, folder)
    elif launcher:
        trainers.launched(found, command, LAUNCHERS[head[:launcher]], words[launcher:], raw, folder)
    elif program == "python" and len(words) > 1 and names[1].endswith(".py"):
        trainers.script(found, f"python {names[1]}", words[2:], command, raw)
    elif head[:2] == ("python", "-m") and len(words) > 2 and names[2].startswith(MODULES):
        trainers.script(found, f"python -m {names[2]}", words[3:], command, raw)
    else:
        found.left.append(Left("R0733", command.place, raw, _why_not(names[0], command)))


def _why_not(name: str, command: Command) -> str:
    if name.startswith("-"):
        return "it begins with a dash: the command above ended before it, as a comment or a blank behind `\\` ends one"
    if command.words[0].odd:
        return f"what it runs is not known: {command.words[0].odd}"
    return "it is no launch that becomes a stage"


def _engine(found: Calls, command: Command, head: tuple[str, ...], words: list[Text], raw: str, folder: Path) -> None:
    """`swift …`, `trl …` and `vllm serve …`."""
    verb = head[1] if len(head) > 1 else ""
    if head[0] == "trl" and verb in ("sft", *trainers.ALIGNMENT):
        trainers.command(found, verb, command, words[2:], raw, folder)
    elif head[0] == "swift" and verb in SWIFT_KINDS:
        signature = load("ms-swift", verb)
        config = _configuration(words[2:])
        given, left, _ = read_options(words[3 if config else 2 :], signature, swift_meaning(signature))
        found.left += left
        options = by_name(given)
        if config is not None:
            read, command = _with_environment(found, launchers.read(found, config, folder), command)
            options = overruled(found, _of_swift(read, signature), options)
        _swift(found, verb, signature, options, command, raw)
    elif head[:2] == ("vllm", "serve"):
        _vllm(found, command, words[2:], raw)
    else:
        reason = f"recipes have no kind of stage for `{' '.join(head[:2])}`"
        instead = SERVERS.get((head[0], verb))
        reason += f"; {instead}" if instead else ""
        found.left.append(Left("R0733", command.place, raw, reason))


def _configuration(words: list[Text]) -> Given | None:
    """The file that `swift` reads options from, where its first argument names one."""
    first = words[0] if words and not words[0].odd else None
    if first is None or not first.text.endswith((".yaml", ".yml", ".json")) or first.text.startswith("-"):
        return None
    return Given("", "config", (first.text,), first.place, first.raw)


def _with_environment(found: Calls, read: list[Given], command: Command) -> tuple[list[Given], Command]:
    """The options of a file of ms-swift, and the command with the variables that the file sets where nobody else does."""
    env = dict(command.env)
    rest = []
    for option in read:
        if option.written.startswith(ENVIRONMENT):
            name = option.written.removeprefix(ENVIRONMENT)
            text = Text(option.value, option.place, f"{name}: {option.value}")
            if name in env and env[name].text != text.text:
                reason = f"line {env[name].place.line} of the script sets it, and that counts"
                found.left.append(option.left(reason, "R0734"))
            env.setdefault(name, text)
        else:
            rest.append(option)
    return rest, replace(command, env=env)


def _of_swift(read: list[Given], signature: Signature) -> dict[str, Given]:
    """Keys of a file by ms-swift's names."""
    meaning = swift_meaning(signature)
    named = []
    for option in read:
        name, values, told = meaning(f"--{option.written}", option.values)
        named.append(replace(option, name=name, values=values, renamed=told))
    return by_name(named)


def _vllm(found: Calls, command: Command, words: list[Text], raw: str) -> None:
    """`vllm serve MODEL …`: the model may stand before, between or behind the options."""
    signature = load("vllm", "serve", "vllm")
    given: list[Given] = []
    model: Given | None = None
    while words:
        read, left, count = read_options(words, signature, _by_spelling(signature))
        found.left += left
        given += read
        if count < len(words):
            named = words[count]
            model = model or Given("model", "model", (named.text,), named.place, named.raw, named.odd)
        words = words[count + 1 :]
    options = positional(by_name(given), model)
    found.calls.append(Call("deploy", "vllm serve", signature, options, command.env, command.place, raw))


def _by_spelling(signature: Signature) -> Meaning:
    def meaning(name: str, values: tuple[str, ...]) -> tuple[str, tuple[str, ...], str]:
        option = signature.find(name)
        return (option[0].name if option else ""), values, ""

    return meaning


def _swift(found: Calls, verb: str, signature: Signature, given: dict[str, Given], command: Command, raw: str) -> None:
    stage = "sft"
    if verb == "rlhf":
        stage = given["rlhf_type"].value if "rlhf_type" in given else "dpo"
        if stage not in trainers.ALIGNMENT:
            reason = f"recipes have no kind of stage for `rlhf_type: {stage}`"
            found.left.append(Left("R0733", command.place, raw, reason))
            return
    call = Call(SWIFT_KINDS[verb], f"swift {verb}", signature, given, command.env, command.place, raw, stage=stage)
    found.calls.append(call)
