"""How a run looks: a live table on a terminal, plain lines elsewhere, JSON lines for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

from runners.events import Ended, Event, Progressed, Said, StageChanged, Started, State, as_json, duration

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table as RichTable

REFRESH_SECONDS = 0.25
PROGRESS_SECONDS = 10.0  # between two lines about the progress of a stage, where nothing can move
STYLES: Mapping[State, str] = {
    "waiting": "dim",
    "running": "bold cyan",
    "done": "green",
    "restored": "green",
    "up to date": "green",
    "failed": "bold red",
    "stopped": "yellow",
}


class View(Protocol):
    """A reader of events; `tick` is called several times a second."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *raised: object) -> None: ...

    def show(self, event: Event) -> None:
        """Take note of an event."""

    def tick(self) -> None:
        """Move on with the time."""


class _Still:
    """A view of which nothing moves."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        sys.stdout.flush()

    def tick(self) -> None:
        """Nothing moves."""


class JsonLines(_Still):
    """One JSON object a line, on standard output."""

    def show(self, event: Event) -> None:
        print(json.dumps(as_json(event), ensure_ascii=False, allow_nan=False), flush=True)


@dataclass
class Lines(_Still):
    """One line an event; what stages say goes to standard error."""

    last: float = -PROGRESS_SECONDS

    def show(self, event: Event) -> None:
        match event:
            case Started(recipe, _, stages):
                print(f"{recipe}: {', '.join(stages)}", flush=True)
            case StageChanged(stage, state, elapsed):
                print(f"{stage}: {state}" + (f" after {duration(elapsed)}" if elapsed >= 0.5 else ""), flush=True)
                self.last = -PROGRESS_SECONDS
            case Progressed() if time.monotonic() - self.last >= PROGRESS_SECONDS:
                self.last = time.monotonic()
                print(f"{event.stage}: {_progress(event)}", flush=True)
            case Said(_, text):
                print(text, file=sys.stderr, flush=True)
            case Ended():
                say_end(event)


def say_end(event: Ended) -> None:
    """The last line, for people; after a failure it names what helps to find out why."""
    match event.state:
        case "up to date":
            print("up to date: nothing to do", flush=True)
        case "done":
            plural = "" if len(event.ran) == 1 else "s"
            print(f"done: {len(event.ran)} stage{plural} in {duration(event.elapsed)}", flush=True)
        case "stopped":
            again = "run it again: what is finished is kept, and a training goes on from its last checkpoint"
            print(f"stopped after {duration(event.elapsed)}; {again}", file=sys.stderr, flush=True)
        case "failed" if event.failed is not None:
            kept = f"; kept: {', '.join(event.ran)}" if event.ran else ""
            print(f"failed: {event.failed}{kept}", file=sys.stderr, flush=True)


def _progress(event: Progressed) -> str:
    """The loss of a training with rewards is near zero all the time, so its reward is told."""
    reward = event.metrics.get("reward")
    name, value = ("loss", event.loss) if reward is None else ("reward", reward)
    told = f", {name} {value:.4g}" if value is not None else ""
    left = f", {duration(event.left)} left" if event.left is not None else ""
    return f"step {event.step} of {event.steps}{told}{left}"


@dataclass
class _Row:
    """A stage of the table. `since` and `heard` are moments: when it began, and when its trainer last wrote."""

    state: State = "waiting"
    elapsed: float = 0.0
    since: float = 0.0
    progress: Progressed | None = None
    learned: str = ""
    heard: float = 0.0

    def change(self, event: StageChanged) -> None:
        self.state, self.elapsed, self.since = event.state, event.elapsed, time.monotonic()

    def advance(self, event: Progressed) -> None:
        self.progress, self.heard = event, time.monotonic()
        if (reward := event.metrics.get("reward")) is not None:
            self.learned = f"reward {reward:.4f}"
        elif event.loss is not None:
            self.learned = f"{event.loss:.4f}"

    def cells(self, now: float) -> tuple[str, ...]:
        """Elapsed, step, loss or reward, time left."""
        running = self.state == "running"
        elapsed = now - self.since if running else self.elapsed
        progress = self.progress
        return (
            duration(elapsed) if running or elapsed >= 0.5 else "",
            f"{progress.step}/{progress.steps}" if progress else "",
            self.learned,
            duration(max(0.0, progress.left - (now - self.heard))) if progress and running and progress.left else "",
        )


@dataclass
class Table:
    """A live table; what stages say scrolls by above it."""

    rows: dict[str, _Row] = field(default_factory=dict)
    title: str = ""
    drawn: float = 0.0
    live: Live | None = None

    def __enter__(self) -> Self:
        from rich.live import Live

        # No thread of its own: the run starts processes with a hook that must not meet threads.
        self.live = Live(auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self.live.start()
        return self

    def __exit__(self, *raised: object) -> None:
        if self.live is not None:
            self._draw()
            self.live.stop()
            self.live = None

    def show(self, event: Event) -> None:
        match event:
            case Started(recipe, _, stages):
                self.title, self.rows = recipe, {stage: _Row() for stage in stages}
            case StageChanged(stage):
                self.rows[stage].change(event)
            case Progressed(stage):
                self.rows[stage].advance(event)
            case Said(_, text) if self.live is not None:
                self.live.console.print(text, markup=False, highlight=False, soft_wrap=True)
            case Ended():
                self.__exit__()
                say_end(event)
                return
        self._draw()

    def tick(self) -> None:
        if time.monotonic() - self.drawn >= REFRESH_SECONDS:
            self._draw()

    def _draw(self) -> None:
        if self.live is not None:
            self.drawn = time.monotonic()
            self.live.update(self._table(), refresh=True)

    def _table(self) -> RichTable:
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable("stage", "state", title=self.title or None, title_justify="left", box=None, pad_edge=False)
        for name in ("elapsed", "step", "loss", "left"):
            table.add_column(name, justify="right")
        for stage, row in self.rows.items():
            table.add_row(stage, Text(row.state, STYLES[row.state]), *row.cells(time.monotonic()))
        return table
