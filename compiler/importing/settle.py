"""Hold a draft against the language and the compiler until both agree, and compare what is compiled with what was given.

This is where import is proven: every option of the input is in the compiled command with the same value, or it is listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

from compiler.ignored import IGNORED_ENVIRONMENT, IGNORED_OPTIONS
from compiler.importing import stages
from compiler.importing.calls import Call, Calls, environment
from compiler.importing.draft import Draft, Number, Path, number, numbered
from compiler.importing.fields import SPECIAL, field_of
from compiler.importing.left import Given, Left
from compiler.importing.options import typed
from compiler.passes import CHECKING, build
from compiler.plan import Command, InputPath, Plan, ResumedModel, StagePlan, Value, is_place
from compiler.render.script import plain
from schema.checks import check
from schema.diagnostics import Diagnostic, RecipeError
from schema.load import Instance, Loaded
from schema.shape import validate
from schema.signature import FIELDS, RENAMED, near, resolve
from schema.signature.recorded import Option
from schema.signature.values import Unfit
from schema.source import parse
from schema.stages import Predict
from schema.synonyms import NOTES, VALUES
from schema.training import TrainingStage
from schema.tree import key_span, value_span

FILE = "recipe.yaml"
SAID = {
    "model": "the recipe names the model",
    "adapters": "the recipe names the stage that trains it",
    "dataset": "a stage prepares the data",
    "val_dataset": "a stage prepares the data",
    "split_dataset_ratio": "the stage that prepares the data holds rows out",
    "deepspeed": "the configuration is written beside the stage",
    "output_dir": "a stage writes to outputs/RECIPE/STAGE",
    "result_path": "a stage writes to outputs/RECIPE/STAGE",
    "load_best_model_at_end": "`checkpoints.select` says it",
    "use_hf": "`hub` of the model says it",
    "load_args": "what the checkpoint's own arguments said is written out",
    "load_data_args": "a stage prepares the data",
    "offload_optimizer_device": "`deepspeed` of the stage says it",
    "offload_param_device": "`deepspeed` of the stage says it",
    "mixed_precision": "`dtype` of the model and `precision` of the stage say it",
}
"""Options that a recipe says in other words: the compiled command has another value of them, or none."""
SWIFT_ENV = {"NODE_RANK": "cluster", "MASTER_ADDR": "cluster", "MASTER_PORT": "cluster"}
OPEN = frozenset({"max_new_tokens", "temperature", "top_p", "top_k", "repetition_penalty", "max_length"})
"""Options without a recorded default that change the result all the same."""


class Unplaceable(Exception):
    """A stage that cannot be what its call says."""

    def __init__(self, stage: str | None, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.stage, self.diagnostic = stage, diagnostic


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
            wrong = built.stages.get(unplaceable.stage or "") or next(iter(built.stages.values()))
            refused[next(i for i, call in enumerate(found.calls) if call is wrong)] = str(unplaceable)
            continue
        left = [*found.left, *built.draft.left, *_compared(built, plan)]
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
            if not call.trainer:
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
        places = [paths.get(span.line, ()) for error in errors for span in error.spans]
        stage = next((str(path[1]) for path in places if path[:1] == ("stages",) and len(path) > 1), None)
        raise Unplaceable(stage, errors[0] if errors else Diagnostic("R0730", "the compiler gives no plan"))


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
    if not isinstance(stage.stage, (TrainingStage, Predict)):
        return
    command = stage.launch.commands[0]
    placed = {id(entry.given) for entry in built.draft.placed.values() if entry.given is not None}
    for given in call.given.values():
        option = call.signature.options.get(given.name)
        if option is None or given.odd or given.name in command.options or id(given) in placed or given.name in SAID:
            continue
        if call.trainer and not option.owner.startswith("transformers."):
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
    for option, compiled in _undecided(stage.launch.commands[0], call):
        path = None if option.name in SPECIAL else field_of(option.name, stage.kind, name, built.models[name])
        if path is None or isinstance(path[-1], int) or option.default is None:
            continue
        around = [path[:end] for end in range(len(path), 1, -1)]
        if compiled != option.default and not any(part in built.draft.placed for part in around):
            default = option.default
            built.draft.put(path, number(repr(default)) if isinstance(default, float) else default, default=True)


def _undecided(command: Command, call: Call) -> Iterator[tuple[Option, Any]]:
    """The options that the compiler writes with a value of its own, and the input does not give."""
    for name, value in command.options.items():
        option = call.signature.options.get(name)
        if option is not None and name not in call.given and not is_place(value):
            yield option, resolve(call.signature, name, _scalars(value))


# What became of the input


def _compared(built: stages.Built, plan: Plan) -> Iterator[Left]:
    """What of the options and the environment is not in the compiled commands, or in other words."""
    seen: dict[int, Left | None] = {}
    for name, call in built.stages.items():
        stage = plan.stage(name)
        for given in call.given.values():
            if (left := _outcome(built, stage, call, given)) is not None:
                yield left
            elif given.renamed:
                yield given.left(given.renamed, "R0735")
        for variable, given in environment(call).items():
            left = _outcome_of_variable(built, stage, variable, given)
            key = hash((given.place, variable))
            if key not in seen or left is None:
                seen[key] = left
        yield from _decided(built, stage, call)
    yield from (left for left in seen.values() if left is not None)


def _outcome(built: stages.Built, stage: StagePlan, call: Call, given: Given) -> Left | None:
    """None when the compiled command has the option with the same value."""
    if given.odd:
        return given.left(given.odd)
    command = stage.launch.commands[0]
    option = call.signature.options.get(given.name)
    placed = [path for path, entry in built.draft.placed.items() if entry.given is given]
    told = f"the recipe says it: `{_shown(placed[0])}`" if placed else ""
    if option is None:
        if placed or _launcher_said(given, stage):
            return given.left(told or SAID[given.name], "R0735")
        return given.left(_unknown(call, given))
    try:
        value = typed(call.signature, given) if not (call.trainer and not given.values) else True
    except Unfit as unfit:
        return given.left(unfit.reason)
    if _has(command, call, given.name, value):
        return None
    if given.name in IGNORED_OPTIONS and given.name not in built.draft.refused:
        return given.left(SAID.get(given.name, f"it cannot change the result: {IGNORED_OPTIONS[given.name]}"), "R0735")
    if value == option.default and given.name not in command.options and given.name not in command.passed:
        return given.left("it is the engine's own default", "R0735")
    refused = next((why for path, why in built.draft.refused.items() if _is_about(path, given, stage, built)), "")
    if refused:
        return given.left(refused)
    if given.name in command.options and given.name not in SAID:
        compiled = command.options[given.name]
        if placed and _means(value, compiled):
            return given.left(told, "R0735")
        return given.left(f"the compiled command has `{_text(compiled)}`")
    if given.name in command.passed:
        return given.left(f"the compiled command has `{_text(command.passed[given.name])}`")
    if placed:
        return given.left(told, "R0735")
    return _elsewhere(built, stage, given)


def _launcher_said(given: Given, stage: StagePlan) -> bool:
    """Whether the compiled launch does what a launcher's option says, for which ms-swift has none."""
    options, training = stage.launch.commands[0].options, stage.stage
    if given.name == "mixed_precision":
        formats = {"bf16": (True, False), "fp16": (False, True), "no": (False, False)}
        return (options.get("bf16"), options.get("fp16")) == formats.get(given.value)
    if given.name.startswith("offload_") and isinstance(training, TrainingStage):
        return given.value in ("none", "cpu") and (given.value == "cpu") == str(training.deepspeed).endswith("-offload")
    return False


