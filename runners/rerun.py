"""Run a stage again, elsewhere, and compare what it writes with what its record names.

.recipe/rerun/<stage key>/        its work folder: no checkpoint and no output of the project is touched
.recipe/logs/quickstart/train.rerun.log
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runners import compiled, exec, machine, records, work
from runners.compiled import Stage
from runners.handover import Seal
from runners.locks import Lock, held
from runners.runs import Run
from runners.supervise import Control, say
from runners.verify import Change, compare
from schema import digests
from schema.components import components
from schema.diagnostics import Diagnostic, RecipeError
from schema.digests import Digest
from schema.files import read_json, remove
from schema.machine import load_machine

PROMISED = {"cpu": "CPU", "threads": "threads"}
"""What has to be the same for the same bits, as fields of a record's `machine`."""
MAX_VALUES = 20


@dataclass(frozen=True, slots=True)
class Value:
    """A number or text of a JSON file that came out otherwise; `name` is its path in the document, with dots."""

    file: str
    name: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Again:
    """A second run: what differs from the first, and on what machine. `kept` has what it wrote, when that differs."""

    seconds: float
    changes: tuple[Change, ...]
    values: tuple[Value, ...]
    machine: Mapping[str, tuple[Any, Any]]
    kept: str | None

    @property
    def promised(self) -> bool:
        """Whether the same bits were promised at all."""
        return all(old == new for old, new in self.machine.values())


def rerun(root: Path, run: Run, control: Control) -> Again:
    """Run the launch of a record again. Errors: RecipeError when it or its inputs are others now, or it fails; Stopped."""
    stage = compiled.load(root / "pipelines" / run.title)
    compiled.check_files(stage)
    compiled.check_code(stage)
    _same_launch(stage, run)
    folder = root / ".recipe" / "rerun" / stage.key
    locks = root / ".recipe" / "locks"
    real = root / ".recipe" / "checkpoints" / stage.key
    # The engine inherits the second lock alone: the first is free as soon as we are gone, whatever becomes of the engine.
    with (
        held(locks / f"{stage.key}.lock", run.title, control.check, lambda name: exec.end_leftovers(real, name)),
        held(
            locks / f"{stage.key}-rerun.lock", run.title, control.check, lambda name: exec.end_leftovers(folder, name)
        ) as lock,
    ):
        exec.end_leftovers(folder)
        remove(folder)
        seal = _launch(stage, run, folder, lock, control)
        again = _compared(root, run, folder, seal)
        if again.kept is None:
            work.discard(folder)
    return again


def _same_launch(stage: Stage, run: Run) -> None:
    if stage.own == run.record["own"]:
        return
    then, now = run.record["components"], components(stage.identity)
    parts = ", ".join(part for part in now if now[part] != then.get(part))
    message = f"{stage.title} is compiled for another launch than its record is of: {parts} differ"
    help = f"check out the commit of the record and compile it, or make a new record: `recipe run {stage.recipe_file}`"
    raise RecipeError([Diagnostic("R0516", message, help)])


def _launch(stage: Stage, run: Run, folder: Path, lock: Lock, control: Control) -> Seal:
    here = load_machine(stage.root)
    others = exec.other_versions(stage, here)
    machine.link_data(stage.root, here)
    read = exec.inputs(stage, control)
    _same_inputs(stage, run, read)
    action = work.action(stage.identity, read)
    work.open_folder(folder, action, keep=False, say=say)
    log = (stage.root / records.log_path(stage)).with_suffix(".rerun.log")
    return exec.launch(stage, here, others, folder, action, lock, control, log)


def _same_inputs(stage: Stage, run: Run, read: Mapping[str, Digest]) -> None:
    then = {role: recorded["sha256"] for role, recorded in run.record["inputs"].items()}
    others = [stage.inputs[role] for role, digest in read.items() if then.get(role) != digest.sha256]
    if others:
        message = f"{stage.title} would read other bytes than its record names: {', '.join(others)}"
        help = "bring them back (`dvc checkout` has those of DVC's outputs), or run the stage anew: `recipe run`"
        raise RecipeError([Diagnostic("R0517", message, help)])


def _compared(root: Path, run: Run, folder: Path, seal: Seal) -> Again:
    changes = tuple(_changes(run.record, seal))
    out = root / Path(run.file).parent
    changed = [c.file for c in changes if c.how == "changed" and c.file.endswith(".json")]
    values = (value for file in changed for value in _values(file, out, folder / "result", run.record["files"]))
    then, now = run.record["machine"], seal.run["machine"]
    return Again(
        seal.run["elapsed"],
        changes,
        tuple(values),
        {name: (then.get(name), now.get(name)) for name in PROMISED},
        folder.relative_to(root).as_posix() if changes else None,
    )


def _changes(record: Mapping[str, Any], seal: Seal) -> Iterator[Change]:
    """By file, or by output where files are not listed."""
    if record.get("files") and seal.files:
        yield from compare(record["files"], seal.files)
        return
    then = {name: output["sha256"] for name, output in record["outputs"].items()}
    yield from compare(then, {name: output["sha256"] for name, output in seal.outputs.items()})


def _values(file: str, out: Path, result: Path, recorded: Mapping[str, str]) -> Iterator[Value]:
    """What differs in a JSON file, as long as the first one is still there as it was."""
    if not (out / file).is_file() or digests.of_file(out / file) != recorded.get(file):
        return
    old, new = leaves(read_json(out / file)), leaves(read_json(result / file))
    differing = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    for name in differing[:MAX_VALUES]:
        yield Value(file, name, old.get(name), new.get(name))


def leaves(document: Any, above: str = "") -> dict[str, Any]:
    """Each value of a document by its path.

    >>> leaves({"a": {"b": 1}, "c": [True]})
    {'a.b': 1, 'c.0': True}
    """
    if isinstance(document, list):
        document = dict(enumerate(document))
    if not isinstance(document, dict):
        return {above: document}
    found: dict[str, Any] = {}
    for name, below in document.items():
        found |= leaves(below, f"{above}.{name}" if above else str(name))
    return found
