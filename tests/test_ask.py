"""A server is started, asked and stopped, and nothing of it is left, whatever happens."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image

from runners import ask
from schema.diagnostics import RecipeError

SERVER = Path(__file__).with_name("fake_server.py")
ROOT = SERVER.parent.parent


@pytest.fixture
def rows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECIPE_GRACE", "2")
    Image.new("RGB", (4, 4), "red").save(tmp_path / "a.png")
    row = {
        "messages": [
            {"role": "user", "content": "Look: <image>What is it?"},
            {"role": "assistant", "content": "A dog."},
        ],
        "images": ["a.png"],
    }
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    return tmp_path


def command(how, *more):
    start = ["--start", sys.executable, str(SERVER), how]
    return ["--data", "rows.jsonl", "--to", "out", *more, *start]


def alive():
    pids = json.loads(Path("pids.json").read_text())
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]


def test_the_first_row_is_asked_and_the_reply_written_down(rows):
    assert ask.main(command("answers")) == 0
    assert json.loads((rows / "out" / "reply.json").read_bytes()) == {
        "format_version": 1,
        "model": "fake",
        "question": "Look: <image>What is it?",
        "images": ["a.png"],
        "answer": "A cat.",
        "finish_reason": "stop",
        "tokens": 3,
    }
    assert alive() == []


def test_the_picture_stands_where_the_text_has_it_and_the_answer_is_not_given_away(rows):
    ask.main(command("answers", "--max_new_tokens", "5"))
    asked = json.loads(Path("asked.json").read_text())
    assert (asked["max_tokens"], asked["temperature"]) == (5, 0.0)
    [message] = asked["messages"]
    assert [part["type"] for part in message["content"]] == ["text", "image_url", "text"]
    assert message["content"][1]["image_url"]["url"].startswith("data:image/png;base64,iVBOR")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("ends", "the server ended with status 3 before it answered"),
        ("refuses", "no such model"),
        ("hangs", "the server did not answer within 2 seconds"),
        ("silent", "the server did not answer the question within 1 seconds"),
        ("dies", "the server ended with status 5 while it was asked"),
        ("killed", "the server was ended by SIGKILL, as the system does where memory runs out, while it was asked"),
        ("nonsense", "the server gives no reply in OpenAI's form: KeyError('choices')"),
    ],
)
def test_a_server_that_does_not_answer_is_an_error_and_is_stopped(rows, how, words):
    impatient = ("--answer_timeout", "1" if how == "silent" else "60")
    with pytest.raises(RecipeError) as caught:
        ask.main(command(how, "--start_timeout", "2" if how == "hangs" else "60", *impatient))
    assert caught.value.diagnostics[0].code == "R0595"
    assert words in caught.value.diagnostics[0].message
    assert alive() == []
    assert not (rows / "out" / "reply.json").exists()


def test_a_program_that_is_not_installed_is_an_error(rows):
    with pytest.raises(RecipeError, match="cannot be started"):
        ask.main(["--data", "rows.jsonl", "--to", "out", "--start", "no-such-server", "serve"])


def test_a_port_that_is_taken_is_an_error(rows, monkeypatch):
    """Another program may take it between the look and the start."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(ask, "_free_port", lambda: taken.getsockname()[1])
        with pytest.raises(RecipeError, match="the server ended with status 1 before it answered"):
            ask.main(command("answers"))
    assert alive() == []


def test_what_goes_wrong_is_one_line_and_an_exit_status(rows):
    run = asking("ends")
    _, said = run.communicate()
    assert run.returncode == 1
    assert "error[R0595]: the server ended with status 3 before it answered" in said
    assert "Traceback" not in said


def asking(how):
    """Another process that starts a server and asks it."""
    words = [sys.executable, "-m", "runners.ask", *command(how)]
    return subprocess.Popen(words, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_server_ends_with_who_asks(rows, number):
    """Also when that is killed and cannot do anything about it."""
    run = asking("hangs")
    wait(lambda: Path("pids.json").exists() and len(alive()) == 2)
    time.sleep(0.3)  # until the watcher knows whom to watch
    run.send_signal(number)
    _, said = run.communicate()
    wait(lambda: alive() == [])
    if number != signal.SIGKILL:
        assert run.returncode == 128 + number
        assert said == f"stopped by {number.name}: the server is ended, too\n"


def wait(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_empty_split_cannot_be_asked(rows):
    (rows / "rows.jsonl").write_text("")
    with pytest.raises(RecipeError, match="has no rows"):
        ask.main(command("answers"))
