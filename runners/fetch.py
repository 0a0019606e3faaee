"""Put models and data sets of hubs in their places below `.recipe`: whole, or not at all.

    .recipe/models/Qwen--Qwen2-VL-2B-Instruct             there: complete, and never touched again
    .recipe/models/.Qwen--Qwen2-VL-2B-Instruct.incoming   on its way; the next fetch goes on with it

`tiny/FAMILY` is built on the spot. A hub that has no such repository is followed by the other one; a hub that wants a
token or an accepted licence is not.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from runners import processes
from runners.failures import tail
from runners.locks import held
from runners.supervise import say
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import remove
from schema.machine import Machine, load_machine

TINY = "tiny/"
TINY_SEED = 0
POLL_SECONDS = 0.1
NEWS_SECONDS = 30.0
END_SECONDS = 5.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h
NAMES = {"modelscope": "ModelScope", "huggingface": "Hugging Face"}
ENDPOINTS = {"modelscope": "https://modelscope.cn", "huggingface": "https://huggingface.co"}
VARIABLES = {"modelscope": "MODELSCOPE_ENDPOINT", "huggingface": "HF_ENDPOINT"}
LOGINS = {"modelscope": "set MODELSCOPE_API_TOKEN", "huggingface": "set HF_TOKEN, or run `hf auth login`"}
Tick = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Download:
    """An entry of `downloads` in a manifest: what, from which hub first, and its place relative to the root."""

    kind: str
    id: str
    hub: str
    revision: str | None
    to: str

    @property
    def name(self) -> str:
        """For people: with the revision where one is named."""
        return self.id + (f" at {self.revision}" if self.revision else "")

    @property
    def hubs(self) -> tuple[str, ...]:
        """Where to ask, in this order."""
        return (self.hub, *(hub for hub in NAMES if hub != self.hub))


def downloads(entries: Iterable[Mapping[str, Any]]) -> tuple[Download, ...]:
    """The downloads of a manifest. Errors: RecipeError when one would land outside `.recipe`."""
    found = tuple(Download(e["kind"], e["id"], e["hub"], e["revision"], e["to"]) for e in entries)
    for download in found:
        parts = PurePosixPath(download.to).parts
        if len(parts) < 3 or parts[0] != ".recipe" or ".." in parts:
            message = f"{download.name} would be put into {download.to}"
            raise RecipeError([Diagnostic("R0534", message, "compile the recipe again: downloads lie in `.recipe`")])
    return found


def _nothing() -> None:
    """Nobody wants us to stop."""


def ensure(root: Path, wanted: Iterable[Download], tick: Tick = _nothing) -> list[Download]:
    """Have each download in its place; those that were fetched. `tick` is called often, and may raise to stop.

    Errors: RecipeError with every download that failed; the others are in their places.
    """
    fetched: list[Download] = []
    wrong: list[Diagnostic] = []
    for download in wanted:
        try:
            if fetch(root, download, tick):
                fetched.append(download)
        except RecipeError as error:
            wrong += error.diagnostics
    if wrong:
        raise RecipeError(wrong)
    return fetched


def fetch(root: Path, download: Download, tick: Tick) -> bool:
    """Have one download in its place; whether it was not there before. Errors: RecipeError."""
    place = root / download.to
    if place.exists():
        return False
    here = load_machine(root)
    lock = root / ".recipe" / "locks" / f"fetch-{hashlib.sha256(download.to.encode()).hexdigest()[:16]}.lock"
    mark = f"fetch:{place.resolve()}#"
    with held(lock, download.name, tick, lambda run: _end(mark), seconds=math.inf):
        _end(mark)
        if place.exists():  # whoever held the lock has fetched it
            return False
        place.parent.mkdir(parents=True, exist_ok=True)
        job = _Job(root, download, here, mark, tick)
        if download.id.startswith(TINY):
            _build(job)
        else:
            _from_hubs(job)
    return True


def _end(mark: str) -> None:
    """End what a fetch of this place has left behind when it was killed."""
    group = processes.Group(mark)
    if group.members():
        processes.end(group.members, END_SECONDS)


@dataclass(frozen=True, slots=True)
class _Job:
    """One download under its lock."""

    root: Path
    download: Download
    here: Machine
    mark: str
    tick: Tick

    @property
    def place(self) -> Path:
        return self.root / self.download.to

    @property
    def incoming(self) -> Path:
        return self.place.with_name(f".{self.place.name}.incoming")

    @property
    def log(self) -> Path:
        return self.root / ".recipe" / "logs" / "fetch" / f"{self.place.name}.log"

    def endpoint(self, hub: str) -> str:
        """The hub's own variable goes before the machine file."""
        configured = self.here.endpoints.get(hub)  # type: ignore[call-overload]
        return (os.environ.get(VARIABLES[hub]) or configured or ENDPOINTS[hub]).rstrip("/")

    def shown(self, hub: str) -> str:
        """The endpoint for people: a name and a password in it are nobody's business."""
        return re.sub(r"//[^/@]*@", "//", self.endpoint(hub))

    def page(self, hub: str) -> str:
        """Where a person sees the repository."""
        part = "datasets/" if self.download.kind == "dataset" else "models/" if hub == "modelscope" else ""
        return f"{self.shown(hub)}/{part}{self.download.id}"


