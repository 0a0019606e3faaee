"""A stage's launch as a script: what `recipe exec` runs, what a person reads, and what can be run by hand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from compiler.backends.older import unwatched
from compiler.plan import (
    Command,
    FilePath,
    InputPath,
    Json,
    OutputPath,
    Place,
    Plan,
    Rest,
    ResumedModel,
    ResumePath,
    Scalar,
    StagePlan,
    Value,
    Variable,
)
from schema.signature import Signature, arguments, load, resolve

HEAD = """#!/usr/bin/env bash
# {label} · {stage} · {kind}. Written by `recipe compile {file}`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash {path}
{directive}set -euo pipefail
: "${{RECIPE_OUT:?name a folder for what this stage writes}}"
"""
BESIDE = """#!/usr/bin/env bash
# {label} · {stage} · {what}. Written by `recipe compile {file}`; edit the recipe, not this file.
# From the project's root, when the stages before have run: bash {path} [--port 8001 …]
{directive}set -euo pipefail
"""
PLAN = "RECIPE_PLAN"
"""Names the stage's identity document for what watches a trainer."""
LITERAL = "# shellcheck disable=SC1003,SC2016 # what stands in single quotes is meant as it stands\n"


def beside(plan: Plan, stage: StagePlan, name: str) -> str:
    """The text of `<stage>.<name>.sh`: commands that a person runs in the foreground, with what is added behind them."""
    path = f"{plan.pipeline}/{stage.name}.{name}.sh"
    file = shlex.quote(plan.file) if plan.file.isprintable() else "RECIPE"
    lines = [f"export {name}={_word(value)}\n" for name, value in stage.launch.env.items()]
    for command in stage.launch.beside[name]:
        lines += ["\n", " \\\n  ".join((*words(command), '"$@"')) + "\n"]
    body = "".join(lines)
    directive = LITERAL if _looks_expanded(body) else ""
    return (
        BESIDE.format(label=plan.label, stage=stage.name, what=name, file=file, path=path, directive=directive) + body
    )


def script(plan: Plan, stage: StagePlan) -> str:
    """The text of `<stage>.sh`."""
    path = f"{plan.pipeline}/{stage.name}.sh"
    file = shlex.quote(plan.file) if plan.file.isprintable() else "RECIPE"
    lines = [f': "${{{name}:?the cluster has to set it}}"\n' for name in stage.launch.required]
    lines += [f"export {name}={_word(value)}\n" for name, value in stage.launch.env.items()]
    # An engine is held to its plan; our own trainer reads it as it is, and has no options of its own.
    if any(command.trains and command.signature and not unwatched(command) for command in stage.launch.commands):
        lines += [f"export {PLAN}={shlex.quote(f'{plan.pipeline}/{stage.name}.json')}\n"]
    for command in stage.launch.written:
        odd = [
            v.model.path for v in command.options.values() if isinstance(v, ResumedModel) and not _bare(v.model.path)
        ]
        lines += ["\n", *(f"model={shlex.quote(path)}\n" for path in odd), _command(command)]
    body = "".join(lines)
    directive = LITERAL if _looks_expanded(body) else ""
    head = HEAD.format(label=plan.label, stage=stage.name, kind=stage.kind, file=file, path=path, directive=directive)
    return head + body


def _looks_expanded(body: str) -> bool:
    """Whether something in single quotes looks to shellcheck as if it were to be expanded, or an escape."""
    return any(re.search(r"[$`\\]", quoted) for quoted in re.findall("'([^']*)'", body))


def words(command: Command) -> Iterator[str]:
    """The command as words of a shell, quoted; an option and its values share a word list."""
    if command.launcher is None:
        yield shlex.join(command.program)
    else:
        yield from words(command.launcher)
        yield shlex.join(command.program[1:])
    yield from (_word(value) for value in command.positional)
    for name, value in command.options.items():
        yield _option(name, _several(value) + command.watch[name] if name in command.watch else value)
    if (command.passed or command.watch) and command.signature:
        signature = load(*command.signature)
        for name, value in with_watch(command, signature).items():
            yield shlex.join(arguments(signature, name, value))


def with_watch(command: Command, signature: Signature) -> dict[str, Json]:
    """What is passed, with the options that watch: the same option gets the values of both.

    An option that the compiler writes for another reason, too, has them there.
    """
    merged = dict(command.passed)
    for option, values in command.watch.items():
        if option in command.options:
            continue
        given = next((name for name in merged if (found := signature.find(name)) and found[0].name == option), option)
        before = resolve(signature, given, merged[given]) if given in merged else []
        merged[given] = [*before, *values]
    return merged


def _several(value: Value) -> tuple[Scalar | Place, ...]:
    return value if isinstance(value, tuple) else (value,)


def _command(command: Command) -> str:
    guard = '[ -n "${RECIPE_TRAINED:-}" ] || ' if command.trains else ""
    return guard + " \\\n  ".join(words(command)) + "\n"


def _option(name: str, value: Value) -> str:
    flag = f"--{name}"
    if isinstance(value, ResumePath):
        return f'${{RECIPE_RESUME:+{flag} "$RECIPE_RESUME"}}'
    values = value if isinstance(value, tuple) else (value,)
    texts = [_word(item) for item in values]
    if len(values) == 1 and _begin(values[0]) == "-":
        return f"{shlex.quote(flag)}={texts[0]}"  # argparse would take the value for an option
    return " ".join([shlex.quote(flag), *texts])


def _begin(value: Scalar | Place) -> str:
    """The first character of a text or of an input's path."""
    path = value.model if isinstance(value, ResumedModel) else value
    text = path.path if isinstance(path, InputPath) else path
    return text[:1] if isinstance(text, str) else ""


def _word(value: Scalar | Place) -> str:
    match value:
        case InputPath(_, path, suffix):
            return shlex.quote(path + suffix)
        case FilePath(_, path):
            return shlex.quote(path)
        case OutputPath(path) | Rest(_, path):
            return f'"$RECIPE_OUT/{path}"'
        case Variable(name):
            return f'"${name}"'
        case ResumedModel(model):
            # No way of quoting there suits every shell and character.
            return f'"${{RECIPE_RESUME:-{model.path if _bare(model.path) else "$model"}}}"'
        case _:
            return shlex.quote(plain(value))


def plain(value: object) -> str:
    """A scalar as a program reads it: `true` and `false`, and the shortest text that gives the same number."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _bare(text: str) -> bool:
    """Whether a text needs no quotes."""
    return shlex.quote(text) == text
