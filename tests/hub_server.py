"""A server on loopback that speaks the protocols of ModelScope and Hugging Face, with every fault as data.

Its second port is a storage: large files can be redirected there, as the hubs do. Everything that is asked is noted,
with whether a token or a cookie came along.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from hub_faults import LARGE, Fault, Files, Sender, commit_of, git, modelscope_entry, sha256_of, sizes

MODELSCOPE = re.compile(
    r"/api/v1/(models|datasets)/([^/]+/[^/]+)((?:/repo/files|/repo/tree|/repo|/revisions|/commits)?)$"
)
HUGGINGFACE_API = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+))?$")
HUGGINGFACE_FILE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")
HF_PAGE = 3  # entries of a page of its tree
SESSION = "m_session_id"


@dataclass
class Repo:
    """A repository: commit → files, and branch or tag → commit. `gated` wants a token, `private` also hides it."""

    commits: dict[str, Files]
    refs: dict[str, str]
    gated: bool = False
    private: bool = False

    def commit(self, revision: str) -> str | None:
        return revision if revision in self.commits else self.refs.get(revision)


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    range: str | None
    token: bool
    cookie: bool
    storage: bool

    @property
    def file(self) -> str | None:
        """The path of the file that is asked for."""
        url = urlsplit(self.path)
        resolved = HUGGINGFACE_FILE.match(unquote(url.path))
        return resolved[4] if resolved else parse_qs(url.query).get("FilePath", [None])[0]


@dataclass
class Hub:
    """What the server has, by (kind, id), for each hub; what goes wrong; what it was asked."""

    modelscope: dict[tuple[str, str], Repo] = field(default_factory=dict)
    huggingface: dict[tuple[str, str], Repo] = field(default_factory=dict)
    token: str = "a-secret-that-is-right"
    storage: bool = False
    """Redirect large files to the other port."""
    faults: list[Fault] = field(default_factory=list)
    listing: set[str] = field(default_factory=set)
    """What goes wrong with listings; see `modelscope_listing` and `huggingface_tree`."""
    status: int = 0
    """Answer everything with this."""
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    storage_url: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def add(self, hub: str, kind: str, id: str, files: Files, **options: bool) -> Repo:
        """A repository of one commit, on the default branch."""
        repos = self.modelscope if hub == "modelscope" else self.huggingface
        commit = commit_of(hub, files)
        repos[kind, id] = Repo({commit: files}, {"master" if hub == "modelscope" else "main": commit}, **options)
        return repos[kind, id]

    def files_asked(self, path: str = "") -> list[Asked]:
        """The requests for the bytes of a file, or of all."""
        return [a for a in self.asked if a.method == "GET" and a.file is not None and path in ("", a.file)]

    def taken(self, path: str) -> Fault | None:
        """The next fault for a file, used up once."""
        for fault in self.faults:
            if fault.times > 0 and fnmatch(path, fault.match):
                fault.times -= 1
                return fault
        return None


@contextmanager
def served(hub: Hub) -> Iterator[Hub]:
    """The hub and its storage on free ports of 127.0.0.1."""
    with ExitStack() as stack:
        hub.url = stack.enter_context(_listening(hub, False))
        storage = stack.enter_context(_listening(hub, True))
        hub.storage_url = storage.replace("127.0.0.1", "localhost")  # another host, as theirs are
        stack.callback(hub.over.set)
        yield hub


class Quiet(ThreadingHTTPServer):
    """Clients that hang up are what these tests are about."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def _listening(hub: Hub, is_storage: bool) -> Iterator[str]:
    class Bound(Handler):
        state = hub
        storage = is_storage

    server = Quiet(("127.0.0.1", 0), Bound)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.socket.close()
        thread.join()


class Hole(str):
    """The address of a socket that listens."""

    listening: socket.socket
    taken = 0

    @property
    def connections(self) -> int:
        """How many were made to it."""
        self.listening.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self.listening.accept()[0].close()
                self.taken += 1
        return self.taken


