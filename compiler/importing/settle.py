"""Hold a draft against the language and the compiler until both agree, and compare what is compiled with what was given.

This is where import is proven: every option of the input is in the compiled command with the same value, or it is listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as File

from compiler.importing import stages
from compiler.importing.call import Call, Calls
from compiler.importing.compare import SAID, command_of, compared, undecided
from compiler.importing.draft import Draft, Path, number, numbered
from compiler.importing.fields import draft_value, field_of, is_special
from compiler.importing.left import Given, Left, is_secret
from compiler.importing.options import typed
from compiler.importing.trl import UNHEARD, whole
from compiler.passes import CHECKING, build
from compiler.plan import Plan
from schema.checks import check
from schema.diagnostics import Diagnostic, RecipeError
from schema.load import Instance, Loaded
from schema.shape import validate
from schema.signature.recorded import Option
from schema.signature.values import Unfit
from schema.source import parse
from schema.stages import Deploy, Predict, Quantize
from schema.training import TrainingStage
from schema.tree import key_span, value_span

FILE = "recipe.yaml"


class Unplaceable(Exception):
    """Stages that cannot be what their calls say."""

    def __init__(self, stages: set[str], diagnostic: Diagnostic) -> None:
        super().__init__(f"{diagnostic.message}; {diagnostic.help}" if diagnostic.help else diagnostic.message)
        self.stages = stages


@dataclass(frozen=True, slots=True)
class Imported:
    """A recipe that validates, and everything of the input that is not in it or said in other words."""

    draft: Draft
    plan: Plan
    left: tuple[Left, ...]
    stages: Mapping[str, Call]


def settle(found: Calls, name: str, description: str, folder: File) -> Imported | tuple[Left, ...]:
    """The recipe that calls become; only what is left where no call can become a stage."""
    refused: dict[int, str] = {}
    while True:
        built = stages.build(found.calls, name, description, folder, refused)
        if not built.stages:
            return _sorted([*found.left, *built.draft.left])
        try:
            plan = _agree(built)
        except Unplaceable as unplaceable:
            wrong = [built.stages[name] for name in unplaceable.stages or built.stages]
            numbers = (number for number, call in enumerate(found.calls) if any(call is one for one in wrong))
            refused |= dict.fromkeys(numbers, str(unplaceable))
            continue
        left = [*found.left, *built.draft.left, *compared(built, plan)]
        return Imported(built.draft, plan, _sorted(left), built.stages)


def _sorted(left: Sequence[Left]) -> tuple[Left, ...]:
    return tuple(sorted(dict.fromkeys(left), key=lambda item: (item.place, item.code, item.reason)))


# The language and the compiler


def _agree(built: stages.Built) -> Plan:
    """The plan of a draft, after everything is taken back that cannot stand there and the engine's defaults are added."""
    while True:
        plan = _without_errors(built)
        size = len(built.draft.placed)
        for stage, call in built.stages.items():
            _pass_through(built, plan, stage, call)
            if call.engine == "trl" or not call.trainer:
                _defaults(built, plan, stage, call)
        if len(built.draft.placed) == size:
            return plan


def _without_errors(built: stages.Built) -> Plan:
    while True:
        text, paths = numbered(built.draft)
        plan, errors = _planned(text)
        if plan is not None and not errors:
            return plan
        _take_back(built, errors, paths)


def _planned(text: str) -> tuple[Plan | None, list[Diagnostic]]:
    """The plan of a recipe's text, and what is wrong with it."""
    try:
        tree = parse(text, FILE)
        recipe = validate(tree)
        findings = check(recipe, lambda *path: value_span(tree, path), lambda *path: key_span(tree, path))
        instance = Instance(recipe, None, tree, tuple(findings))
        plan = build(Loaded(File(), FILE, (FILE,), (instance,)), None, CHECKING)
    except RecipeError as error:
        return None, [found for found in error.diagnostics if found.severity == "error"]
    return plan, [found for found in plan.diagnostics if found.severity == "error"]


def _take_back(built: stages.Built, errors: Sequence[Diagnostic], paths: Mapping[int, Path]) -> None:
    """Refuse the values that errors are about. Errors: Unplaceable when there is none."""
    draft, taken = built.draft, False
    for error in errors:
        wrong = [path for span in error.spans[:1] for path in _culprits(draft, paths.get(span.line, ()))]
        wrong = wrong or [path for span in error.spans[1:] for path in _culprits(draft, paths.get(span.line, ()))]
        for path in wrong:
            if path in draft.placed:
                draft.refuse(path, error.message)
                taken = True
    if not taken:
        places = [paths.get(span.line, ()) for error in errors for span in error.spans[:1]]
        stages_ = {stage for path in places if len(path) > 1 for stage in _users(built, path)}
        raise Unplaceable(stages_, errors[0] if errors else Diagnostic("R0730", "the compiler gives no plan"))


