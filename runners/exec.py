"""Run one compiled stage under supervision: recipe exec pipelines/animals-lora/train [--force]

The main line is `run`. Whatever kills it, its engine or its caller, and whenever: no process is left, the next run goes
on from the last complete checkpoint of the same launch on the same inputs, and what stands below outputs/ is whole.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runners import (
    checkpoints,
    compiled,
    failures,
    handover,
    machine,
    processes,
    records,
    reports,
    supervise,
    toolchains,
    trainer,
    work,
)
from runners.compiled import OtherVersion, Stage
from runners.handover import Seal
from runners.locks import Lock, held
from runners.supervise import Control, Launch, Stopped, say
from schema.diagnostics import Diagnostic, RecipeError
from schema.digests import Digest, Remembered
from schema.files import remove, write_json
from schema.machine import Machine, load_machine
from schema.render import text

TRAINED = "RECIPE_TRAINED"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. 0: handed over; 1: not in order, or failed; 128 + n: stopped by signal n."""
    options = _parse(argv)
    root = Path.cwd()
    try:
        with Control() as control:
            stage = compiled.load(options.stage)
            root = stage.root
            run(stage, options.force or os.environ.get("RECIPE_FORCE") == "1", control)
    except RecipeError as error:
        return _report(error.diagnostics, root)
    except Stopped as stopped:
        say(f"{stopped}; its checkpoints are kept")
        return 128 + stopped.number
    except OSError as error:
        return _report([failures.of_system(error, root)], root)
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="recipe exec", description="Run one compiled stage under supervision.")
    parser.add_argument("stage", type=Path, help="for example pipelines/animals-lora/train")
    parser.add_argument("--force", action="store_true", help="throw checkpoints of an earlier run away")
    return parser.parse_args(argv)


def run(stage: Stage, force: bool, control: Control) -> None:
    """Check, lock, launch, hand over, record. Errors: RecipeError, Stopped, OSError."""
    compiled.check_files(stage)
    compiled.check_code(stage)
    here = load_machine(stage.root)
    toolchains.ensure(stage, control.check)
    others = other_versions(stage, here)
    machine.link_data(stage.root, here)
    folder = stage.root / ".recipe" / "checkpoints" / stage.key
    lock_file = stage.root / ".recipe" / "locks" / f"{stage.key}.lock"
    with held(lock_file, stage.title, control.check, lambda run: end_leftovers(folder, run)) as lock:
        end_leftovers(folder)
        _fetch_missing(stage, control)
        read = inputs(stage, control)
        _check_pins(stage, read)
        action = work.action(stage.identity, read)
        out = stage.root / stage.out
        remove(out / records.NAME)
        work.open_folder(folder, action, keep=not force, say=say)
        seal = handover.sealed(folder, stage.outs, action)
        if seal is None:
            log = stage.root / records.log_path(stage)
            with reports.reported(stage, folder / "checkpoints" / "logging.jsonl") as started:
                seal = launch(stage, here, others, folder, action, lock, control, log, started)
        handover.hand_over(folder / "result", out, stage.outs)
        _keep_tracked(stage, folder)
        remove(folder / "checkpoints")
        write_json(out / records.NAME, records.record(stage, read, seal))
        work.discard(folder)


def other_versions(stage: Stage, here: Machine) -> tuple[OtherVersion, ...]:
    others = compiled.check_toolchain(stage, here.allow_other_versions)
    if others:
        listed = "; ".join(map(str, others))
        say(f"{stage.title}: other versions than it was compiled for, as machine.yaml allows. {listed}")
    return others


def end_leftovers(folder: Path, run: str = "") -> None:
    """End who carries the mark of a run that is dead: of the one named, or, when we hold the lock, of any before us."""
    group = processes.Group(_mark(folder, run))
    ended = processes.end(group.members, supervise.grace_seconds())
    if ended:
        say(f"ended {processes.counted(ended)} that an earlier run had left behind")


def _mark(folder: Path, run: str) -> str:
    """What the environment of each process of a run holds. Without the run: how that begins for all of this folder."""
    return f"{folder.resolve()}#{run}"


def _fetch_missing(stage: Stage, control: Control) -> None:
    """Fetch the models and data sets that the stage reads and that are not there yet."""
    missing = {path for path in stage.inputs.values() if not (stage.root / path).exists()}
    wanted = [download for download in stage.downloads if download["to"] in missing]
    if wanted:
        from runners import fetch  # only a first run needs it

        lock = fetch.locked(stage.root, stage.recipe_file)
        fetch.ensure(stage.root, fetch.downloads(wanted, lock), control.check)


def inputs(stage: Stage, control: Control) -> dict[str, Digest]:
    """The digest of each input, by role. Errors: RecipeError that names those that are missing or empty."""
    missing = [path for path in stage.inputs.values() if not (stage.root / path).exists()]
    if missing:
        raise RecipeError([failures.missing_input(stage.title, path, stage.recipe_file) for path in missing])
    if empty := [path for path in stage.inputs.values() if _has_no_rows(stage.root / path)]:
        raise RecipeError([failures.no_rows(stage.title, path) for path in empty])
    cache = stage.root / ".recipe" / "cache"
    return {role: Remembered(cache, stage.root / path, control.check).digest() for role, path in stage.inputs.items()}


def _has_no_rows(path: Path) -> bool:
    return path.suffix == ".jsonl" and path.is_file() and not path.stat().st_size


def _check_pins(stage: Stage, read: Mapping[str, Digest]) -> None:
    """What the stage reads has the bytes that the lock names. Errors: RecipeError with each input that has others."""
    wrong = [role for role, sha256 in stage.pins.items() if read[role].sha256 != sha256]
    if wrong:
        raise RecipeError([failures.other_bytes(stage, role, read[role].sha256) for role in wrong])