@contextmanager
def black_hole() -> Iterator[Hole]:
    """An address that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        hole = Hole(f"http://127.0.0.1:{listening.getsockname()[1]}")
        hole.listening = listening
        yield hole


def closed_port() -> str:
    """An address where nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed.getsockname()[1]}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet, or each answer waits for an acknowledgement
    disable_nagle_algorithm = True
    state: Hub
    storage: bool

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        path, query = unquote(url.path), {name: values[0] for name, values in parse_qs(url.query).items()}
        token, cookie = "Authorization" in self.headers, "Cookie" in self.headers
        asked = Asked(self.command, self.path, self.headers.get("Range"), token, cookie, self.storage)
        self.state.asked.append(asked)
        if self.state.status:
            self.json(self.state.status, {"error": "as the test wants it"})
        elif self.storage:
            self._storage(path.lstrip("/"))
        elif self._token() not in (None, self.state.token):
            message = "Invalid credentials in Authorization header"
            self.json(401, {"error": message, "Success": False}, {"X-Error-Message": message})
        elif found := MODELSCOPE.match(path):
            self._modelscope(*found.groups(), query)
        elif found := HUGGINGFACE_API.match(path):
            self._huggingface_api(*found.groups(), query)
        elif found := HUGGINGFACE_FILE.match(path):
            self._huggingface_file(*found.groups())
        else:
            self.json(404, {"Code": 404, "Success": False, "Message": "no such address"})

    do_HEAD = do_GET
    do_POST = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Not on the test's output."""

    def _token(self) -> str | None:
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        cookie = re.search(rf"\b{SESSION}=([^;]+)", self.headers.get("Cookie", ""))
        return bearer or (cookie[1] if cookie else None)

    def _storage(self, sha256: str) -> None:
        for repo in (*self.state.modelscope.values(), *self.state.huggingface.values()):
            for files in repo.commits.values():
                for path, content in files.items():
                    if sha256_of(content) == sha256:
                        Sender(self, path, content, {}).send()
                        return
        self.json(404, {})

    # ModelScope

    def _modelscope(self, kind: str, id: str, part: str, query: dict[str, str]) -> None:
        repo = self.state.modelscope.get((kind.removesuffix("s"), id))
        known = self._token() == self.state.token
        if repo is None or (repo.private and not known):
            self.json(404, {"Code": 10010205001, "Success": False, "Message": f"{id} not found", "Data": None})
        elif repo.gated and not known:
            self.json(403, {"Code": 10010205003, "Success": False, "Message": "no permission"})
        elif part in ("/repo/files", "/repo/tree"):
            self._modelscope_listing(repo, part == "/repo/tree", query)
        elif part == "/commits":
            self._commits(repo, query["Ref"])
        elif part == "/revisions":
            branches = [{"Revision": name, "CreatedAt": 0} for name in repo.refs]
            self.envelope({"RevisionMap": {"Branches": branches, "Tags": []}})
        elif part == "/repo":
            self._modelscope_file(repo, query)
        else:
            self.envelope({"Id": 1, "Type": 4})

    def _commits(self, repo: Repo, ref: str) -> None:
        commit = repo.commit(ref)
        if "no-commits" in self.state.listing:
            self.json(404, {"Code": 404, "Success": False, "Message": "no such address"})
        elif "lying-commits" in self.state.listing:
            self.envelope({"Commit": [{"Id": "e" * 40, "ShortId": "e" * 8}]})
        elif commit is None:
            self.envelope({"Commit": [], "TotalCount": 0})
        else:
            self.envelope({"Commit": [{"Id": commit, "ShortId": commit[:8]}], "TotalCount": 1})

    def _modelscope_listing(self, repo: Repo, paged: bool, query: dict[str, str]) -> None:
        wrong = self.state.listing
        commit = repo.commit(query.get("Revision", "master"))
        if "ignored-revision" in wrong:
            commit = list(repo.commits)[-1]
        entries = [modelscope_entry(path, content) for path, content in repo.commits.get(commit or "", {}).items()]
        total = len(entries)
        if "empty" in wrong or commit is None:
            entries, total = [], 0
        if "short" in wrong:
            entries = entries[:-1]
        if "huge" in wrong:
            entries = [modelscope_entry(f"{number}.json", b"{}") for number in range(3000)]
            total = len(entries)
        if "outside" in wrong:
            entries.append(modelscope_entry("../outside.json", b"{}"))
            total += 1
        if "absolute" in wrong:
            entries.append(modelscope_entry("/tmp/outside.json", b"{}"))
            total += 1
        for entry in entries if "no-sha256" in wrong else ():
            entry["Sha256"] = ""
        if paged:
            size = int(query.get("PageSize", "100"))
            size = min(size, 2) if "short-pages" in wrong else size
            begin = (int(query.get("PageNumber", "1")) - 1) * size
            entries = entries[begin : begin + size]
        committer = "d" * 40 if "lying-commit" in wrong else commit
        data = {
            "Files": None if "null" in wrong else entries,
            "LatestCommitter": {"Id": committer},
            "TotalCount": total,
        }
        self.envelope(data, success="no-success" not in wrong)

    def _modelscope_file(self, repo: Repo, query: dict[str, str]) -> None:
        files = repo.commits.get(repo.commit(query.get("Revision", "master")) or "", {})
        if "ignored-revision" in self.state.listing:
            files = list(repo.commits.values())[-1]
        path = query.get("FilePath", "")
        if path not in files:
            self.json(404, {"Code": 404, "Success": False, "Message": "no such file"})
            return
        linked = {"X-Linked-ETag": f'"{sha256_of(files[path])}"'} if path.endswith(LARGE) else {}
        self._file(path, files[path], linked)

    # Hugging Face

    def _huggingface(self, kind: str, id: str) -> Repo | None:
        """The repository, if the one who asks may have it; else the answer is given."""
        repo = self.state.huggingface.get((kind, id))
        known = self._token() == self.state.token
        if repo is None or (repo.private and not known):
            self.json(401, {"error": "Invalid username or password."}, {"X-Error-Code": "RepoNotFound"})
            return None
        if repo.gated and not known:
            self.json(403, {"error": "gated"}, {"X-Error-Code": "GatedRepo"})
            return None
        return repo

    def _huggingface_api(
        self, kind: str, id: str, part: str | None, revision: str | None, query: dict[str, str]
    ) -> None:
        repo = self._huggingface(kind.removesuffix("s"), id)
        if repo is None:
            return
        commit = repo.commit(unquote(revision or "main"))
        if commit is None:
            self.json(404, {"error": "no such revision"}, {"X-Error-Code": "RevisionNotFound"})
        elif part == "tree":
            self._huggingface_tree(repo.commits[commit], int(query.get("cursor", "0")))
        else:
            siblings = [
                {"rfilename": path, "blobId": git(c), **sizes(path, c)} for path, c in repo.commits[commit].items()
            ]
            sha = "d" * 40 if "lying-commit" in self.state.listing else commit
            self.json(200, {"id": id, "sha": sha, "siblings": siblings, "private": False, "tags": []})

    def _huggingface_tree(self, files: Files, begin: int) -> None:
        entries = [{"type": "file", "path": p, "oid": git(c), **sizes(p, c)} for p, c in files.items()]
        entries = [] if "empty" in self.state.listing else entries[:-1] if "short" in self.state.listing else entries
        if "outside" in self.state.listing:
            entries.append({"type": "file", "path": "../outside.json", "oid": git(b"{}"), "size": 2})
        more = begin + HF_PAGE < len(entries)
        host = "https://huggingface.co" if "foreign-links" in self.state.listing else self.state.url
        link = f'<{host}{urlsplit(self.path).path}?recursive=true&cursor={begin + HF_PAGE}>; rel="next"'
        self.json(200, entries[begin : begin + HF_PAGE], {"Link": link} if more else {})

    def _huggingface_file(self, dataset: str | None, id: str, revision: str, path: str) -> None:
        repo = self._huggingface("dataset" if dataset else "model", id)
        if repo is None:
            return
        commit = repo.commit(revision)
        files = repo.commits.get(commit or "", {})
        if commit is None or path not in files:
            self.json(404, {"error": "no such entry"}, {"X-Error-Code": "EntryNotFound"})
            return
        etag = sha256_of(files[path]) if path.endswith(LARGE) else git(files[path])
        linked = {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(files[path]))} if path.endswith(LARGE) else {}
        shown = "f" * 40 if "other-commit" in self.state.listing else commit
        self._file(path, files[path], {"ETag": f'"{etag}"', "X-Repo-Commit": shown, **linked})

    # Answers

    def _file(self, path: str, content: bytes, headers: dict[str, str]) -> None:
        if self.state.storage and path.endswith(LARGE):
            self.send(302, b"", {"Location": f"{self.state.storage_url}/{sha256_of(content)}", **headers})
        else:
            Sender(self, path, content, headers).send()

    def envelope(self, data: object, success: bool = True) -> None:
        self.json(200, {"Code": 200, "Success": success, "Message": "", "RequestId": "r", "Data": data})

    def json(self, status: int, document: object, headers: dict[str, str] | None = None) -> None:
        self.send(status, json.dumps(document).encode(), {"Content-Type": "application/json", **(headers or {})})

    def send(self, status: int, content: bytes, headers: dict[str, str], length: int | None = None) -> None:
        if count := int(self.headers.get("Content-Length") or 0):
            self.rfile.read(count)
        self.send_response(status)
        headers = {**headers, "Content-Length": str(len(content) if length is None else length)}
        for name, value in {**headers, "Set-Cookie": "tracked=by-the-hub"}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
