"""Bring the files of an asset into the store, from whoever has them at the locked commits.

Mirrors first, then the hubs. A source that cannot be reached, lacks a file or gives other bytes is followed by the next
one, which goes on with the same part. A hub that wants a token or an accepted licence is followed by nobody, and a
mirror that does is followed by its own hub alone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from runners import meter as meters
from runners import store as stores
from runners.hubs import PROTOCOLS, endpoints, words
from runners.hubs.endpoints import Endpoint
from runners.hubs.http import REFUSED, Answer, Failed, Limits, Session
from runners.meter import Meter
from runners.store import Mismatch, Part, Store
from schema.diagnostics import Diagnostic, RecipeError
from schema.lock import Asset, LockedFile
from schema.machine import load_machine

T = TypeVar("T")
AT_ONCE = 4
POLL_SECONDS = 0.05
Tick = Callable[[], None]


def nothing() -> None:
    """Nobody wants us to stop."""


@dataclass(frozen=True, slots=True)
class Run:
    """What the downloads of one run share. Without a session nobody is asked. `dead` says what is wrong with whom."""

    root: Path
    store: Store
    endpoints: tuple[Endpoint, ...]
    session: Session | None
    meter: Meter
    tick: Tick
    dead: dict[Endpoint, str] = field(default_factory=dict)

    @property
    def hubs(self) -> tuple[Endpoint, ...]:
        """Those who say what a name stands for."""
        return tuple(endpoint for endpoint in self.endpoints if endpoint.own)

    def wait(self) -> None:
        """Called often by whoever waits. Errors: what `tick` raises."""
        self.tick()
        self.meter.news()


@contextmanager
def opened(
    root: Path, tick: Tick = nothing, *, offline: bool = False, quiet: bool = False, limits: Limits | None = None
) -> Iterator[Run]:
    """A run of a project, as its machine file and the environment say. Errors: RecipeError, OSError."""
    machine = load_machine(root)
    asked = endpoints.ordered(machine, os.environ)
    store = Store(stores.place(root, machine, os.environ))
    session = None if offline else _session(limits or Limits())
    try:
        with store.in_use(tick):
            store.register(root)
            yield Run(root, store, asked, session, meters.chosen(quiet), tick)
    finally:
        if session is not None:
            session.close()


def _session(limits: Limits) -> Session:
    """Errors: RecipeError when the environment names a proxy that cannot be used."""
    try:
        return Session(limits)
    except ModuleNotFoundError:
        raise
    except (ImportError, ValueError) as error:  # what httpx raises for proxies; its words may hold their passwords
        message = f"a proxy that the environment names cannot be used ({type(error).__name__})"
        help = "look at HTTPS_PROXY, HTTP_PROXY and ALL_PROXY: http:// or https://, a host and a port"
        raise RecipeError([Diagnostic("R0532", message, help)]) from None


@dataclass(frozen=True, slots=True)
class Source:
    """Somebody who has an asset at a commit."""

    endpoint: Endpoint
    kind: str
    repo: str
    commit: str

    def path(self, file: str) -> str:
        path: str = PROTOCOLS[self.endpoint.hub].file_path(self.kind, self.repo, self.commit, file)
        return path


def sources(run: Run, kind: str, asset: Asset) -> list[Source]:
    """Who has an asset, in the order in which they are asked."""
    known = {str(hub): source for hub, source in asset.sources.items()}
    return [
        Source(endpoint, kind, known[endpoint.hub].repo, known[endpoint.hub].commit)
        for endpoint in run.endpoints
        if endpoint.hub in known
    ]


def have(run: Run, name: str, kind: str, asset: Asset, paths: Collection[str] | None = None) -> None:
    """Have the files of an asset, or some of them, in the store.

    Errors: RecipeError (R0531 a gate, R0532 nobody answers, R0533 nobody has these bytes, R0536 offline), OSError.
    """
    wanted = {file.sha256: path for path, file in sorted(asset.files.items()) if paths is None or path in paths}
    missing = [p for sha256, p in wanted.items() if not run.store.has(sha256, asset.files[p].size)]
    if not missing:
        return
    if run.session is None:
        raise RecipeError([_not_here(name, missing, run.store)])
    session = run.session.batch()
    asked = sources(run, kind, asset)
    if not asked:
        raise RecipeError([words.nobody(name, list(asset.sources))])
    jobs = [_Job(run, session, name, path, asset.files[path], asked) for path in missing]
    with run.meter.during(name, sum(job.file.size for job in jobs)):
        at_once([job.get for job in jobs], session, run.wait)


def _not_here(name: str, missing: Sequence[str], store: Store) -> Diagnostic:
    more = f" and {len(missing) - 1} more files" if len(missing) > 1 else ""
    message = f"{missing[0]}{more} of {name} {'are' if more else 'is'} not in the store {store.folder}"
    return Diagnostic("R0536", message, "fetch once without --offline, or copy the store of a machine that has")


def at_once(jobs: Sequence[Callable[[], T]], session: Session, tick: Tick) -> list[T]:
    """What some jobs give, done by a few threads. Errors: the first of any job; what `tick` raises. All others end then.

    They, and nobody else, use this session, for it is stopped then. The threads are not waited for in that case: one may
    be stuck in a read until its time is over.
    """
    waiting, results, errors = list(enumerate(jobs)), dict[int, T](), list[BaseException]()
    over = threading.Event()

    def work() -> None:
        try:
            while waiting and not over.is_set():
                number, job = waiting.pop(0)
                results[number] = job()
        except IndexError:  # another thread took the last one
            return
        except BaseException as error:
            errors.append(error)
            over.set()
        if len(results) == len(jobs):
            over.set()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(AT_ONCE, len(jobs)))]
    for thread in threads:
        thread.start()
    try:
        while not over.wait(POLL_SECONDS):
            tick()
    finally:
        over.set()
        if len(results) < len(jobs):
            session.stop.set()
    if errors:
        raise errors[0]
    return [results[number] for number in range(len(jobs))]


@dataclass
class _Job:
    """One file on its way into the store."""

    run: Run
    session: Session
    name: str
    path: str
    file: LockedFile
    sources: list[Source]
    failures: dict[Endpoint, Failed] = field(default_factory=dict)

    @property
    def what(self) -> str:
        return f"{self.path} of {self.name}"

    def get(self) -> None:
        """Errors: RecipeError, OSError, Cancelled."""
        with self.run.store.part(self.file.sha256, self.file.size, self.session.check) as part:
            if part is None:
                self.run.meter.add(self.path, self.file.size)
                return
            self.run.meter.file(self.path, self.file.size)
            self.run.meter.add(self.path, part.size)
            self._from_somebody(part)
            self.run.meter.done(self.path)

    def _from_somebody(self, part: Part) -> None:
        """From the first source that gives the right bytes; once more from the start, should what we had be bad."""
        resumed = part.size > 0
        if self._from_any(part) or (resumed and self._again(part)):
            return
        raise RecipeError([self._diagnostic()])

    def _again(self, part: Part) -> bool:
        kinds = {failed.kind for failed in self.failures.values()}
        if "wrong" not in kinds or kinds & {*REFUSED}:
            return False
        self._clear(part)
        return self._from_any(part)

    def _from_any(self, part: Part) -> bool:
        waiting = [source for source in self.sources if source.endpoint not in self.run.dead]
        while waiting:
            source = waiting.pop(0)
            try:
                self._from_one(source, part)
                return True
            except Failed as failed:
                self.failures[source.endpoint] = failed
                if failed.kind in REFUSED:
                    waiting = self._behind_the_gate(source, failed)
                elif failed.kind == "unreachable":
                    self.run.dead.setdefault(source.endpoint, failed.detail)
        return False

    def _behind_the_gate(self, source: Source, failed: Failed) -> list[Source]:
        """Only the hub itself may say that we are let in. Errors: RecipeError when it is the one that refuses."""
        if source.endpoint.own:
            raise RecipeError([words.refused(source.kind, source.repo, source.endpoint, failed)])
        return [s for s in self.sources if s.endpoint.own and s.endpoint.hub == source.endpoint.hub]

    def _from_one(self, source: Source, part: Part) -> None:
        """From one source, tried again when the way breaks. Errors: Failed."""
        tries, best = 0, part.size
        while True:
            try:
                self._whole_from(source, part)
                return
            except Failed as failed:
                if failed.kind != "unreachable":
                    raise
                progressed = part.size >= best + self.session.limits.progress
                tries, best = (0 if progressed else tries + 1), max(best, part.size)
                if tries >= self.session.limits.tries or (failed.timed_out and not progressed):
                    raise
            self.session.pause(self.session.limits.pause * tries)

    def _whole_from(self, source: Source, part: Part) -> None:
        """The rest from a source; all of it when what had come before does not go with it. Errors: Failed."""
        resumed = part.size > 0
        try:
            self._rest_from(source, part)
        except Mismatch:
            self._counted(-self.file.size)
            if not resumed:
                raise Failed("wrong", "it gives other bytes") from None
            self._whole_from(source, part)

    def _rest_from(self, source: Source, part: Part) -> None:
        """Errors: Failed, Mismatch (then the part is empty)."""
        if part.size < self.file.size:
            headers = {"Range": f"bytes={part.size}-"} if part.size else {}
            with self.session.open(source.endpoint, source.path(self.path), headers) as answer:
                self._begin(answer, part)
                for chunk in answer.body:
                    if part.size + len(chunk) > self.file.size:
                        raise Failed("wrong", f"it gives more than {self.file.size} bytes")
                    part.write(chunk)
                    self._counted(len(chunk))
        self.session.check()
        if part.size < self.file.size:
            raise Failed("wrong", f"it gives {part.size} of {self.file.size} bytes")
        part.promote()

    def _begin(self, answer: Answer, part: Part) -> None:
        """Look at the head of an answer. Errors: Failed when it is about other bytes than the part lacks."""
        if answer.status == 206:
            span = f"bytes {part.size}-{self.file.size - 1}/{self.file.size}"
            if answer.headers.get("Content-Range") != span:
                told = answer.headers.get("Content-Range")
                raise Failed("wrong", f"it answers with range {told!r} when it is asked for {span!r}")
            return
        length = answer.headers.get("Content-Length", "")
        if length.isdigit() and int(length) != self.file.size:
            raise Failed("wrong", f"it has {length} bytes instead of {self.file.size}")
        self._clear(part)  # it cannot go on in the middle

    def _clear(self, part: Part) -> None:
        self._counted(-part.size)
        part.clear()

    def _counted(self, count: int) -> None:
        if count:
            self.run.meter.add(self.path, count)

    def _diagnostic(self) -> Diagnostic:
        """Why nobody gave the file: a gate goes before bad bytes, those before silence."""
        for endpoint, failed in self.failures.items():
            if failed.kind in REFUSED:
                repo = next(source.repo for source in self.sources if source.endpoint == endpoint)
                return words.refused(self.sources[0].kind, repo, endpoint, failed)
        told: Mapping[Endpoint, str] = {
            source.endpoint: self.failures[source.endpoint].detail
            if source.endpoint in self.failures
            else self.run.dead.get(source.endpoint, "")
            for source in self.sources
        }
        silent = all(e in self.run.dead for e in told)
        return words.unreachable(self.what, told) if silent else words.wrong(self.what, told)
