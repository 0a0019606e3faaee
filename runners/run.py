"""Walk a compiled pipeline and have DVC run what is out of date, stage by stage: the same work as `dvc repro`.

One `dvc status` tells what is out of date. A stage is then given to `dvc repro -s` when it is, or when one that it
reads from has run: that costs a tenth of a `dvc repro` that looks at everything again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from runners import checked
from runners.dvc import Dvc, Interrupted, Signals
from runners.events import Ended, Ending, Event, Said, StageChanged, Started, State
from runners.failures import missing_input
from runners.machine import link_data
from runners.pipeline import COMPILED, Pipeline, Step
from runners.progress import Follower
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import read_json
from schema.machine import load_machine
from schema.render import text

Show = Callable[[Event], None]

_BEGUN = re.compile(r"^Running stage '")
_SKIPPED = re.compile(r"^Stage '.*' didn't change, skipping")
_RESTORED = re.compile(r"^Stage '.*' is cached - skipping run")
_REPEATED = re.compile(r"^ERROR: failed to reproduce '.*': failed to run: ")  # what exec has said better


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: one stage or all, again although nothing changed, and on which GPUs (`2,3`)."""

    stage: str | None = None
    force: bool = False
    gpus: str | None = None

    def environment(self) -> dict[str, str]:
        """What tells `recipe exec`, which DVC starts."""
        gpus = {"RECIPE_GPUS": self.gpus} if self.gpus is not None else {}
        return {"RECIPE_QUIET": "1", **gpus, **({"RECIPE_FORCE": "1"} if self.force else {})}


def run(pipeline: Pipeline, wish: Wish, show: Show, tick: Callable[[], None]) -> Ended:
    """Run what is out of date, and say how it ended; the caller shows that last event.

    Errors: RecipeError when there is no such stage, or data that the machine file maps is not there.
    """
    link_data(pipeline.root, load_machine(pipeline.root))  # before DVC looks for it
    steps = (pipeline.step(wish.stage),) if wish.stage else pipeline.steps
    with Signals() as signals:
        walk = Walk(pipeline, wish, show, Dvc(pipeline.root, signals, tick))
        show(Started(pipeline.label, pipeline.file, tuple(step.name for step in steps)))
        try:
            return walk.run(steps)
        except Interrupted:
            return walk.ended("stopped")
        except RecipeError as error:
            show(Said(wish.stage or COMPILED, text(error.diagnostics, {})))
            return Ended("failed", time.monotonic() - walk.begin, tuple(walk.ran), wish.stage)


@dataclass
class Walk:
    """One run; `current` is the stage at work, since the moment `began`."""

    pipeline: Pipeline
    wish: Wish
    show: Show
    dvc: Dvc
    ran: list[str] = field(default_factory=list)
    current: Step | None = None
    begin: float = field(default_factory=time.monotonic)

    def run(self, steps: tuple[Step, ...]) -> Ended:
        """The stages one after another."""
        dirty = self._compiled()
        if dirty is None:
            return self.ended("failed")
        if self.wish.stage:
            self._refuse_stale(steps[0], dirty)
        for step in steps:
            if not (self.wish.force or step.name in dirty or set(self.ran).intersection(step.after)):
                self.show(StageChanged(step.name, "up to date"))
                continue
            self.current = step
            if self._lacks(step) or not _Turn(self, step).run():
                return self.ended("failed")
            self.current = None
        return self.ended("done" if self.ran else "up to date")

    def _lacks(self, step: Step) -> bool:
        """Whether something that no stage makes is missing: DVC would only say that there is no such file."""
        stamp = f"outputs/{self.pipeline.label}/"
        paths = [path for path in step.given if not path.startswith(stamp)]
        missing = [path for path in paths if not (self.pipeline.root / path).exists()]
        if missing:
            found = [missing_input(step.name, path, self.pipeline.file) for path in missing]
            self.show(StageChanged(step.name, "failed"))
            self.show(Said(step.name, text(found, {})))
        return bool(missing)

    def _compiled(self) -> set[str] | None:
        """The stages that are out of date, once the compiled files are known to say what the recipe says."""
        dirty = self._status()
        if COMPILED not in dirty:
            return dirty
        reported: list[str] = []

        def line(stream: str, words: str) -> None:
            if stream == "err" and (words or reported) and not _REPEATED.match(words):
                reported.append(words)
                self.show(Said(COMPILED, words))

        if self.dvc.run(("repro", "-s", self.pipeline.target(COMPILED)), {"RECIPE_QUIET": "1"}, line) != 0:
            return None
        return self._status()

    def _status(self) -> set[str]:
        targets = {self.pipeline.target(name): name for name in (COMPILED, *(s.name for s in self.pipeline.steps))}
        dirty, trouble = self.dvc.status(list(targets))
        if trouble:
            raise RecipeError([_trouble(trouble)])
        return {targets[target] for target in dirty if target in targets}

    def _refuse_stale(self, step: Step, dirty: set[str]) -> None:
        stale = [earlier.name for earlier in self.pipeline.upstream(step) if earlier.name in dirty]
        if stale:
            message = f"{step.name} needs {', '.join(stale)}, which {'is' if len(stale) == 1 else 'are'} not up to date"
            help = f"run everything with `recipe run {self.pipeline.file}`, or first `--stage {stale[0]}`"
            raise RecipeError([Diagnostic("R0522", message, help)])

    def ended(self, state: Ending) -> Ended:
        """The end, with what a person needs to go on when it is not a good one."""
        elapsed, ran = time.monotonic() - self.begin, tuple(self.ran)
        if self.current is None:
            failed = COMPILED if state == "failed" else None
            return Ended(state, elapsed, ran, failed)
        log = f".recipe/logs/{self.pipeline.label}/{self.current.name}.log"
        shown = log if (self.pipeline.root / log).exists() else None
        script = f"{self.pipeline.folder}/{self.current.name}.sh"
        return Ended(state, elapsed, ran, self.current.name, shown, script)


