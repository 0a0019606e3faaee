"""What goes wrong with the bytes of a file on their way, and how the hubs describe files."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub_server import Handler

Files = dict[str, bytes]
LARGE = (".safetensors", ".bin", ".parquet")
"""Files that are kept as large files: Hugging Face lists their sha256, and both may redirect to a storage."""


@dataclass
class Fault:
    """Something that goes wrong with files that match: `what` is a method of `Sender`; `at` counts bytes."""

    what: str
    at: int = 0
    match: str = "*.safetensors"
    times: int = 1 << 30
    to: str = ""


@dataclass
class Sender:
    """Sends a file, or what a fault makes of that."""

    handler: Handler
    path: str
    content: bytes
    headers: dict[str, str]

    def send(self) -> None:
        fault = self.handler.state.taken(self.path) if self.handler.command == "GET" else None
        if fault is not None and fault.what == "ignore_range":
            del self.handler.headers["Range"]
            fault = Fault("drop", fault.at) if fault.at else None
        begin, status, headers = self._span()
        if status == 416:
            self.handler.send(416, b"", headers)
        elif fault is None:
            self.handler.send(status, self.content[begin:], headers)
        else:
            getattr(self, fault.what)(fault, begin, status, headers)

    def _span(self) -> tuple[int, int, dict[str, str]]:
        headers = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes", **self.headers}
        found = re.match(r"bytes=(\d+)-", self.handler.headers.get("Range") or "")
        if found is None:
            return 0, 200, headers
        begin, size = int(found[1]), len(self.content)
        if begin >= size:
            return 0, 416, {"Content-Range": f"bytes */{size}"}
        return begin, 206, {**headers, "Content-Range": f"bytes {begin}-{size - 1}/{size}"}

    def drop(self, fault: Fault, begin: int, status: int, headers: dict[str, str]) -> None:
        """Cut the connection after `at` bytes."""
        rest = self.content[begin:]
        self.handler.send(status, rest[: fault.at], headers, len(rest))
        self.handler.wfile.flush()
        self.handler.close_connection = True

    def corrupt(self, fault: Fault, begin: int, status: int, headers: dict[str, str]) -> None:
        """Another byte at `at`."""
        other = bytearray(self.content)
        other[fault.at] ^= 255
        self.handler.send(status, bytes(other)[begin:], headers)

    def corrupt_and_drop(self, fault: Fault, begin: int, status: int, headers: dict[str, str]) -> None:
        """The same, and then the connection is cut soon after that byte."""
        other = bytearray(self.content)
        other[fault.at] ^= 255
        rest = bytes(other)[begin:]
        self.handler.send(status, rest[: fault.at + 5000], headers, len(rest))
        self.handler.wfile.flush()
        self.handler.close_connection = True

    def truncate(self, fault: Fault, begin: int, status: int, headers: dict[str, str]) -> None:
        """The file has only `at` bytes, and the answer says so."""
        self.handler.send(200, self.content[: fault.at], headers)

    def longer(self, fault: Fault, begin: int, status: int, headers: dict[str, str]) -> None:
        """`at` more bytes, in an answer that does not say how many."""
        self.handler.send_response(status)
        self.handler.send_header("Connection", "close")
        self.handler.end_headers()
        self.handler.wfile.write(self.content[begin:] + bytes(fault.at))
        self.handler.close_connection = True

    def wrong_range(self, fault: Fault, begin: int, status: int, headers: dict[str, str]) -> None:
        """Other bytes than were asked for, and the head says so."""
        if status == 206:
            size = len(self.content)
            headers = {**headers, "Content-Range": f"bytes 0-{size - 1 - begin}/{size}"}
            self.handler.send(206, self.content[: size - begin], headers)
        else:
            self.handler.send(status, self.content, headers)

    def status(self, fault: Fault, begin: int, status: int, headers: dict[str, str]) -> None:
        """An answer with status `at`."""
        self.handler.json(fault.at, {"error": "as the test wants it"})

    def stall(self, fault: Fault, begin: int, status: int, headers: dict[str, str]) -> None:
        """Nothing more after `at` bytes."""
        rest = self.content[begin:]
        self.handler.send(status, rest[: fault.at], headers, len(rest))
        self.handler.wfile.flush()
        self.handler.state.over.wait(60)
        self.handler.close_connection = True

    def slow(self, fault: Fault, begin: int, status: int, headers: dict[str, str]) -> None:
        """`at` bytes each twentieth of a second."""
        rest = self.content[begin:]
        self.handler.send(status, b"", headers, len(rest))
        for place in range(0, len(rest), fault.at):
            self.handler.wfile.write(rest[place : place + fault.at])
            self.handler.wfile.flush()
            if self.handler.state.over.wait(0.05):
                return

    def redirect(self, fault: Fault, begin: int, status: int, headers: dict[str, str]) -> None:
        """Elsewhere."""
        self.handler.send(302, b"", {"Location": fault.to.replace("SHA256", sha256_of(self.content))})


def commit_of(hub: str, files: Files) -> str:
    """A commit that depends on the files; each hub has its own."""
    listed = {path: sha256_of(content) for path, content in sorted(files.items())}
    return hashlib.sha1(f"{hub} {json.dumps(listed)}".encode()).hexdigest()


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest()


def sizes(path: str, content: bytes) -> dict[str, object]:
    large = {"lfs": {"oid": sha256_of(content), "sha256": sha256_of(content), "size": len(content), "pointerSize": 134}}
    return {"size": len(content), **(large if path.endswith(LARGE) else {})}


def modelscope_entry(path: str, content: bytes) -> dict[str, object]:
    return {
        "Name": path.rpartition("/")[2],
        "Path": path,
        "Type": "blob",
        "Size": len(content),
        "Sha256": sha256_of(content),
        "Revision": "b" * 40,
        "IsLFS": path.endswith(LARGE),
        "Mode": "33188",
        "CommittedDate": 0,
    }