def _build(job: _Job) -> None:
    """A tiny model, made by ourselves."""
    family = job.download.id.removeprefix(TINY).replace("-", "_").replace(".", "_")
    for partial in job.place.parent.glob(f"{job.place.name}.partial-*"):
        remove(partial)
    say(f"building {job.download.id}, a small random model")
    command = ("runners.tiny_model", "--family", family, "--seed", str(TINY_SEED), "--to", str(job.place))
    code, _ = _run(job, command, {}, show=False)
    if code != 0:
        said = " ".join(tail(job.log, lines=1))
        help = f"its log is {job.log.relative_to(job.root)}"
        raise RecipeError([Diagnostic("R0534", f"{job.download.id} could not be built: {said}", help)])


def _from_hubs(job: _Job) -> None:
    """From the first hub that has it. Errors: RecipeError."""
    without: list[str] = []
    for hub in job.download.hubs:
        say(f"fetching {job.download.name} from {NAMES[hub]} ({job.shown(hub)})")
        code, answer = _ask(job, hub)
        if code == 0 and answer.get("verdict") == "done":
            job.incoming.rename(job.place)
            return
        if answer.get("verdict") != "missing":
            raise RecipeError([_refused(job, hub, code, answer)])
        without.append(hub)
    raise RecipeError([_missing(job, without)])


def _ask(job: _Job, hub: str) -> tuple[int, Mapping[str, str]]:
    """One hub: exit code and answer of the process that runs its client."""
    download = job.download
    command = ["runners.hub", "--hub", hub, "--kind", download.kind, "--id", download.id, "--to", str(job.incoming)]
    if download.revision is not None:
        command += ["--revision", download.revision]
    code, output = _run(job, tuple(command), {VARIABLES[hub]: job.endpoint(hub)}, show=sys.stderr.isatty())
    try:
        answer = json.loads(output)
    except ValueError:
        answer = {}
    return code, answer if isinstance(answer, dict) else {}


def _refused(job: _Job, hub: str, code: int, answer: Mapping[str, str]) -> Diagnostic:
    """What to say when a hub has not given it, although it did not say that it has no such thing."""
    name, what, detail = NAMES[hub], job.download.name, answer.get("detail", "")
    match answer.get("verdict"):
        case "gated":
            help = f"visit {job.page(hub)} and ask for access or accept its licence; then {LOGINS[hub]} and fetch again"
            return Diagnostic("R0531", f"{name} does not give {what} to everybody (403)", help)
        case "login":
            help = f"{LOGINS[hub]}; the page is {job.page(hub)}"
            return Diagnostic("R0531", f"{name} wants to know who asks for {what} (401)", help)
        case "unreachable":
            help = "look at the network and at proxies, or name a mirror in machine.yaml under `endpoints:`"
            help += "; a fetch goes on from where it was cut"
            return Diagnostic("R0532", f"{name} at {job.shown(hub)} cannot be reached: {detail}", help)
        case "empty":
            help = f"look at {job.page(hub)}: has it files, and does the revision exist?"
            return Diagnostic("R0533", f"{name} lists no files for {what}", help)
        case "wrong":
            help = "fetch again; if it stays so, name another hub or mirror"
            return Diagnostic("R0533", f"what {name} gave for {what} is not what it lists: {detail}", help)
    said = detail or " ".join(tail(job.log, lines=1)) or f"exit code {code}"
    help = f"its log is {job.log.relative_to(job.root)}" if job.log.exists() else "see what it says above"
    return Diagnostic("R0534", f"the client of {name} could not fetch {what}: {said}", help)


def _missing(job: _Job, hubs: list[str]) -> Diagnostic:
    asked = " and ".join(f"{NAMES[hub]} ({job.shown(hub)})" for hub in hubs)
    message = f"there is no {job.download.kind} {job.download.name} on {asked}"
    help = "look for a misprint in its id or revision; of a private one, the hubs say that to all who are not logged in"
    return Diagnostic("R0530", message, help)


def _run(job: _Job, command: tuple[str, ...], environment: Mapping[str, str], show: bool) -> tuple[int, str]:
    """Run one of our modules to its end: exit code and standard output. The rest goes to the terminal or the log."""
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("wb") as log:
        process = subprocess.Popen(
            (sys.executable, "-P", "-m", *command),
            cwd=job.root,
            env=_environment(job, show) | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if show else log,
            preexec_fn=_end_with_parent,  # no thread runs
        )
        try:
            for _ in _waiting(process, job):
                job.tick()
            assert process.stdout is not None
            return process.returncode, process.stdout.read().decode("utf-8", "replace")
        finally:
            _stop(process)


def _environment(job: _Job, show: bool) -> dict[str, str]:
    """The clients get no storage network of their own, write their notes below `.recipe`, and report to nobody."""
    package = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    quiet = {} if show else {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1"}
    fixed = {
        "PYTHONPATH": path,
        processes.MARK: job.mark,
        "MODELSCOPE_CACHE": str(job.root / ".recipe" / "cache" / "modelscope"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    return {**os.environ, **quiet, **fixed}


def _waiting(process: subprocess.Popen[bytes], job: _Job) -> Iterator[None]:
    """Until the process ends; now and then a line about how much has come."""
    said = time.monotonic()
    while process.poll() is None:
        yield
        if time.monotonic() - said >= NEWS_SECONDS:
            said = time.monotonic()
            if not sys.stderr.isatty() and job.incoming.exists():
                say(f"{job.download.name}: {_bytes(job.incoming) / 1e9:.2f} GB so far")
        time.sleep(POLL_SECONDS)


def _bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size
        except OSError:
            continue
    return total


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
