"""Every option of every launch against the recorded signature of its engine, without importing the engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from compiler.plan import Command, Json, Plan, StagePlan, Value, is_place
from schema.diagnostics import Diagnostic, Span
from schema.signature import FIELDS, Problem, Signature, check_options, check_rules, load, resolve

CODES = {"unknown": "R0401", "renamed": "R0401", "repeated": "R0403", "rule": "R0404"}
"""Kind of a problem → code; any other is a value that the option does not take, R0402."""


def check(plan: Plan) -> Plan:
    """The plan with what is wrong about its options."""
    found = [
        diagnostic
        for stage in plan.stages
        for command in stage.launch.commands
        if command.signature is not None
        for diagnostic in _check(plan, stage, command, load(*command.signature))
    ]
    return replace(plan, diagnostics=(*plan.diagnostics, *found))


def _check(plan: Plan, stage: StagePlan, command: Command, signature: Signature) -> Iterator[Diagnostic]:
    own = {name: _scalars(value) for name, value in command.options.items() if not is_place(value)}
    problems = [
        *check_options(signature, own.items()),
        *check_options(signature, command.passed.items()),
    ]
    yield from (_diagnostic(plan, stage, command, problem) for problem in problems)
    yield from _contradictions(plan, stage, command, signature)
    if not problems:
        resolved = {name: resolve(signature, name, value) for name, value in own.items()}
        for name, value in command.passed.items():
            found = signature.find(name)
            if found is not None:
                resolved[found[0].name] = resolve(signature, name, value)
        for problem in check_rules(signature, resolved, plan.instance.recipe.hardware.world):
            yield _diagnostic(plan, stage, command, problem)


def _scalars(value: Value) -> Json:
    return list(value) if isinstance(value, tuple) else value


def _contradictions(plan: Plan, stage: StagePlan, command: Command, signature: Signature) -> Iterator[Diagnostic]:
    """Options that are passed through although the compiler writes them."""
    for name in command.passed:
        found = signature.find(name)
        if found is None or found[0].name not in command.options:
            continue
        written = command.fields.get(found[0].name)
        field = ".".join(map(str, written)) if written else FIELDS.get(found[0].name)
        help = f"remove it, and write `{field}`" if field else "remove it"
        yield Diagnostic("R0403", f"`{name}` is an option that the compiler writes itself", help, (_place(plan, stage, command, name),))


def _diagnostic(plan: Plan, stage: StagePlan, command: Command, problem: Problem) -> Diagnostic:
    return Diagnostic(
        CODES.get(problem.kind, "R0402"),
        f"{' '.join(command.program)}: {problem.message}",
        problem.help,
        (_place(plan, stage, command, problem.option),),
        problem.severity,
    )


def _place(plan: Plan, stage: StagePlan, command: Command, option: str) -> Span:
    """Where the recipe says what an option is, or the stage."""
    path = ("engine", "args", option) if option in command.passed else command.fields.get(option, ())
    return plan.instance.at("stages", stage.name, *path)