@dataclass
class _Turn:
    """A stage's turn: DVC decides whether it has to run."""

    walk: Walk
    step: Step
    state: State = "running"
    begin: float = field(default_factory=time.monotonic)
    silent: bool = True

    def run(self) -> bool:
        """Whether the stage is as it should be."""
        walk, step = self.walk, self.step
        follower = Follower(step.name, walk.pipeline.checkpoints(step) / "logging.jsonl")
        force = ("-f",) if walk.wish.force else ()

        def tick() -> None:
            for progress in follower.new():
                walk.show(progress)
            walk.dvc.tick()

        dvc = Dvc(walk.dvc.root, walk.dvc.signals, tick)
        target = walk.pipeline.target(step.name)
        walk.show(StageChanged(step.name, "running"))
        try:
            code = dvc.run(("repro", "-s", *force, target), walk.wish.environment(), self._line)
        except Interrupted:
            self._change("stopped")
            raise
        if self.state == "running":
            self.state = "done" if code == 0 else "failed"
        if self.state in ("done", "restored"):
            walk.ran.append(step.name)
        self._change(self.state if code == 0 else "failed")
        if self.state == "done" and step.kind == "check":
            found = read_json(walk.pipeline.root / step.out / checked.FILE)
            walk.show(Said(step.name, "\n".join(checked.lines(found))))
        return code == 0

    def _line(self, stream: str, words: str) -> None:
        if stream == "out":
            self._read(words)
        elif not self.walk.dvc.signals.received and not _REPEATED.match(words) and (words.strip() or not self.silent):
            self.silent = False
            self.walk.show(Said(self.step.name, words))

    def _read(self, words: str) -> None:
        """What DVC says about the stage."""
        if _BEGUN.match(words):
            self.begin = time.monotonic()
        elif _SKIPPED.match(words):
            self.state = "up to date"
        elif _RESTORED.match(words):
            self.state = "restored"

    def _change(self, state: State) -> None:
        self.walk.show(StageChanged(self.step.name, state, time.monotonic() - self.begin))


def _trouble(words: str) -> Diagnostic:
    said = " ".join(line.removeprefix("ERROR: ") for line in words.splitlines() if line.strip())
    if "not inside of a DVC repository" in said:
        return Diagnostic("R0523", "this project is no DVC repository", "run `dvc init`, once")
    if "No module named dvc" in said:
        return Diagnostic("R0523", "DVC is not installed here", "install what runs recipes: `make setup`")
    if "is busy" in said or "Unable to acquire lock" in said:
        pids = ", ".join(dict.fromkeys(re.findall(r"\(PID (\d+)\)", said)))
        message = "another DVC is at work in this project" + (f": process {pids}" if pids else "")
        return Diagnostic("R0523", message, "wait for it, or stop it with Ctrl-C where it runs")
    return Diagnostic("R0523", f"DVC cannot tell what is out of date: {said}", "mend what it names")
