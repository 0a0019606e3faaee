"""The process that ends an engine when its supervisor was killed: python -m runners.watcher MARK GRACE_SECONDS

Standard input is a pipe whose only write end is the supervisor's. It brings the pid of the launch, then `done`; when it
ends without that, the supervisor is dead. The watcher holds the run's lock, inherited, until the last process is gone.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from datetime import datetime

from runners.processes import Group, counted, end

# How often the group is looked at while all is well, so that a process that hides later is known.
SWEEP_SECONDS = 10.0


def main(argv: list[str]) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    group = Group(mark=argv[0])
    if _supervisor_finished(group):
        return 0
    ended = end(group.members, grace=float(argv[1]))
    print(f"{datetime.now():%H:%M:%S} recipe exec was killed: ended {counted(ended)} of it", flush=True)
    return 0


def _supervisor_finished(group: Group) -> bool:
    """Wait for the pipe to end; whether `done` came before."""
    text = b""
    while True:
        if not select.select([0], [], [], SWEEP_SECONDS)[0]:
            group.members()
            continue
        chunk = os.read(0, 256)
        text += chunk
        words = text.split()
        if words and words[0].isdigit() and text.endswith(b"\n"):
            group.leader = int(words[0])
        if b"done" in words:
            return True
        if not chunk:
            return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