def _users(built: stages.Built, path: Path) -> Iterator[str]:
    """The stages of calls that a place in the recipe belongs to: their own, their model's, or that of their data."""
    section, name = path[:2]
    placed = built.draft.placed
    if section == "models":
        yield from (stage for stage, model in built.models.items() if model == name)
    elif section == "datasets":
        for known, entry in list(placed.items()):
            if known[2:] == ("dataset",) and entry.value == name:
                yield from _users(built, known)
    elif name in built.stages:
        yield str(name)
    elif section == "stages":
        for known, entry in list(placed.items()):
            if known[0] == "stages" and known[1] in built.stages and f"{name}." in str(entry.value):
                yield str(known[1])


def _culprits(draft: Draft, path: Path) -> list[Path]:
    """What the input put at a path, below it, or around it."""
    if not path:
        return []
    below = [known for known in draft.below(*path) if _optional(draft, known)]
    around = [path[:end] for end in range(len(path) - 1, 1, -1) if path[:end] in draft.placed]
    return below or [known for known in around if _optional(draft, known)]


def _optional(draft: Draft, path: Path) -> bool:
    placed = draft.placed[path]
    return placed.given is not None or placed.default


def _pass_through(built: stages.Built, plan: Plan, name: str, call: Call) -> None:
    """Put options under `engine.args` that no field says and the compiler does not write itself."""
    stage = plan.stage(name)
    if not isinstance(stage.stage, (TrainingStage, Predict, Quantize, Deploy)) or call.engine == "vllm":
        return
    command = command_of(stage)
    placed = {id(entry.given) for entry in built.draft.placed.values() if entry.given is not None}
    for given in call.given.values():
        option = call.signature.options.get(given.name)
        if (
            option is None
            or given.odd
            or is_secret(given.name)
            or given.name in command.options
            or id(given) in placed
            or given.name in SAID
            or (given.name == "host" and stage.kind == "deploy")
        ):
            continue
        if call.trainer and call.engine != "trl" and not option.owner.startswith("transformers."):
            continue
        if call.engine == "trl" and given.name in UNHEARD:
            continue
        try:
            value = _argument(option, typed(call.signature, given), given)
        except Unfit:
            continue
        built.draft.put(("stages", name, "engine", "args", given.name), value, given)


def _argument(option: Option, value: object, given: Given) -> object:
    """A value as `engine.args` takes it."""
    if option.type in ("comma_list", "on_off_list"):
        return given.value
    if option.type in ("int", "float") and not option.many:
        return number(given.value)
    return value


def _defaults(built: stages.Built, plan: Plan, name: str, call: Call) -> None:
    """Write the engine's default into a field whose own default is another: the input meant the engine's."""
    stage = plan.stage(name)
    evaluates = draft_value(built.draft, ("stages", name, "evaluation", "data"))
    for option, compiled in undecided(command_of(stage), call):
        path = None
        if not is_special(call, option.name):
            path = field_of(option.name, stage.kind, name, built.models[name], call.engine)
        if path is None or option.default is None or (call.trainer and not option.owner.startswith("transformers.")):
            continue
        if call.engine == "trl" and path[2:3] == ("evaluation",) and not evaluates:
            continue
        if path[0] != "stages" and call.engine == "vllm":
            continue
        if isinstance(path[-1], int):
            if call.engine == "trl":
                _pair(built.draft, path, option.default, call)
            continue
        around = [path[:end] for end in range(len(path), 1, -1)]
        if compiled != option.default and not any(part in built.draft.placed for part in around):
            built.draft.put(path, whole(option.default), default=True)


def _pair(draft: Draft, path: Path, default: float, call: Call) -> None:
    """One number of a pair by the engine's default, where the input gives none."""
    above, place = path[:-1], int(path[-1])
    if above in draft.refused:
        return
    known = draft.placed.pop(above, None)
    pair = list(known.value) if known else [0.9, 0.95]
    pair[place] = whole(default)
    draft.put(above, pair, known.given if known else None, default=known is None or known.default)
