"""A session over HTTP that is careful with tokens and time, and tells failures as data.

Redirects are followed here, one by one: `Authorization` and cookies go no further than the host and port that they are
for, and never from https to http. No cookie that a server sets is kept: cookies do not know about ports.
"""

from __future__ import annotations

import copy
import functools
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urljoin, urlsplit, urlunsplit

from runners.hubs.endpoints import Endpoint

if TYPE_CHECKING:
    import httpx

Kind = Literal["unreachable", "missing", "login", "gated", "wrong"]
REFUSED: tuple[Kind, ...] = ("login", "gated")
MAX_REDIRECTS = 8
MAX_DOCUMENT = 64 << 20
MAX_DETAIL = 200
REDIRECTS = {301, 302, 303, 307, 308}
STATUS: Mapping[int, Kind] = {401: "login", 403: "gated", 404: "missing", 410: "missing", 429: "unreachable"}


class Failed(Exception):
    """A hub or mirror did not do what was asked. `detail` is for people and holds no secret."""

    def __init__(self, kind: Kind, detail: str, timed_out: bool = False) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.timed_out = timed_out


class Cancelled(Exception):
    """The run is over: another part of it failed, or somebody wants it to stop."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, bytes and numbers of tries.

    An address that has sent less than `crawl` bytes in `window` seconds is given up like one that is silent for `read`.
    Tries count from anew when at least `progress` bytes came.
    """

    connect: float = 10.0
    read: float = 20.0
    window: float = 30.0
    crawl: int = 32 << 10
    tries: int = 3
    pause: float = 1.0
    progress: int = 64 << 10


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer whose body is still to come. `commit` is the first `X-Repo-Commit` on the way to it."""

    host: str
    status: int
    headers: Mapping[str, str]
    commit: str | None
    body: Iterator[bytes]


@dataclass
class Session:
    """Connections to hubs and mirrors, shared by threads. `stop` ends all that goes on."""

    limits: Limits = field(default_factory=Limits)
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        from http.cookiejar import CookieJar, DefaultCookiePolicy

        import httpx  # a tenth of a second, and the engines bring it along

        self._http = httpx
        limits = self.limits
        self._client = httpx.Client(
            verify=_certificates(),
            timeout=httpx.Timeout(limits.read, connect=limits.connect),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers={"User-Agent": "recipe-compiler", "Accept-Encoding": "identity"},
        )

    def close(self) -> None:
        """Let go of all connections."""
        self._client.close()

    def batch(self) -> Session:
        """The same connections for some work that ends by itself."""
        batch = copy.copy(self)
        batch.stop = threading.Event()
        return batch

    def check(self) -> None:
        """Errors: Cancelled when the run is over."""
        if self.stop.is_set():
            raise Cancelled

    def pause(self, seconds: float) -> None:
        """Wait, but not longer than the run. Errors: Cancelled."""
        self.stop.wait(seconds)
        self.check()

    @contextmanager
    def open(self, endpoint: Endpoint, path: str, headers: Mapping[str, str] | None = None) -> Iterator[Answer]:
        """The answer to GET, redirects followed. Errors: Failed, also while the body is read; Cancelled."""
        url, secrets = f"{endpoint.url}{path}", dict(endpoint.secrets)
        commit: str | None = None
        with self._told(lambda: urlsplit(url).netloc):
            for _ in range(MAX_REDIRECTS):
                self.check()
                with self._client.stream("GET", url, headers={**(headers or {}), **secrets}) as response:
                    commit = commit or response.headers.get("X-Repo-Commit")
                    if response.status_code not in REDIRECTS:
                        elsewhere = _origin(url) != _origin(endpoint.url)
                        yield self._answer(urlsplit(url).netloc, response, commit, elsewhere)
                        return
                    target = _target(url, response.headers.get("Location", ""))
                if _origin(target) != _origin(url):
                    secrets = {}
                url = target
            raise Failed("wrong", f"{urlsplit(url).netloc} redirects without end")

    @contextmanager
    def _told(self, whom: Callable[[], str]) -> Iterator[None]:
        """What goes wrong below HTTP, as data; `whom` names the host that is asked at that time."""
        http = self._http
        try:
            yield
        except http.TimeoutException as error:
            word = "accepts no connection" if isinstance(error, http.ConnectTimeout) else "does not answer"
            raise Failed("unreachable", f"{whom()} {word} in time", timed_out=True) from None
        except http.TransportError as error:
            raise Failed("unreachable", f"{whom()}: {brief(str(error)) or type(error).__name__}") from None
        except (http.InvalidURL, UnicodeError):
            raise Failed("wrong", f"{whom()} redirects to no address") from None

    def _answer(self, host: str, response: httpx.Response, commit: str | None, elsewhere: bool) -> Answer:
        """Errors: Failed when the status is none of success."""
        status = response.status_code
        if status not in (200, 206):
            kind = STATUS.get(status, "unreachable" if status >= 500 else "wrong")
            if status == 401 and _no_such_repository(response.headers):
                kind = "missing"
            if elsewhere and kind in REFUSED:
                kind = "unreachable"  # a storage whose permit has run out is no gate; the hub gives a new one
            raise Failed(kind, f"{host} answers {status}")
        return Answer(host, status, response.headers, commit, self._body(host, response))

    def _body(self, host: str, response: httpx.Response) -> Iterator[bytes]:
        began, got = time.monotonic(), 0
        for chunk in response.iter_raw():
            self.check()
            yield chunk
            got += len(chunk)
            now = time.monotonic()
            if now - began >= self.limits.window:
                if got < self.limits.crawl:
                    raise Failed("unreachable", f"{host} sent {got} bytes in {now - began:.0f} s", timed_out=True)
                began, got = now, 0

    def json(self, endpoint: Endpoint, path: str) -> tuple[Any, Mapping[str, str]]:
        """A document and its headers; asked again when the way there breaks. Errors: Failed, Cancelled."""
        for attempt in range(1, self.limits.tries + 1):
            try:
                return self._json(endpoint, path)
            except Failed as failed:
                if failed.kind != "unreachable" or failed.timed_out or attempt == self.limits.tries:
                    raise
            self.pause(self.limits.pause * attempt)
        raise AssertionError("at least one try")

    def _json(self, endpoint: Endpoint, path: str) -> tuple[Any, Mapping[str, str]]:
        with self.open(endpoint, path, {"Accept": "application/json"}) as answer:
            content = whole(answer, MAX_DOCUMENT)
        try:
            return json.loads(content), answer.headers
        except (ValueError, RecursionError):
            raise Failed("wrong", f"{answer.host} answers with something that is no JSON") from None


@functools.cache
def _certificates() -> ssl.SSLContext:
    """What https trusts, read once: that takes longer than a small download."""
    import httpx  # as above

    return httpx.create_ssl_context()


def whole(answer: Answer, limit: int) -> bytes:
    """The body of an answer. Errors: Failed when it has more bytes than that."""
    content = bytearray()
    for chunk in answer.body:
        content += chunk
        if len(content) > limit:
            raise Failed("wrong", f"{answer.host} answers with more than {limit} bytes")
    return bytes(content)


def _no_such_repository(headers: Mapping[str, str]) -> bool:
    """Hugging Face answers 401 for a repository that does not exist, to all who are not logged in."""
    return headers.get("X-Error-Code") == "RepoNotFound" and "credentials" not in headers.get("X-Error-Message", "")


def _target(url: str, location: str) -> str:
    """Where a redirect leads, without a name and a password. Errors: Failed when no token could be safe there."""
    try:
        target = urlsplit(urljoin(url, location))
        known = bool(location and target.hostname) and target.scheme in ("http", "https") and target.port != 0
    except ValueError:  # a port that is none
        known = False
    if not known:
        raise Failed("wrong", f"{urlsplit(url).netloc} redirects to no address")
    if urlsplit(url).scheme == "https" and target.scheme == "http":
        raise Failed("wrong", f"{urlsplit(url).netloc} redirects from https to http")
    return urlunsplit(target._replace(netloc=target.netloc.rpartition("@")[2]))


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme]


def brief(text: str) -> str:
    """One line for people out of what somebody else has written."""
    line = "".join(letter if letter.isprintable() else " " for letter in text).strip()
    return line if len(line) <= MAX_DETAIL else f"{line[:MAX_DETAIL]} …"
