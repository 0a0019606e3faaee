"""The toolchain of every stage, which has to hold its engine and the packages that its model asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from compiler.backends.older import mixed, spelled, unread
from compiler.passes.identity import needed
from compiler.plan import Command, Plan, StagePlan, Value
from schema.diagnostics import Diagnostic, Span
from schema.signature import ModelEntry, find_model, load, toolchain, unmet_requirements
from schema.toolchain import DEFAULT, NAMES


def toolchains(plan: Plan) -> Plan:
    """Every stage with its toolchain and its commands with that toolchain's signatures, and what it cannot run."""
    recipe = plan.instance.recipe
    stages = tuple(replace(stage, toolchain=recipe.toolchain_of(stage.name)) for stage in plan.stages)
    rules = (_lacks, _model, _pictures, _precision)
    found = [problem for stage in stages for rule in rules for problem in rule(plan, stage)]
    stages = tuple(_signed(stage) for stage in stages)
    return replace(plan, stages=stages, diagnostics=(*plan.diagnostics, *found))


def _signed(stage: StagePlan) -> StagePlan:
    if stage.toolchain == DEFAULT:
        return stage

    def signed(commands: Iterable[Command]) -> tuple[Command, ...]:
        return tuple(_with_signature(command, stage.toolchain) for command in commands)

    launch = stage.launch
    beside = {name: signed(commands) for name, commands in launch.beside.items()}
    return replace(stage, launch=replace(launch, commands=signed(launch.commands), beside=beside))


def _with_signature(command: Command, within: str) -> Command:
    """The command with the signature of its toolchain; without one where none is recorded, which is an error."""
    launcher = _with_signature(command.launcher, within) if command.launcher else None
    engine = _engine(command)
    if engine is None or not _is_recorded(engine, within):
        return replace(command, signature=None, launcher=launcher)
    command = spelled(command, engine, within)
    options = {name: value for name, value in command.options.items() if not _is_newer(engine, within, name, value)}
    return replace(command, options=options, signature=(*engine, within), launcher=launcher)


def _is_newer(engine: tuple[str, str], within: str, name: str, value: Value) -> bool:
    """Whether an option says what its engine does anyway, and came later than the engine of this toolchain."""
    known = load(*engine).find(name) if _is_recorded(engine, DEFAULT) else None
    return load(*engine, within).find(name) is None and known is not None and known[0].default == value


def _engine(command: Command) -> tuple[str, str] | None:
    return (command.signature[0], command.signature[1]) if command.signature else None


def _is_recorded(engine: tuple[str, str], within: str) -> bool:
    try:
        load(*engine, within)
    except LookupError:
        return False
    return True


def _lacks(plan: Plan, stage: StagePlan) -> Iterator[Diagnostic]:
    """R0340, R0341: the toolchain does not hold what the stage runs, or nothing is recorded of what it accepts."""
    wanted = needed(stage)
    if missing := sorted(wanted - toolchain(stage.toolchain).keys()):
        message = f"`{stage.name}` runs with {_listed(missing)}, which the toolchain `{stage.toolchain}` does not hold"
        holding = [name for name in NAMES if not _lacking(stage, name)]
        help = f"write {_choices(holding)} in the stage" if holding else "no toolchain holds all that it needs"
        yield Diagnostic("R0340", message, help, (_place(plan, stage),))
        return
    for engine in _engines(stage):
        if not _is_recorded(engine, stage.toolchain):
            message = f"nothing is recorded of what {' '.join(engine)} accepts in the toolchain `{stage.toolchain}`"
            holding = [name for name in NAMES if _is_recorded(engine, name)]
            yield Diagnostic("R0341", message, f"write {_choices(holding)} in the stage", (_place(plan, stage),))


def _engines(stage: StagePlan) -> tuple[tuple[str, str], ...]:
    """Engine and command of each program of a stage whose options are checked."""
    commands = [one for command in stage.launch.commands for one in (command.launcher, command) if one]
    return tuple(dict.fromkeys(filter(None, map(_engine, commands))))


