"""The commands of two stages option by option, and generated files line by line."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff
from typing import Any

from compiler.diff.model import ABSENT, FileChange, OptionChange
from compiler.diff.stages import same
from compiler.ignored import IGNORED_ENVIRONMENT, IGNORED_OPTIONS
from compiler.plan import (
    Command,
    FilePath,
    InputPath,
    Json,
    OutputPath,
    Plan,
    Rest,
    ResumedModel,
    ResumePath,
    StagePlan,
)
from compiler.render import pretty
from compiler.render.dvc import pipeline_yaml
from schema.signature import load

ENVIRONMENT = "environment"


def option_changes(base: Plan, head: Plan) -> list[OptionChange]:
    """The options in which the stages that both have differ. Places in the results' folder are relative to it."""
    found: list[OptionChange] = []
    for after in head.stages:
        before = next((stage for stage in base.stages if stage.name == after.name), None)
        if before is not None:
            found += _of_stage(base, before, head, after)
    return found


def _of_stage(base: Plan, before: StagePlan, head: Plan, after: StagePlan) -> Iterator[OptionChange]:
    old, new = _programs(base, before), _programs(head, after)
    for program in dict.fromkeys([*new, *old]):
        was, now = old.get(program, {}), new.get(program, {})
        ignored = IGNORED_ENVIRONMENT if program == ENVIRONMENT else IGNORED_OPTIONS
        for name in dict.fromkeys([*now, *was]):
            values = was.get(name, ABSENT), now.get(name, ABSENT)
            if not same(*values):
                yield OptionChange(after.name, program, name, *values, name not in ignored)


def _programs(plan: Plan, stage: StagePlan) -> dict[str, dict[str, Json]]:
    """Program → its options; a program that is called again is another one."""
    found: dict[str, dict[str, Json]] = {}
    for command in stage.launch.commands:
        name = " ".join(command.program)
        again = sum(known.partition(" #")[0] == name for known in found)
        found[f"{name} #{again + 1}" if again else name] = _options(plan, command)
    env = {name: _plain(plan, value) for name, value in stage.launch.env.items()}
    return found | ({ENVIRONMENT: env} if env else {})


def _options(plan: Plan, command: Command) -> dict[str, Json]:
    options = {name: _plain(plan, value) for name, value in command.options.items()}
    signature = load(*command.signature) if command.passed and command.signature else None
    for name, value in command.passed.items():
        found = signature.find(name) if signature else None
        options[found[0].name if found else name] = value
    return options


def _plain(plan: Plan, value: Any) -> Json:
    match value:
        case tuple():
            return [_plain(plan, item) for item in value]
        case InputPath(_, path, suffix):
            return path.removeprefix(f"{plan.outputs}/") + suffix
        case FilePath(_, path):
            return path.removeprefix(f"{plan.pipeline}/")
        case OutputPath(path):
            return f"$RECIPE_OUT/{path}"
        case ResumedModel(model) | Rest(model):
            return _plain(plan, model)
        case ResumePath():
            return "$RECIPE_RESUME"
    return value


def file_changes(base: Plan, head: Plan) -> list[FileChange]:
    """Unified diffs of what no other part shows: the stages for DVC, and generated engine files.

    Another name of the recipe is no difference here: it would be one in every line.
    """
    new = _texts(head)
    old = {name: _renamed(text, base, head) for name, text in _texts(base).items()}
    return [
        FileChange(f"{head.pipeline}/{name}", diff)
        for name in dict.fromkeys([*new, *old])
        if (diff := _unified(name, old.get(name), new.get(name)))
    ]


def _texts(plan: Plan) -> dict[str, str]:
    """The files beside scripts, identities and manifest: options and stages show those already."""
    generated = {
        f"{s.name}.{name}.json": pretty(content) for s in plan.stages for name, content in s.launch.files.items()
    }
    return {"dvc.yaml": pipeline_yaml(plan), **generated}


def _renamed(text: str, base: Plan, head: Plan) -> str:
    """The text as if the recipe had the other one's name and file."""
    pairs = [(base.pipeline, head.pipeline), (base.outputs, head.outputs), (base.file, head.file)]
    for old, new in pairs:
        text = text.replace(old, new)
    return text


def _unified(name: str, before: str | None, after: str | None) -> str:
    lines = unified_diff(
        (before or "").splitlines(),
        (after or "").splitlines(),
        "/dev/null" if before is None else f"a/{name}",
        "/dev/null" if after is None else f"b/{name}",
        lineterm="",
    )
    return "\n".join(lines)
