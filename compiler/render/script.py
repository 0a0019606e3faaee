"""A stage's launch as a script: what `recipe exec` runs, what a person reads, and what can be run by hand."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from compiler.plan import (
    Command,
    FilePath,
    InputPath,
    OutputPath,
    Plan,
    ResumedModel,
    ResumePath,
    Scalar,
    StagePlan,
    Value,
)
from schema.signature import arguments, load

HEAD = """#!/usr/bin/env bash
# {label} · {stage} · {kind}. Written by `recipe compile {file}`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash {path}
set -euo pipefail
: "${{RECIPE_OUT:?name a folder for what this stage writes}}"
"""


def script(plan: Plan, stage: StagePlan) -> str:
    """The text of `<stage>.sh`."""
    path = f"{plan.pipeline}/{stage.name}.sh"
    file = shlex.quote(plan.file) if plan.file.isprintable() else "RECIPE"
    lines = [HEAD.format(label=plan.label, stage=stage.name, kind=stage.kind, file=file, path=path)]
    lines += [f': "${{{name}:?the cluster has to set it}}"\n' for name in stage.launch.required]
    lines += [f"export {name}={_word(value)}\n" for name, value in stage.launch.env.items()]
    lines += ["\n" + _command(command) for command in stage.launch.commands]
    return "".join(lines)


def words(command: Command) -> Iterator[str]:
    """The command as words of a shell, quoted; an option and its values share a word list."""
    yield shlex.join(command.program)
    for name, value in command.options.items():
        yield _option(name, value)
    if command.passed and command.signature:
        signature = load(*command.signature)
        for name, value in command.passed.items():
            yield shlex.join(arguments(signature, name, value))


def _command(command: Command) -> str:
    return " \\\n  ".join(words(command)) + "\n"


def _option(name: str, value: Value) -> str:
    flag = f"--{name}"
    if isinstance(value, ResumePath):
        return f'${{RECIPE_RESUME:+{flag} "$RECIPE_RESUME"}}'
    values = value if isinstance(value, tuple) else (value,)
    texts = [_word(item) for item in values]
    if len(values) == 1 and isinstance(values[0], str) and values[0].startswith("-"):
        return f"{shlex.quote(flag)}={texts[0]}"  # argparse would take the value for an option
    return " ".join([shlex.quote(flag), *texts])


def _word(value: Scalar | InputPath | FilePath | OutputPath | ResumedModel | ResumePath) -> str:
    match value:
        case InputPath(_, path, suffix):
            return shlex.quote(path + suffix)
        case FilePath(_, path):
            return shlex.quote(path)
        case OutputPath(path):
            return f'"$RECIPE_OUT/{path}"'
        case ResumedModel(model):
            return f'"${{RECIPE_RESUME:-{_in_double_quotes(model.path)}}}"'
        case _:
            return shlex.quote(plain(value))


def plain(value: object) -> str:
    """A scalar as a program reads it: `true` and `false`, and the shortest text that gives the same number."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _in_double_quotes(text: str) -> str:
    for special in ("\\", '"', "$", "`", "}"):
        text = text.replace(special, f"\\{special}")
    return text