def _lacking(stage: StagePlan, within: str) -> list[str]:
    """What a stage runs with and a toolchain does not hold, or holds in a release of which nothing is recorded."""
    unrecorded = {engine[0] for engine in _engines(stage) if not _is_recorded(engine, within)}
    return sorted(unrecorded | (needed(stage) - toolchain(within).keys()))


def _model(plan: Plan, stage: StagePlan) -> Iterator[Diagnostic]:
    """R0342: the model's own code asks for versions that the toolchain does not have."""
    entry = _entry(stage)
    unmet = unmet_requirements(entry, stage.toolchain) if entry else {}
    if entry is None or not unmet:
        return
    assert stage.model is not None
    versions = toolchain(stage.toolchain)
    has = ", ".join(f"{name} {versions[name]}" for name in unmet)
    asks = ", ".join(unmet.values())
    message = f"`{stage.model.spec.id}` asks for {asks}, and the toolchain `{stage.toolchain}` has {has}"
    span = replace(plan.instance.at("models", stage.model.name, "id"), label=f"the model of `{stage.name}`")
    yield Diagnostic("R0342", message, _other(stage, entry), (_place(plan, stage), span))


def _pictures(plan: Plan, stage: StagePlan) -> Iterator[Diagnostic]:
    """R0343: pictures that stand beside the prepared rows, and an engine that looks for all pictures in the project."""
    unseen = {name for engine in _engines(stage) for name in unread(engine, stage.toolchain)}
    if "ROOT_IMAGE_DIR" in unseen & stage.launch.env.keys():
        message = f"the toolchain `{stage.toolchain}` does not find the pictures of `{stage.name}`, made with its data"
        help = "name a data set whose pictures are files of the project, such as `kind: image-folder`"
        yield Diagnostic("R0343", message, help, (_place(plan, stage),))


def _precision(plan: Plan, stage: StagePlan) -> Iterator[Diagnostic]:
    """R0345: an engine that trains in another precision than it is told."""
    for command in stage.launch.commands:
        engine = _engine(command)
        turned_on = engine and mixed(command, engine, stage.toolchain)
        if turned_on and stage.model is not None:
            dtype = stage.model.spec.dtype
            message = f"the toolchain `{stage.toolchain}` trains weights in {dtype} in {_FORMATS[turned_on]}, always"
            help = "write `dtype: bfloat16` in the model, without another `precision`"
            span = plan.instance.at("models", stage.model.name, "dtype")
            yield Diagnostic("R0345", message, help, (replace(span, label=f"the model of `{stage.name}`"),))


_FORMATS = {"bf16": "bfloat16", "fp16": "float16"}


def _entry(stage: StagePlan) -> ModelEntry | None:
    """What is registered of a stage's model, by its id or else by any model of its type."""
    if stage.model is None or stage.model.spec.tiny:
        return None
    found = [entry for entry in find_model(stage.model.spec.id) if entry.model_type == stage.model.type]
    return found[0] if found else None


def _other(stage: StagePlan, entry: ModelEntry) -> str:
    """Which toolchain would run the model, and whether this stage's engine is part of it."""
    meeting = [name for name in NAMES if not unmet_requirements(entry, name)]
    running = [name for name in meeting if not _lacking(stage, name)]
    if running:
        return f"write {_choices(running)}"
    if meeting:
        lacking = _listed(_lacking(stage, meeting[0]))
        return f"the toolchain `{meeting[0]}` would run it, without {lacking}: choose an engine that it holds"
    return "no toolchain has these versions; name a newer model"


def _place(plan: Plan, stage: StagePlan) -> Span:
    """Where the recipe names the toolchain, or the stage."""
    recipe, at = plan.instance.recipe, plan.instance.at
    if stage.stage.toolchain or not recipe.toolchain:
        return at("stages", stage.name, *(("toolchain",) if stage.stage.toolchain else ()))
    return at("toolchain")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _choices(names: Iterable[str]) -> str:
    return " or ".join(f"`toolchain: {name}`" for name in names)
