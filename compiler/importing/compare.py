"""What became of an input: every option and variable is in the compiled command with the same value, or is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from compiler.ignored import IGNORED_ENVIRONMENT, IGNORED_OPTIONS
from compiler.importing import distillation, launchers, trl
from compiler.importing.call import Call, environment
from compiler.importing.draft import Path
from compiler.importing.fields import draft_value, field_of, gpus_in
from compiler.importing.left import Given, Left, is_secret
from compiler.importing.options import typed
from compiler.importing.stages import Built
from compiler.plan import Command, InputPath, Plan, Rest, ResumedModel, StagePlan, Value, is_place
from compiler.render.script import plain
from schema.signature import FIELDS, RENAMED, near, resolve
from schema.signature.recorded import Option
from schema.signature.values import Unfit
from schema.synonyms import NOTES, VALUES
from schema.training import TrainingStage

SAID = {
    "model": "the recipe names the model",
    "model_name_or_path": "the recipe names the model",
    "processor": "it is the model's own",
    "train_dataset": "a stage prepares the data",
    "eval_dataset": "a stage prepares the data",
    "image_folder": "rows name their pictures by paths of the project",
    "adapter": "the recipe names the stage that trains it",
    "reference_adapter": "the recipe names the stage that trains it",
    "reference_model": "the model that the stage starts from is its reference",
    "rewards": "`rewards` of the stage says it",
    "reward_files": "`rewards` of the stage says it",
    "warmup_steps": "`optimizer` of the stage says it",
    "adapters": "the recipe names the stage that trains it",
    "dataset": "a stage prepares the data",
    "val_dataset": "a stage prepares the data",
    "split_dataset_ratio": "the stage that prepares the data holds rows out",
    "ref_adapters": "the recipe names the stage that trains it",
    "ref_model": "the model that the stage starts from is its reference",
    "reward_funcs": "`rewards` of the stage says it",
    "external_plugins": "`rewards` of the stage says it",
    "deepspeed": "the configuration is written beside the stage",
    "output_dir": "a stage writes to outputs/RECIPE/STAGE",
    "result_path": "a stage writes to outputs/RECIPE/STAGE",
    "load_best_model_at_end": "`checkpoints.select` says it",
    "use_hf": "`hub` of the model says it",
    "load_args": "what the checkpoint's own arguments said is written out",
    "load_data_args": "a stage prepares the data",
    "offload_optimizer_device": "`deepspeed` of the stage says it",
    "offload_param_device": "`deepspeed` of the stage says it",
    "zero_stage": "`deepspeed` of the stage says it",
    "mixed_precision": "`dtype` of the model and `precision` of the stage say it",
}
"""Options that a recipe says in other words: the compiled command has another value of them, or none."""
BY_CLUSTER = frozenset({"NODE_RANK", "MASTER_ADDR", "MASTER_PORT"})
SECRET = "a secret stands in no recipe: set it in the environment where the recipe runs"
WHOLE = frozenset({"nnodes", "nproc_per_node", "num_processes"})
"""What launchers say of hardware, which a recipe says once."""
OPEN = frozenset({"max_new_tokens", "temperature", "top_p", "top_k", "repetition_penalty", "max_length"})
"""Options without a recorded default that change the result all the same."""


def compared(built: Built, plan: Plan) -> Iterator[Left]:
    """What of the options and the environment is not in the compiled commands, or in other words."""
    seen: dict[int, Left | None] = {}
    told = {(left.place, left.option) for left in built.draft.left if not left.said}
    for name, call in built.stages.items():
        stage = plan.stage(name)
        for given in call.given.values():
            if (left := _outcome(built, stage, call, given)) is not None:
                if not (left.said and (left.place, left.option) in told):
                    yield left
            elif given.renamed:
                yield given.left(given.renamed, "R0735")
        for given in call.launched.values():
            if (left := launchers.outcome(call, given, stage)) is not None:
                yield left
        for variable, given in environment(call).items():
            left = _outcome_of_variable(built, stage, variable, given)
            key = hash((given.place, variable))
            if key not in seen or left is None:
                seen[key] = left
        yield from _decided(built, stage, call)
    yield from (left for left in seen.values() if left is not None)


def command_of(stage: StagePlan) -> Command:
    """The command of a stage that an engine is started with."""
    commands = stage.launch.commands
    found = next((command for command in commands if command.signature is not None), commands[0])
    if found.program[:1] == ("vllm",):
        return replace(found, options={name.replace("-", "_"): value for name, value in found.options.items()})
    return found


def _outcome(built: Built, stage: StagePlan, call: Call, given: Given) -> Left | None:
    """None when the compiled command has the option with the same value."""
    if given.odd:
        return given.left(given.odd)
    if is_secret(given.name or given.written):
        return given.left(SECRET)
    command = command_of(stage)
    option = call.signature.options.get(given.name)
    placed = [path for path, entry in built.draft.placed.items() if entry.given is given]
    told = f"the recipe says it: `{_shown(placed[0])}`" if placed else ""
    if option is None and call.kind == "distill":
        if given.written.endswith("output_dir"):
            return given.left(SAID["output_dir"], "R0735")
        return None if placed else given.left(distillation.why_not(built.draft, stage.name, given))
    if option is None:
        if placed or given.name == "reward_funcs" or _launcher_said(given, stage, built):
            return given.left(told or SAID.get(given.name, "`hardware` of the recipe says it"), "R0735")
        if given.name in WHOLE:
            return given.left("`hardware` is that of the whole recipe, where another command says it")
        return given.left(_unknown(call, given))
    if call.engine == "trl" and given.name in trl.UNHEARD and given.name not in SAID:
        return given.left("the program that a recipe starts loads model and rows itself, and does not follow it")
    try:
        value = typed(call.signature, given) if not (call.trainer and not given.values) else True
    except Unfit as unfit:
        return given.left(unfit.reason)
    if _has(command, call, given.name, value):
        return None
    if value == option.default and given.name not in command.options and given.name not in command.passed:
        return given.left("it is the engine's own default", "R0735")
    refused = next((why for path, why in built.draft.refused.items() if _is_about(path, given, stage, built)), "")
    if refused:
        return given.left(refused)
    if given.name in IGNORED_OPTIONS:
        return given.left(SAID.get(given.name, f"it cannot change the result: {IGNORED_OPTIONS[given.name]}"), "R0735")
    if given.name in command.options and given.name not in SAID:
        compiled = command.options[given.name]
        if placed and _means(value, compiled):
            return given.left(told, "R0735")
        if given.name == "eval_strategy" and compiled == "no":
            return given.left("the recipe names no validation data: say which, as `evaluation: {data: …}` of the stage")
        return given.left(f"the compiled command has `{_text(compiled)}`")
    if given.name in command.passed:
        return given.left(f"the compiled command has `{_text(command.passed[given.name])}`")
    if placed:
        return given.left(told, "R0735")
    if _other(call, given, option):
        return given.left("no field says it, and ms-swift's own option of this name may mean something else")
    return _elsewhere(given, command, stage)


def _other(call: Call, given: Given, option: Option) -> bool:
    """Whether an option of another trainer may mean something else than ms-swift's of its name."""
    of_swift = call.trainer and call.engine != "trl"
    return of_swift and given.name not in SAID and not option.owner.startswith("transformers.")