def _elsewhere(built: stages.Built, stage: StagePlan, given: Given) -> Left:
    """An option that is said in other words, or nowhere."""
    structural = given.name in SAID and given.name not in ("deepspeed", "use_hf", "split_dataset_ratio")
    if structural and not (given.name == "load_best_model_at_end" and given.value.lower() == "true"):
        return given.left(SAID[given.name], "R0735")
    if given.name in ("use_hf", "split_dataset_ratio") and given.value.lower() in ("false", "0", "0.0", "no"):
        return given.left("it is the engine's own default", "R0735")
    note = NOTES.get(given.name)
    return given.left(note.partition(": ")[2] or note, "R0735") if note else given.left("no field says it")


def _is_about(path: Path, given: Given, stage: StagePlan, built: stages.Built) -> bool:
    """Whether a refused path is where an option was put."""
    if path == ("stages", stage.name, "engine", "args", given.name):
        return True
    return path == field_of(given.name, stage.kind, stage.name, built.models[stage.name])


def _has(command: Command, call: Call, name: str, value: object) -> bool:
    if name in command.passed:
        return bool(resolve(call.signature, name, command.passed[name]) == value)
    if name not in command.options:
        return False
    compiled = command.options[name]
    if is_place(compiled):
        return _text(compiled) == (" ".join(map(str, value)) if isinstance(value, list) else str(value))
    return bool(resolve(call.signature, name, _scalars(compiled)) == value)


