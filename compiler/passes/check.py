"""Every option of every launch against the recorded signature of its engine, without importing the engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from compiler.backends.older import OLDER
from compiler.plan import Command, Json, Plan, StagePlan, Value, is_place
from schema.diagnostics import Diagnostic, Span
from schema.signature import FIELDS, PLUGINS, Problem, Signature, check_options, check_rules, load, resolve

CODES = {"unknown": "R0401", "renamed": "R0401", "repeated": "R0403", "rule": "R0404"}
"""Kind of a problem → code; any other is a value that the option does not take, R0402."""


def check(plan: Plan) -> Plan:
    """The plan with what is wrong about its options."""
    found = [
        diagnostic
        for stage in plan.stages
        for command in with_launchers(stage.launch.commands)
        if command.signature is not None
        for diagnostic in _check(plan, stage, command, load(*command.signature))
    ]
    return replace(plan, diagnostics=(*plan.diagnostics, *found))


def with_launchers(commands: Iterable[Command]) -> Iterator[Command]:
    """The commands, each with what starts it in front of it."""
    for command in commands:
        if command.launcher is not None:
            yield command.launcher
        yield command


def _check(plan: Plan, stage: StagePlan, command: Command, signature: Signature) -> Iterator[Diagnostic]:
    own = {name: _scalars(value) for name, value in command.options.items() if not is_place(value)}
    contradictions = {name for name in command.passed if _written(command, signature, name)}
    passed = {name: value for name, value in command.passed.items() if name not in contradictions}
    loaded = {name: name for name in command.options if name in PLUGINS}  # a plugin brings names of its own
    problems = [*check_options(signature, (own | loaded).items()), *check_options(signature, passed.items())]
    problems += check_options(signature, command.watch.items())
    yield from (_diagnostic(plan, stage, command, problem) for problem in problems)
    yield from (_contradiction(plan, stage, command, signature, name) for name in sorted(contradictions))
    severities = [*(problem.severity for problem in problems), *(finding.severity for finding in plan.diagnostics)]
    if "error" not in severities and not contradictions:
        resolved = {name: resolve(signature, name, value) for name, value in own.items()}
        resolved |= {name: _path(value) for name, value in command.options.items() if is_place(value)}
        for name, value in command.passed.items():
            found = signature.find(name)
            if found is not None:
                resolved[found[0].name] = resolve(signature, name, value)
        for problem in check_rules(signature, resolved, plan.instance.recipe.hardware.world):
            yield _diagnostic(plan, stage, command, problem)


def _scalars(value: Value) -> Json:
    return list(value) if isinstance(value, tuple) else value


def _path(value: Any) -> Json:
    """What stands for a place in rules: data is given, a file has its ending."""
    if isinstance(value, tuple):
        return [_path(item) for item in value]
    return getattr(value, "path", None)


def _written(command: Command, signature: Signature, name: str) -> str | None:
    """The option that a passed name means, if the compiler writes it, or would when a field of stage or model said so."""
    found = signature.find(name)
    if found is None:
        return None
    option = found[0].name
    if option in PLUGINS and option not in command.options:
        return None
    field = FIELDS.get(option, "datasets.")  # what a data set says is in its rows, beside the engine's own default
    written = {name.replace("-", "_") for name in command.options}
    return option if option in written or not field.startswith("datasets.") else None


def _contradiction(plan: Plan, stage: StagePlan, command: Command, signature: Signature, name: str) -> Diagnostic:
    option = _written(command, signature, name) or name
    written = command.fields.get(option)
    field = ".".join(map(str, written)) if written else FIELDS.get(option)
    help = f"remove it, and write `{field}`" if field else "remove it"
    place = _place(plan, stage, command, name)
    return Diagnostic("R0403", f"`{name}` is an option that the compiler writes itself", help, (place,))


def _diagnostic(plan: Plan, stage: StagePlan, command: Command, problem: Problem) -> Diagnostic:
    program = " ".join(command.program)
    help = problem.help
    if problem.option in command.options and problem.kind != "rule" and (older := _older(command)):
        help = (
            f"the release of the engine in `{older}` is older: name another toolchain, where it runs the model, "
            f"or leave out what says this of `kind: {stage.kind}`"
        )
    return Diagnostic(
        CODES.get(problem.kind, "R0402"),
        problem.message if problem.message.startswith(program) else f"{program}: {problem.message}",
        help,
        (_place(plan, stage, command, problem.option),),
        problem.severity,
    )


def _older(command: Command) -> str | None:
    """The toolchain of a command whose engine is older than that which the backends write for."""
    match command.signature:
        case (engine, _, within) if (within, engine) in OLDER:
            return within
    return None


def _place(plan: Plan, stage: StagePlan, command: Command, option: str) -> Span:
    """Where the recipe says what an option is, or the stage."""
    path = ("engine", "args", option) if option in command.passed else command.fields.get(option, ())
    return plan.instance.at("stages", stage.name, *path)
