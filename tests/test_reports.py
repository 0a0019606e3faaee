"""A service that is told how a stage goes: what it is sent, and that it can neither slow nor stop the stage."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import exec_project
import pytest
from compiling import quoted
from test_keys import RECIPES, keys

from runners import reports
from schema.diagnostics import RecipeError

STEPS = """\
set -euo pipefail
mkdir -p "$RECIPE_OUT/checkpoints" "$RECIPE_OUT/result/model"
for step in 1 2 3; do
  echo '{{"loss": '$step'.5, "acc": 0.5, "epoch": 0.'$step', "global_step/max_steps": "'$step'/3", "remaining_time": "1m 5s"}}' \\
    >> "$RECIPE_OUT/checkpoints/logging.jsonl"
  touch {control}/at-step-$step
  while [ -e {control}/hold-step-$step ]; do sleep 0.02; done
done
{options}
touch "$RECIPE_OUT/result/model/weights"
echo '{{}}' > "$RECIPE_OUT/result/metrics.json"
"""


class Service(ThreadingHTTPServer):
    """Keeps what it is sent; `status` is its answer, and it waits for `free` before it gives it."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.got = []
        self.status = 200
        self.free = threading.Event()
        self.free.set()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append((self.path, body))
        self.server.free.wait()
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *words):
        pass


@contextmanager
def serving():
    server = Service()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.free.set()
        server.shutdown()
        server.server_close()


def made(folder, port, options=""):
    reports = {"url": f"http://127.0.0.1:{port}/tasks/", "task": "run 7/b"}
    return exec_project.make(folder, options, STEPS, reports=reports, checkpoints=None)


def test_a_service_hears_of_each_state_and_step(tmp_path):
    with serving() as service:
        project = made(tmp_path, service.server_port)
        for step in (1, 2, 3):
            project.hold(f"step-{step}")
        process = project.start(exec_project.TARGET)
        for step in (1, 2, 3):
            exec_project.wait_for(lambda step=step: any(b["step"] == step for _, b in service.got), f"step {step}")
            (project.control / f"hold-step-{step}").unlink()
        assert process.wait(exec_project.SECONDS) == 0
    assert {path for path, _ in service.got} == {"/tasks/run%207%2Fb"}
    first, *_, last = (body for _, body in service.got)
    assert first["state"] == "running"
    assert last == {
        "task_id": "run 7/b",
        "recipe": "demo",
        "stage": "train",
        "state": "done",
        "epoch": 0.3,
        "step": 3,
        "steps": 3,
        "loss": 3.5,
        "metrics": {"acc": 0.5},
        "time_left": 65.0,
    }


def test_a_failed_stage_is_told_as_failed(tmp_path):
    with serving() as service:
        done = made(tmp_path, service.server_port, "exit 3").run()
    assert done.returncode == 1
    assert service.got[-1][1]["state"] == "failed"


def test_a_stopped_stage_is_told_as_stopped(tmp_path):
    with serving() as service:
        project = made(tmp_path, service.server_port)
        project.hold("step-2")
        process = project.start(exec_project.TARGET)
        project.wait_at("step-2")
        process.terminate()
        assert process.wait(exec_project.SECONDS) == 128 + 15
    assert service.got[-1][1]["state"] == "stopped"


def test_a_dead_service_stops_nothing_and_is_named_once(tmp_path):
    with serving() as service:
        port = service.server_port
    done = made(tmp_path, port).run()
    assert done.returncode == 0
    assert done.stderr.count(f"127.0.0.1:{port}, which is told how this goes, cannot be reached") == 1


def test_a_service_that_refuses_stops_nothing(tmp_path):
    with serving() as service:
        service.status = 500
        done = made(tmp_path, service.server_port).run()
    assert done.returncode == 0
    assert done.stderr.count("answers 500; the stage goes on") == 1


def test_a_slow_service_holds_no_step_up(tmp_path):
    """It answers nothing at all: the trainer still makes all its steps, and the stage ends in a moment."""
    with serving() as service:
        service.free.clear()
        project = made(tmp_path, service.server_port)
        begin = time.monotonic()
        assert project.run().returncode == 0
        assert time.monotonic() - begin < 60  # it would hold on for ever
        assert len(service.got) == 1


@pytest.mark.parametrize("proxy", ["strange://127.0.0.1:1", "http://[::1"])
def test_a_way_that_is_wrong_is_said_and_stops_nothing(tmp_path, monkeypatch, capfd, proxy):
    """Such as a proxy of the environment that no library understands: the thread used to die with its traceback."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    monkeypatch.setenv("NO_PROXY", "")
    stage = SimpleNamespace(reports={"url": "http://127.0.0.1:1/tasks", "task": "7"}, title="demo/train")
    with reports.reported(stage, tmp_path / "log") as start:
        start()
    said = capfd.readouterr().err
    assert "127.0.0.1:1, which is told how this goes, cannot be told: " in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "url",
    [
        "training.example.com",
        "https://me:secret@example.com",
        "https://example.com/?a=b",
        "http://example.com:80a/tasks",
        "http://example.com:654321",
        "http://[::1/tasks",
    ],
)
def test_what_is_no_address_of_a_service(url):
    with pytest.raises(RecipeError) as error:
        keys(quoted(tracked(url=url)))
    assert error.value.diagnostics[0].code == "R0110"


@pytest.mark.parametrize("url", ["http://[::1]:8000/tasks", "http://10.0.0.7:8000", "https://a-b.example.com/x/"])
def test_what_is_an_address_of_a_service(url):
    assert keys(quoted(tracked(url=url)))


def test_a_task_is_outside_of_every_hash():
    assert keys(quoted(tracked())) == keys(quoted(tracked(task="43", url="http://localhost:8000")))


def tracked(**fields):
    recipe = {k: v for k, v in RECIPES["recipes/dpo"].items() if k not in ("variants", "axes")}
    http = {"url": "https://training.example.com/tasks", "task": "42"} | fields
    stages = {
        name: {**stage, "logging": {"http": http}} if stage["kind"] in ("sft", "dpo") else stage
        for name, stage in recipe["stages"].items()
    }
    return recipe | {"stages": stages}


def test_a_failure_of_the_system_is_told_as_failed(tmp_path):
    with serving() as service:
        stage = SimpleNamespace(
            reports={"url": f"http://127.0.0.1:{service.server_port}", "task": "7"}, title="demo/train"
        )
        with pytest.raises(OSError), reports.reported(stage, tmp_path / "log") as start:
            start()
            raise OSError("no space")
    assert service.got[-1][1]["state"] == "failed"
