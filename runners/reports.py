"""Tells a service how a stage goes, while it runs: each report is one POST of JSON to URL/TASK.

{"task_id": "42", "recipe": "animals-lora/smoke", "stage": "train", "state": "running", "epoch": 0.44, "step": 20,
 "steps": 450, "loss": 2.1465, "metrics": {"acc": 0.2093}, "time_left": 32.0}

`state` is `running`, `done`, `failed` or `stopped`; times are in seconds, and what is not known is null. The service may
be slow, wrong or dead: reports are sent by a thread that nobody waits for, only the newest one is kept while another is on
its way, and what could not be sent is said once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from runners.progress import Follower
from runners.supervise import Stopped, say

if TYPE_CHECKING:
    import httpx

    from runners.compiled import Stage

State = Literal["running", "done", "failed", "stopped"]
POLL_SECONDS = 0.5
TIMEOUT_SECONDS = 5.0
LAST_SECONDS = 2.0
"""How long the end of a stage waits for its last report to be taken."""


@contextmanager
def reported(stage: Stage, log: Path) -> Iterator[Callable[[], None]]:
    """Report to the stage's service, if it has one, what the trainer writes to `log`, and how the block ended.

    Gives what the block calls to begin. Of several machines the first reports. Errors: those of the block, and no others.
    """
    if stage.reports is None or os.environ.get("NODE_RANK", "0") != "0":
        yield lambda: None
        return
    reporter = Reporter(stage, log)
    state: State = "failed"
    try:
        yield reporter.start
        state = "done"
    except Stopped:
        state = "stopped"
        raise
    finally:
        reporter.end(state)


class Reporter(threading.Thread):
    """Sends the newest report; a report that is overtaken while another is on its way is dropped."""

    def __init__(self, stage: Stage, log: Path) -> None:
        super().__init__(daemon=True)
        assert stage.reports is not None
        self.url = f"{stage.reports['url'].rstrip('/')}/{quote(stage.reports['task'], safe='')}"
        recipe, _, name = stage.title.rpartition("/")
        self._report: dict[str, Any] = {"task_id": stage.reports["task"], "recipe": recipe, "stage": name}
        self._report |= {"state": "running", "epoch": None, "step": None, "steps": None, "loss": None}
        self._report |= {"metrics": {}, "time_left": None}
        self._follower = Follower(name, log)
        self._ended = threading.Event()
        self._complained = False

    def end(self, state: State) -> None:
        """Report how it ended, and wait for that a moment."""
        self._report["state"] = state
        self._ended.set()
        if self.ident is not None:
            self.join(LAST_SECONDS)

    def run(self) -> None:
        """Report until the end; whatever is wrong with the way there is said, and harms nobody else."""
        try:
            self._all()
        except Exception as error:  # of an address, or of a proxy that the environment names: neither mends itself
            self._complain(f"cannot be told: {(str(error) or type(error).__name__).splitlines()[0]}")

    def _all(self) -> None:
        """Send the first report, each newer one, and the last."""
        import httpx

        with httpx.Client(timeout=TIMEOUT_SECONDS, headers={"User-Agent": "recipe-compiler"}) as client:
            self._send(client)
            while not self._ended.wait(POLL_SECONDS):
                if self._moved():
                    self._send(client)
            self._moved()
            self._send(client)

    def _moved(self) -> bool:
        """Take over what the trainer logged since the last time."""
        new = self._follower.new()
        for progress in new:
            metrics = dict(progress.metrics)
            told = {"epoch": metrics.pop("epoch", None), "step": progress.step, "steps": progress.steps}
            loss = self._report["loss"] if progress.loss is None else progress.loss
            self._report |= told | {"loss": loss, "metrics": metrics, "time_left": progress.left}
        return bool(new)

    def _send(self, client: httpx.Client) -> None:
        import httpx

        try:
            client.post(self.url, json=self._report).raise_for_status()
        except httpx.HTTPStatusError as error:
            self._complain(f"answers {error.response.status_code}")
        except httpx.HTTPError as error:
            self._complain(f"cannot be reached ({type(error).__name__})")

    def _complain(self, how: str) -> None:
        if not self._complained:
            self._complained = True
            say(f"{self.url.split('/')[2]}, which is told how this goes, {how}; the stage goes on")