def _scalars(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _means(value: object, compiled: Value) -> bool:
    """Whether a value is another name of the compiled one."""
    return isinstance(value, str) and VALUES.get(value) == compiled


def _text(value: Any) -> str:
    match value:
        case tuple():
            return " ".join(_text(item) for item in value)
        case ResumedModel(model):
            return _text(model)
        case InputPath(_, path, suffix):
            return path + suffix
    return str(getattr(value, "path", plain(value)))


def _unknown(call: Call, given: Given) -> str:
    bare = given.written.lstrip("-").replace("-", "_")
    if call.trainer:
        return "no field says it, and it is no argument of transformers' trainer"
    close = near(bare, call.signature.options)
    hint = f"; did you mean `{close[0]}`?" if close else ""
    renamed = RENAMED.get(bare)
    if renamed in call.signature.options:
        hint = f"; `{renamed}` took its place, and means something else"
    return f"{call.program} has no such option{hint}"


def _outcome_of_variable(built: stages.Built, stage: StagePlan, name: str, given: Given) -> Left | None:
    if given.odd:
        return given.left(given.odd, "R0734")
    shown = given.written
    if stage.launch.env.get(shown) == given.value:
        return None
    for path, entry in built.draft.placed.items():
        if entry.given is not None and entry.given.place == given.place and entry.given.name == name:
            return given.left(f"the recipe says it: `{_shown(path)}`", "R0735")
    refused = built.draft.refused.get(field_of(name, stage.kind, stage.name, built.models[stage.name]) or ())
    if refused:
        return given.left(refused, "R0734")
    if shown == "CUDA_VISIBLE_DEVICES":
        return given.left("`recipe run --gpus` chooses the GPUs", "R0735")
    if shown in SWIFT_ENV:
        return given.left("the cluster sets it when the recipe runs", "R0735")
    if shown in IGNORED_ENVIRONMENT:
        return given.left(f"it cannot change the result: {IGNORED_ENVIRONMENT[shown]}", "R0735")
    return given.left("recipes have no field for this variable of the environment", "R0734")


def _decided(built: stages.Built, stage: StagePlan, call: Call) -> Iterator[Left]:
    """What the input leaves to the engine, and the recipe decides otherwise."""
    told = list(_said_by_others(built, stage, call))
    if told:
        reason = f"another command says it, and in a recipe it holds here too: {', '.join(told)}"
        yield Left("R0735", call.place, call.program, reason)
    told = []
    for option, compiled in _undecided(stage.launch.commands[0], call):
        if option.name in IGNORED_OPTIONS or option.name in SAID:
            continue
        if call.trainer:
            if option.name in FIELDS and option.name not in ("model_type", "template", "seed", "data_seed"):
                told.append(f"{option.name} {_text(stage.launch.commands[0].options[option.name])}")
        elif option.default != compiled and (option.default is not None or option.name in OPEN):
            engine = "open" if option.default is None else plain(option.default)
            told.append(f"{option.name} {_text(stage.launch.commands[0].options[option.name])} (engine: {engine})")
    if told:
        whose = "the script's own defaults are not known" if call.trainer else "the engine has another default"
        reason = f"not given, and decided by the recipe, where {whose}: {', '.join(told)}"
        yield Left("R0735", call.place, call.program, reason)


def _said_by_others(built: stages.Built, stage: StagePlan, call: Call) -> Iterator[str]:
    """What holds for a model, the hardware or the whole recipe, and was put there for another command."""
    own = {given.place for given in (*call.given.values(), *environment(call).values())}
    model = built.models[stage.name]
    for path, placed in built.draft.placed.items():
        shared = (
            path[:1] == ("seed",) or path[:2] == ("models", model) or (path[0] == "hardware" and call.kind != "merge")
        )
        if shared and placed.given is not None and placed.given.place not in own:
            yield f"`{_shown(path)}` of line {placed.given.place.line}"


def _shown(path: Path) -> str:
    return ".".join(map(str, path))


__all__ = ["Imported", "Number", "settle"]
