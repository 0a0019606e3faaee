"""Behaves like a trainer of transformers, without a model: fake_trainer.py --output_dir DIR --control DIR --data FILE

Its "weights" are a chain of hashes over the data, one link a step, so that a resume from another state, from other data
or from nothing ends with other bytes. It saves checkpoints file by file, trainer_state.json last. In the control folder
it notes each process that it starts (`pids`), each start (`starts`), and a second trainer beside it (`CONCURRENT`).
A test holds it at a point by making `hold-POINT` there; it then makes `at-POINT` and waits until `hold-POINT` is gone.
Points: start, step-N, save-N-NAME (before each file of a checkpoint), end.
"""

import argparse
import fcntl
import hashlib
import json
import os
import signal
import struct
import sys
import time
import zipfile
from pathlib import Path


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output_dir", type=Path, required=True)
    parser.add_argument("--control", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--max_steps", type=int, default=6)
    parser.add_argument("--save_steps", type=int, default=2)
    parser.add_argument("--resume_from_checkpoint", type=Path)
    parser.add_argument("--ignore_term", action="store_true")
    parser.add_argument("--family", action="store_true", help="start helpers in other groups and sessions")
    parser.add_argument("--fail_at", type=int)
    parser.add_argument("--fail_with", default="ValueError: the loss is not a number")
    return parser.parse_args()


def note(control, name, text):
    with (control / name).open("a") as stream:
        stream.write(f"{text}\n")


def alone(control):
    """Hold a lock of our own, whatever the supervisor does: it is free exactly when no trainer is alive."""
    lock = os.open(control / "trainer", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        note(control, "CONCURRENT", os.getpid())
        sys.exit("two trainers at the same time")


def point(control, name):
    if (control / f"hold-{name}").exists():
        (control / f"at-{name}").touch()
        while (control / f"hold-{name}").exists():
            time.sleep(0.01)


def helper(control, environment, *, session, double):
    """A child that never ends by itself; `double` leaves it without its parent."""
    if os.fork():
        return
    if session:
        os.setsid()
    if double and os.fork():
        os._exit(0)
    note(control, "pids", os.getpid())
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)"
    os.execve(sys.executable, [sys.executable, "-S", "-c", program], environment)


def family(control):
    scrubbed = {"PATH": os.environ["PATH"]}
    helper(control, dict(os.environ), session=False, double=False)
    helper(control, dict(os.environ), session=True, double=True)
    helper(control, scrubbed, session=True, double=False)
    helper(control, scrubbed, session=False, double=True)


def archive(path, content):
    with zipfile.ZipFile(path, "w") as stream:
        stream.writestr(zipfile.ZipInfo("data"), content)


def unpack(path):
    with zipfile.ZipFile(path) as stream:
        return stream.read("data").decode()


def weights(path, state):
    header = json.dumps({"w": {"dtype": "U8", "shape": [64], "data_offsets": [0, 64]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + state.encode())


def save(folder, control, step, max_steps, state):
    folder.mkdir(parents=True)
    parts = {
        "adapter_config.json": lambda path: path.write_text("{}"),
        "adapter_model.safetensors": lambda path: weights(path, state),
        "optimizer.pt": lambda path: archive(path, state),
        "scheduler.pt": lambda path: archive(path, str(step)),
        "rng_state.pth": lambda path: archive(path, str(step)),
        "trainer_state.json": lambda path: path.write_text(json.dumps({"global_step": step, "max_steps": max_steps})),
    }
    for name, write in parts.items():
        point(control, f"save-{step}-{name}")
        write(folder / name)


def start_state(options):
    """(step, state): as a real trainer does, a checkpoint without optimizer state is taken without a word."""
    if not options.resume_from_checkpoint:
        return 0, "0" * 64
    checkpoint = options.resume_from_checkpoint
    optimizer = checkpoint / "optimizer.pt"
    step = json.loads((checkpoint / "trainer_state.json").read_text())["global_step"]
    return step, unpack(optimizer) if optimizer.exists() else "f" * 64


def main():
    options = parse()
    control = options.control
    note(control, "pids", os.getpid())
    alone(control)
    note(control, "starts", options.resume_from_checkpoint or "start")
    if options.ignore_term:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.family:
        family(control)
    options.output_dir.mkdir(parents=True, exist_ok=True)
    point(control, "start")
    step, state = start_state(options)
    begin = step
    while step < options.max_steps or step == begin:  # a real one too makes a step too many when resumed at its end
        step += 1
        point(control, f"step-{step}")
        print(f"step {step}", flush=True)
        if step == options.fail_at:
            sys.exit(options.fail_with)
        state = hashlib.sha256(state.encode() + options.data.read_bytes()).hexdigest()
        with (options.output_dir / "logging.jsonl").open("a") as stream:
            stream.write(json.dumps({"step": step, "loss": 1 / step}) + "\n")
        if step % options.save_steps == 0 or step >= options.max_steps:
            save(options.output_dir / f"checkpoint-{step}", control, step, options.max_steps, state)
    point(control, "end")


if __name__ == "__main__":
    main()