def launch(
    stage: Stage,
    here: Machine,
    others: Sequence[OtherVersion],
    folder: Path,
    action: str,
    lock: Lock,
    control: Control,
    log: Path,
    started: Callable[[], object] | None = None,
) -> Seal:
    """Run the script in a work folder and seal what it wrote there. `started` is called when it runs.

    Errors: RecipeError when it fails, its result is not as declared, or its trainer does not hold what was planned.
    """
    resume = _resume(stage, folder)
    resumed_from = work.resumes(folder, checkpoints.step_of(resume) if resume else None)
    environment = toolchains.activated(stage, machine.environment(here, stage.identity)) | {
        "RECIPE_OUT": str(folder.relative_to(stage.root)),
        "RECIPE_RESUME": str(resume.relative_to(stage.root)) if resume else "",
        TRAINED: "1" if resume and checkpoints.is_final(resume) else "",
        processes.MARK: _mark(folder, lock.run),
    }
    begun = records.begin(stage, environment, others)
    if not environment[TRAINED]:
        trainer.forget(folder)
    _fresh(folder, log, keep_log=resume is not None)
    begin = log.stat().st_size
    control.check()
    code = supervise.run(
        Launch(
            command=("bash", str(stage.script)),
            cwd=stage.root,
            environment=environment,
            log=log,
            mark=_mark(folder, lock.run),
            lock=lock.descriptor,
            mirror=not os.environ.get("RECIPE_QUIET"),
        ),
        control,
        started,
    )
    report = _watched(stage, folder, code)
    if code != 0:
        raise RecipeError([_failed(stage, code, log, begin)])
    handover.check(folder / "result", stage.outs, stage.root)
    _unchanged(stage, folder, action, control)
    return handover.seal(folder, stage.outs, action, records.finish(begun, resumed_from, report))


def _watched(stage: Stage, folder: Path, code: int) -> trainer.Report | None:
    """What the trainer told of its settings. Errors: RecipeError when they are not as planned, or it is not known."""
    report = trainer.read(folder)
    if report is not None:
        trainer.refuse(stage, report)
        if report.after and code == 0:
            say(
                f"{stage.title}: after its last step the trainer held other values. {'; '.join(map(str, report.after))}"
            )
    elif code == 0 and trainer.expected(stage):
        raise trainer.silent(stage)
    return report


def _resume(stage: Stage, folder: Path) -> Path | None:
    """The checkpoint to go on from; without one everything that an earlier try wrote is removed."""
    found = []
    if stage.checkpoints == "transformers":
        found = checkpoints.complete(folder / "checkpoints", machine.processes(stage.identity), say)
    if found and checkpoints.is_final(found[-1]) and not _can_skip_training(stage):
        say(f"{stage.title}: {found[-1].name} is the end of the training, from where an engine would go too far")
        remove(found.pop())
    if found:
        say(f"{stage.title}: going on from {found[-1].name}")
        return found[-1]
    remove(folder / "checkpoints")
    return None


def _can_skip_training(stage: Stage) -> bool:
    """Whether the script leaves the trainer out when RECIPE_TRAINED is set."""
    return TRAINED in (stage.root / stage.script).read_text()


def _keep_tracked(stage: Stage, folder: Path) -> None:
    """What a trainer wrote for TensorBoard goes to the logs, beside the log."""
    tracked = folder / "checkpoints" / "runs"
    if tracked.is_dir():
        kept = (stage.root / records.log_path(stage)).with_suffix(".runs")
        remove(kept)
        tracked.rename(kept)


def _fresh(folder: Path, log: Path, keep_log: bool) -> None:
    """An empty result folder beside what a run goes on from, and a log that holds the launches of one training.

    What else an earlier try left would be taken for finished: an engine does not merge into a folder that is there.
    """
    for left in folder.iterdir():
        if left.name not in (work.RECORD, work.KEPT, "checkpoints") and not trainer.told(left):
            remove(left)
    (folder / "result").mkdir()
    log.parent.mkdir(parents=True, exist_ok=True)
    if not keep_log:
        remove(log)
    log.touch()


def _failed(stage: Stage, code: int, log: Path, begin: int) -> Diagnostic:
    end = failures.tail(log, begin)
    say("\n".join([f"--- the last lines of {log.relative_to(stage.root)}", *end, "---"]))
    return failures.failed(stage, code, str(log.relative_to(stage.root)), end)


def _unchanged(stage: Stage, folder: Path, action: str, control: Control) -> None:
    """What was compiled or read is still the same, or DVC would file the result under what it does not come from."""
    again = compiled.load(stage.folder / stage.name)
    if again.key != stage.key or work.action(again.identity, inputs(stage, control)) != action:
        work.discard(folder)  # who knows what it comes from
        message = f"the inputs or the compiled files of {stage.title} changed while it ran: nothing was handed over"
        raise RecipeError([Diagnostic("R0511", message, help="leave them alone during a run; run it again")])


def _report(diagnostics: Sequence[Diagnostic], root: Path) -> int:
    """Show what is wrong, with the lines of the machine file that it is about."""
    files = {span.file for diagnostic in diagnostics for span in diagnostic.spans}
    sources = {file: (root / file).read_text(errors="replace") for file in files if (root / file).is_file()}
    say(text(diagnostics, sources, color=_color()))
    return 1


def _color() -> bool:
    return sys.stderr.isatty() and "NO_COLOR" not in os.environ


if __name__ == "__main__":
    sys.exit(main())