def _launcher_said(given: Given, stage: StagePlan, built: Built) -> bool:
    """Whether the compiled launch does what a launcher's option says, for which ms-swift has none."""
    options, training = command_of(stage).options, stage.stage
    hardware = built.draft.placed
    nodes, gpus = (
        hardware[path].value if (path := ("hardware", name)) in hardware else 1 for name in ("nodes", "gpus")
    )
    counts = {"nnodes": nodes, "nproc_per_node": gpus, "num_processes": nodes * max(gpus, 1)}
    if given.name in counts:
        return given.value == str(counts[given.name])
    if given.name == "zero_stage" and isinstance(training, TrainingStage):
        return str(training.deepspeed).partition("-")[0] == f"zero{given.value}"
    if given.name == "mixed_precision":
        formats = {"bf16": (True, False), "fp16": (False, True), "no": (False, False)}
        return (options.get("bf16"), options.get("fp16")) == formats.get(given.value)
    if given.name.startswith("offload_") and isinstance(training, TrainingStage):
        return given.value in ("none", "cpu") and (given.value == "cpu") == str(training.deepspeed).endswith("-offload")
    return False


def _elsewhere(given: Given, command: Command, stage: StagePlan) -> Left:
    """An option that is said in other words, or nowhere."""
    if given.name == "adapters" and stage.kind in ("deploy", "quantize"):
        return given.left("a stage merges it first", "R0735")
    if given.name in ("dataset", "val_dataset", "adapters") and given.name not in command.options:
        return given.left("the compiled command has none")
    if given.name == "host" and stage.kind == "deploy":
        alone = given.value in ("127.0.0.1", "localhost")
        return given.left(
            "a recipe's server listens on this machine alone; say another address where you start it",
            "R0735" if alone else "R0732",
        )
    structural = given.name in SAID and given.name not in ("deepspeed", "use_hf", "split_dataset_ratio")
    if structural and not (given.name == "load_best_model_at_end" and given.value.lower() == "true"):
        return given.left(SAID[given.name], "R0735")
    if given.name in ("use_hf", "split_dataset_ratio") and given.value.lower() in ("false", "0", "0.0", "no"):
        return given.left("it is the engine's own default", "R0735")
    note = NOTES.get(given.name)
    return given.left(note.partition(": ")[2] or note, "R0735") if note else given.left("no field says it")


