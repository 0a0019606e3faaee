"""Run a stage once for each change that exec makes to the disk, stopped just before it, and then again unharmed.

python exec_crash.py FOLDER kill|full keep|remove prints a JSON list of what was found after each stop and after the
run that followed. `kill`: exec gets SIGKILL; `full`: from then on the disk is full. `remove`: the outs are removed
before the second run, as DVC does. It forks, so that the imports are paid once.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import exec_project
from exec_project import TARGET, Project

from runners import exec as runner

SCRIPT = """\
#!/usr/bin/env bash
set -euo pipefail
echo start >> {control}/starts
mkdir -p "$RECIPE_OUT/result/model"
cp data/animals.txt "$RECIPE_OUT/result/model/a.txt"
cp data/animals.txt "$RECIPE_OUT/result/model/b.txt"
cp data/animals.txt "$RECIPE_OUT/result/metrics.json"
# {trainer} {options}
"""
TAKES_SPACE = {"os.mkdir", "os.link", "os.symlink"}
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.truncate", *TAKES_SPACE}


def main(folder: Path, how: str, outs: str) -> None:
    reports = []
    count = 1
    while not (report := trial(folder / str(count), count, how, outs))["survived"]:
        reports.append(report)
        count += 1
    print(json.dumps(reports))


def trial(folder: Path, count: int, how: str, outs: str) -> dict:
    """Old results, a run that is stopped before its change number `count`, and another run."""
    project = exec_project.make(folder, script=SCRIPT, checkpoints=None)
    for name in ("model/a.txt", "model/b.txt", "metrics.json", "run.json"):
        (project.out / name).parent.mkdir(parents=True, exist_ok=True)
        (project.out / name).write_text("cat dog horse\n")
    (project.root / "data/animals.txt").write_text("new data\n")
    status = child(project, count, how)
    where = project.control / "where"
    report = {"survived": not where.exists(), "where": where.read_text() if where.exists() else "", "status": status}
    report["stopped"] = state(project)
    if outs == "remove":
        shutil.rmtree(project.out / "model", ignore_errors=True)
        (project.out / "metrics.json").unlink(missing_ok=True)
    report["second"] = child(project, 0, how)
    report["at_end"] = state(project)
    report["said"] = (project.control / "output").read_text()
    return report


def state(project: Project) -> dict:
    work = (project.root / ".recipe/checkpoints").glob("*")
    return {
        "files": {name: content.decode() for name, content in sorted(project.results().items())},
        "record": (project.out / "run.json").exists(),
        "sealed": (project.work / "finished.json").exists(),
        "starts": len(project.starts),
        "work": [path.name for path in work],
        "hidden": [path.name for path in project.out.glob(".*")],
    }


def child(project: Project, count: int, how: str) -> int:
    """Run exec in a child, stopped before change `count` (0: never); its wait status."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        output = os.open(project.control / "output", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        if count:
            stop_before(count, how, project.control)
        os.chdir(project.root)
        os._exit(runner.main([TARGET]))
    return os.waitpid(pid, 0)[1]


def stop_before(count: int, how: str, control: Path) -> None:
    """Python tells an audit hook about each change of the disk before it makes it."""
    note = os.open(control, os.O_RDONLY)
    seen = 0
    me = os.getpid()

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        creates = event == "open" and isinstance(arguments[0], str) and bool(int(str(arguments[2])) & os.O_CREAT)
        if os.getpid() != me or not (creates or event in CHANGES) or arguments[0] == "where":
            return
        seen += 1
        if seen == count:
            os.write(os.open("where", os.O_WRONLY | os.O_CREAT, dir_fd=note), f"{event} {arguments}".encode())
            if how == "kill":
                os.kill(me, signal.SIGKILL)
        if how == "full" and seen >= count and (creates or event in TAKES_SPACE):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), arguments[0])

    sys.addaudithook(hook)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
