"""A program on a terminal, as a person has it: what it shows there."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

SECONDS = 120.0


def on_terminal(
    *command: str | Path,
    cwd: Path | None = None,
    watch: Callable[[bytes], None] = lambda output: None,
    **variables: str,
) -> tuple[int, str]:
    """Exit code and output; `watch` is given all output so far whenever there is more."""
    ours, theirs = pty.openpty()
    environment: Mapping[str, str] = {**os.environ, "TERM": "xterm", "COLUMNS": "120", **variables}
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    output, deadline = b"", time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if select.select([ours], [], [], 0.2)[0]:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # Linux says so that the other end is closed
                break
            if not chunk:
                break
            output += chunk
            watch(output)
    os.close(ours)
    return process.wait(SECONDS), output.decode()