def _is_about(path: Path, given: Given, stage: StagePlan, built: Built) -> bool:
    """Whether a refused path is where an option was put."""
    if path == ("stages", stage.name, "engine", "args", given.name):
        return True
    return path == field_of(
        given.name, stage.kind, stage.name, built.models[stage.name], built.stages[stage.name].engine
    )


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
        case ResumedModel(model) | Rest(model):
            return _text(model)
        case InputPath(_, path, suffix):
            return path + suffix
    return str(getattr(value, "path", plain(value)))


def _unknown(call: Call, given: Given) -> str:
    bare = given.written.lstrip("-").replace("-", "_")
    if call.trainer:
        whose = "transformers' trainer or of TRL's" if call.engine == "trl" else "transformers' trainer"
        return f"no field says it, and it is no argument of {whose}"
    whose = f"TRL's trainer for `{call.stage}`" if call.engine == "trl" else call.program
    close = near(bare, call.signature.options)
    hint = f"; did you mean `{close[0]}`?" if close else ""
    renamed = RENAMED.get(bare)
    if renamed in call.signature.options:
        hint = f"; `{renamed}` took its place, and means something else"
    return f"{whose} has no such option{hint}"


def _outcome_of_variable(built: Built, stage: StagePlan, name: str, given: Given) -> Left | None:
    if given.odd:
        return given.left(given.odd, "R0734")
    if is_secret(name):
        return given.left(SECRET, "R0734")
    shown = given.written
    if stage.launch.env.get(shown) == given.value:
        return None
    for path, entry in built.draft.placed.items():
        if entry.given is not None and entry.given.place == given.place and entry.given.name == name:
            return given.left(f"the recipe says it: `{_shown(path)}`", "R0735")
    refused = built.draft.refused.get(field_of(name, stage.kind, stage.name, built.models[stage.name], "") or ())
    if refused:
        return given.left(refused, "R0734")
    if shown == "CUDA_VISIBLE_DEVICES" and gpus_in(given.value) > max(_gpus(built), 1) and stage.kind != "merge":
        reason = "one process saw several GPUs there; a recipe gives each process one, and says how many in `hardware`"
        return given.left(reason, "R0734")
    if shown == "CUDA_VISIBLE_DEVICES":
        return given.left("`recipe run --gpus` chooses the GPUs", "R0735")
    if shown in BY_CLUSTER:
        return given.left("the cluster sets it when the recipe runs", "R0735")
    if shown in IGNORED_ENVIRONMENT:
        return given.left(f"it cannot change the result: {IGNORED_ENVIRONMENT[shown]}", "R0735")
    return given.left("recipes have no field for this variable of the environment", "R0734")


