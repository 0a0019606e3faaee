"""Start a server on this machine alone, ask it the question of a split's first row, write down the reply, stop it.

python -m runners.ask --data outputs/x/data/validation.jsonl --to /tmp/asked --start swift deploy --model …

All words behind `--start` are the server's command; `--host 127.0.0.1` and a free port are added to it. It speaks
OpenAI's protocol (`/v1/models`, `/v1/chat/completions`). Whatever ends this process, the server ends with it.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import mimetypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from runners import cli
from runners.data.rows import IMAGE_TAG
from runners.processes import MARK, Group, end
from runners.supervise import Launch, Watcher, grace_seconds
from schema.diagnostics import Diagnostic, RecipeError
from schema.files import write_json

FORMAT = 1
LOOPBACK = "127.0.0.1"
POLL_SECONDS = 0.2
ANSWER_SECONDS = 300.0
DYING_SECONDS = 2.0
"""A process is there for a moment after its connections are closed."""


def main(argv: Sequence[str] | None = None) -> int:
    """The command line. Errors: RecipeError R0595 when the server does not start or does not answer."""
    options = _parse(argv)
    question = first_question(options.data)
    options.to.mkdir(parents=True, exist_ok=True)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _leave)
    with serving(options.start, options.start_timeout) as server:
        reply = ask(server, question, options.max_new_tokens, options.answer_timeout)
    write_json(options.to / "reply.json", reply)
    print(f"asked: {reply['question']!r}, answered: {reply['answer']!r}")
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m runners.ask", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="its first row is asked")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    parser.add_argument("--max_new_tokens", type=int, default=64)
    parser.add_argument("--start_timeout", type=float, default=600.0, metavar="SECONDS")
    parser.add_argument("--answer_timeout", type=float, default=ANSWER_SECONDS, metavar="SECONDS")
    parser.add_argument("--start", nargs=argparse.REMAINDER, required=True, metavar="COMMAND")
    return parser.parse_args(argv)


def _leave(number: int, frame: FrameType | None) -> None:
    """A signal ends us in the orderly way, so that the server is stopped."""
    print(f"stopped by {signal.Signals(number).name}: the server is ended, too", file=sys.stderr, flush=True)
    raise SystemExit(128 + number)


@dataclass(frozen=True, slots=True)
class Server:
    """A server that has been started."""

    process: subprocess.Popen[bytes]
    port: int

    def ended(self, seconds: float = 0.0) -> str | None:
        """How it came to its end, within so many seconds; None while it runs."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        if status >= 0:
            return f"ended with status {status}"
        why = ", as the system does where memory runs out," if status == -signal.SIGKILL else ""
        return f"was ended by {signal.Signals(-status).name}{why}"

    def request(self, method: str, path: str, body: Any = None, timeout: float = 10.0) -> Any:
        """The JSON that it answers. Errors: OSError, http.client.HTTPException, ValueError; RecipeError R0595 for a refusal."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=timeout)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise _failed(f"the server answers {path} with {answer.status}: {content[:300].decode(errors='replace')}")
        return json.loads(content)


@contextmanager
def serving(command: Sequence[str], timeout: float) -> Iterator[Server]:
    """The server, once it answers. At the end nothing of it is left, also when this process is killed."""
    port = _free_port()
    mark = f"{os.environ.get(MARK, 'ask')}#{os.getpid()}"
    launch = Launch(
        (*command, "--host", LOOPBACK, "--port", str(port)),
        Path.cwd(),
        os.environ | {MARK: mark},
        Path(),
        mark,
        2,
        False,
    )
    watcher = Watcher(launch, sys.stderr.fileno())
    group = Group(mark)
    try:
        process = _started(launch)
        group.leader = process.pid
        watcher.tell(process.pid)
        server = Server(process, port)
        _wait(server, timeout)
        yield server
    finally:
        end(lambda: group.members(not_these=(watcher.pid,)), grace_seconds())
        watcher.finish()


def _started(launch: Launch) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            launch.command, env=dict(launch.environment), stdin=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        raise _failed(f"`{launch.command[0]}` cannot be started: {error.strerror}") from error


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        return int(taken.getsockname()[1])


def _wait(server: Server, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not _answers(server):
        if (end := server.ended()) is not None:
            raise _failed(f"the server {end} before it answered")
        if time.monotonic() > deadline:
            raise _failed(f"the server did not answer within {timeout:g} seconds")
        time.sleep(POLL_SECONDS)


def _answers(server: Server) -> bool:
    try:
        return bool(server.request("GET", "/v1/models")["data"])
    except (OSError, http.client.HTTPException, ValueError, RecipeError):
        return False


def ask(server: Server, question: Mapping[str, Any], tokens: int, seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
    """What the server replies, without what changes from run to run. Errors: RecipeError R0595."""
    try:
        model = server.request("GET", "/v1/models")["data"][0]["id"]
        body = {"model": model, "messages": question["messages"], "max_tokens": tokens, "temperature": 0.0}
        reply = server.request("POST", "/v1/chat/completions", body, seconds)
        choice = reply["choices"][0]
        answer, why = choice["message"]["content"], choice["finish_reason"]
    except TimeoutError as error:
        raise _failed(f"the server did not answer the question within {seconds:g} seconds") from error
    except (OSError, http.client.HTTPException) as error:
        what = server.ended(DYING_SECONDS) or f"closed the connection ({error})"
        raise _failed(f"the server {what} while it was asked") from error
    except (ValueError, LookupError, TypeError) as error:
        raise _failed(f"the server gives no reply in OpenAI's form: {error!r}") from error
    return {
        "format_version": FORMAT,
        "model": model,
        "question": question["text"],
        "images": question["images"],
        "answer": answer,
        "finish_reason": why,
        "tokens": (reply.get("usage") or {}).get("completion_tokens"),
    }


def first_question(data: Path) -> dict[str, Any]:
    """`messages` in OpenAI's form, with pictures as data, and `text` and `images` as the row has them.

    Errors: RecipeError R0591 where there is no row.
    """
    with data.open("rb") as lines:
        first = next(lines, b"")
    if not first.strip():
        raise RecipeError([Diagnostic("R0591", f"{data} has no rows", "name a split that has rows")])
    row = json.loads(first)
    messages = row["messages"][:-1] if row["messages"][-1]["role"] == "assistant" else row["messages"]
    names: list[str] = row.get("images") or []
    images = iter([_picture(name, data) for name in names])
    asked = [{"role": message["role"], "content": _content(message["content"], images)} for message in messages]
    return {"messages": asked, "text": messages[-1]["content"], "images": names}


def _content(text: str, images: Iterator[str]) -> list[dict[str, Any]]:
    """Text and pictures in their order."""
    parts: list[dict[str, Any]] = []
    for number, piece in enumerate(text.split(IMAGE_TAG)):
        if number:
            parts.append({"type": "image_url", "image_url": {"url": next(images)}})
        if piece:
            parts.append({"type": "text", "text": piece})
    return parts


def _picture(path: str, data: Path) -> str:
    """A picture as a `data:` address; one that was drawn lies beside the rows."""
    beside = data.parent / path
    file = beside if beside.is_file() else Path(path)
    kind = mimetypes.guess_type(file.name)[0] or "image/png"
    return f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"


def _failed(message: str) -> RecipeError:
    return RecipeError([Diagnostic("R0595", message, "see the server's own lines above")])


if __name__ == "__main__":
    cli.run(main)
