"""A server on loopback that speaks enough of the ModelScope and Hugging Face protocols for their stock clients."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".safetensors", ".bin")
"""Files that are kept as large files: the hubs list their sha256."""
MODELSCOPE = re.compile(r"/api/v1/(models|datasets)/([^/]+/[^/]+)(/repo/files|/repo/tree|/repo|/revisions|)$")
HUGGINGFACE_API = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+))?$")
HUGGINGFACE_FILE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")


@dataclass
class Hub:
    """What the server has: (kind, id) → path → bytes, for each of the two hubs; and what it was asked."""

    modelscope: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    huggingface: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    corrupted: set[str] = field(default_factory=set)
    """Paths of which other bytes of the same number are sent."""
    listed_outside: set[str] = field(default_factory=set)
    """Ids whose listing has a path that leaves the folder."""
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def bytes_of(self, path: str, content: bytes) -> bytes:
        return bytes(255 - byte for byte in content) if path in self.corrupted else content


@contextmanager
def served(hub: Hub) -> Iterator[Hub]:
    """The hub on a free port of 127.0.0.1."""

    class Bound(Handler):
        state = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    state: Hub

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        path, query = unquote(url.path), {name: values[0] for name, values in parse_qs(url.query).items()}
        self.state.asked.append(f"{self.command} {self.path}{' with a token' if self._has_token() else ''}")
        if found := MODELSCOPE.match(path):
            self._modelscope(*found.groups(), query)
        elif found := HUGGINGFACE_API.match(path):
            self._huggingface_api(*found.groups())
        elif found := HUGGINGFACE_FILE.match(path):
            self._huggingface_file(*found.groups())
        else:
            self._json(404, {"Code": 404, "Success": False, "Message": "no such address"})

    do_HEAD = do_GET
    do_POST = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Not on the test's output."""

    def _has_token(self) -> bool:
        return "Authorization" in self.headers or "m_session_id" in self.headers.get("Cookie", "")

    def _modelscope(self, kind: str, id: str, part: str, query: dict[str, str]) -> None:
        files = self.state.modelscope.get((kind.removesuffix("s"), id))
        if files is None:
            self._json(404, {"Code": 10010205001, "Success": False, "Message": f"{id} not found", "Data": None})
        elif id in self.state.gated:
            self._json(403, {"Code": 10010204001, "Success": False, "Message": "access denied", "Data": None})
        elif part in ("/repo/files", "/repo/tree"):
            wanted = files if query.get("PageNumber", "1") == "1" else {}
            listed = [_entry(path, content) for path, content in wanted.items()]
            if id in self.state.listed_outside:
                listed.append(_entry("../outside.json", b"{}"))
            committer = {"Id": "a" * 40, "ShortId": "a" * 8}
            self._envelope({"Files": listed, "LatestCommitter": committer, "TotalCount": len(files)})
        elif part == "/revisions":
            self._envelope({"RevisionMap": {"Branches": [{"Revision": "master", "CreatedAt": 0}], "Tags": []}})
        elif part == "/repo" and query.get("FilePath") in files:
            self._file(query["FilePath"], files[query["FilePath"]], {})
        elif part == "":
            self._envelope({"Id": 1, "Type": 4})
        else:
            self._json(404, {"Code": 404, "Success": False, "Message": "no such file"})

    def _huggingface_api(self, kind: str, id: str, part: str | None, revision: str | None) -> None:
        files = self.state.huggingface.get((kind.removesuffix("s"), id))
        if files is None:
            self._json(401, {"error": "Invalid username or password."}, {"X-Error-Code": "RepoNotFound"})
        elif id in self.state.gated:
            self._json(403, {"error": "gated"}, {"X-Error-Code": "GatedRepo"})
        elif revision not in (None, "main", COMMIT):
            self._json(404, {"error": "no such revision"}, {"X-Error-Code": "RevisionNotFound"})
        elif part == "tree":
            self._json(200, [{"type": "file", "path": p, "oid": _git(c), **_sizes(p, c)} for p, c in files.items()])
        else:
            siblings = [{"rfilename": path, "blobId": _git(c), **_sizes(path, c)} for path, c in files.items()]
            self._json(200, {"id": id, "sha": COMMIT, "siblings": siblings, "private": False, "tags": []})

    def _huggingface_file(self, dataset: str | None, id: str, revision: str, path: str) -> None:
        files = self.state.huggingface.get(("dataset" if dataset else "model", id), {})
        if path not in files:
            self._json(404, {"error": "no such entry"}, {"X-Error-Code": "EntryNotFound"})
            return
        etag = _sha256(files[path]) if path.endswith(LARGE) else _git(files[path])
        linked = {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(files[path]))} if path.endswith(LARGE) else {}
        self._file(path, files[path], {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, **linked})

    def _file(self, path: str, content: bytes, headers: dict[str, str]) -> None:
        sent = self.state.bytes_of(path, content)
        status = 200
        if found := re.match(r"bytes=(\d+)-(\d*)$", self.headers.get("Range", "")):
            start, end = int(found[1]), int(found[2] or len(sent) - 1)
            if start >= len(sent):
                self._send(416, b"", {"Content-Range": f"bytes */{len(sent)}"})
                return
            status, headers = 206, {**headers, "Content-Range": f"bytes {start}-{end}/{len(sent)}"}
            sent = sent[start : end + 1]
        self._send(status, sent, {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes", **headers})

    def _envelope(self, data: object) -> None:
        self._json(200, {"Code": 200, "Success": True, "Message": "", "RequestId": "r", "Data": data})

    def _json(self, status: int, document: object, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(document).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        if length := int(self.headers.get("Content-Length") or 0):
            self.rfile.read(length)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


COMMIT = "c" * 40


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _git(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest()


def _sizes(path: str, content: bytes) -> dict[str, object]:
    large = {"lfs": {"oid": _sha256(content), "sha256": _sha256(content), "size": len(content), "pointerSize": 134}}
    return {"size": len(content), **(large if path.endswith(LARGE) else {})}


def _entry(path: str, content: bytes) -> dict[str, object]:
    return {
        "Name": path.rpartition("/")[2],
        "Path": path,
        "Type": "blob",
        "Size": len(content),
        "Sha256": _sha256(content),
        "Revision": "b" * 40,
        "IsLFS": path.endswith(LARGE),
        "Mode": "33188",
        "CommittedDate": 0,
    }