def _gpus(built: Built) -> int:
    gpus = draft_value(built.draft, ("hardware", "gpus"), 1)
    return gpus if isinstance(gpus, int) else 1


def _decided(built: Built, stage: StagePlan, call: Call) -> Iterator[Left]:
    """What the input leaves to the engine, and the recipe decides otherwise."""
    told = list(_said_by_others(built, stage, call))
    if told:
        reason = f"another command says it, and in a recipe it holds here too: {', '.join(told)}"
        yield Left("R0735", call.place, call.program, reason)
    told = [
        text
        for option, compiled in undecided(command_of(stage), call)
        if (text := _open(built, stage, call, option, compiled))
    ]
    if told:
        whose = "the script's own defaults are not known" if call.trainer else "the engine has another default"
        reason = f"not given, and decided by the recipe, where {whose}: {', '.join(told)}"
        yield Left("R0735", call.place, call.program, reason)


def _open(built: Built, stage: StagePlan, call: Call, option: Option, compiled: Any) -> str:
    """An option that the recipe decides, and what the engine would do; empty where there is nothing to tell."""
    if option.name in IGNORED_OPTIONS or option.name in SAID or option.name == "use_cpu":
        return ""
    path = field_of(option.name, stage.kind, stage.name, built.models[stage.name], call.engine)
    placed = built.draft.placed.get(path or ())
    of_evaluation = path is not None and path[2:3] == ("evaluation",)
    if call.engine == "trl" and (
        (placed is not None and (placed.default or option.owner.startswith("runners.")))
        or (of_evaluation and ("stages", stage.name, "evaluation", "data") not in built.draft.placed)
    ):
        return ""
    text = f"{option.name} {_text(command_of(stage).options[option.name])}"
    known = not call.trainer or (call.engine == "trl" and option.owner.startswith("transformers."))
    if not known:
        named = option.name in FIELDS and option.name not in ("model_type", "template", "seed", "data_seed")
        return text if named else ""
    open_ = trl.OPEN if call.engine == "trl" else OPEN
    if option.default == compiled or (option.default is None and option.name not in open_):
        return ""
    return f"{text} (engine: {'open' if option.default is None else plain(option.default)})"


def _said_by_others(built: Built, stage: StagePlan, call: Call) -> Iterator[str]:
    """What holds for a model, the hardware or the whole recipe, and was put there for another command."""
    own = {given.place for given in (*call.given.values(), *environment(call).values())}
    model = built.models[stage.name]
    for path, placed in built.draft.placed.items():
        shared = (
            path[:1] == ("seed",) or path[:2] == ("models", model) or (path[0] == "hardware" and stage.kind != "merge")
        )
        if shared and placed.given is not None and placed.given.place not in own:
            place = placed.given.place
            yield f"`{_shown(path)}` of {PurePath(place.file).name}:{place.line}"


def _shown(path: Path) -> str:
    return ".".join(map(str, path))


def undecided(command: Command, call: Call) -> Iterator[tuple[Option, Any]]:
    """The options that the compiler writes with a value of its own, and the input does not give."""
    for name, value in command.options.items():
        option = call.signature.options.get(name)
        if option is not None and name not in call.given and not is_place(value):
            yield option, resolve(call.signature, name, _scalars(value))
