"""What a stage's script really runs, and in what environment: bash is asked, for the script is the one truth.

The script is read by a bash in which each program of the launch is a function that tells its arguments, and in which
nothing else can be started.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from runners.compiled import Stage

SECONDS = 20.0
OUTSIDE = "<outside the project>"
RECORDED = (
    "CUBLAS_WORKSPACE_CONFIG", "CUDA_LAUNCH_BLOCKING", "CUDA_VISIBLE_DEVICES", "MAX_PIXELS", "MIN_PIXELS",
    "MKL_NUM_THREADS", "NCCL_ALGO", "NCCL_BUFFSIZE", "NCCL_IB_DISABLE", "NCCL_MAX_NCHANNELS", "NCCL_MIN_NCHANNELS",
    "NCCL_NTHREADS", "NCCL_NVLS_ENABLE", "NCCL_P2P_DISABLE", "NCCL_P2P_LEVEL", "NCCL_PROTO", "NCCL_SHM_DISABLE",
    "NNODES", "NODE_RANK", "NPROC_PER_NODE", "NVIDIA_TF32_OVERRIDE", "OMP_NUM_THREADS", "PYTHONHASHSEED",
    "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "TOKENIZERS_PARALLELISM",
)  # fmt: skip
"""Variables that a record has, beside those of the stage's identity: they can change a result, and hold nothing private."""

# `exec 3>&1` keeps the way to us from redirections of the script. Bash 3.2 of macOS reads this, too.
ASK = """\
exec 3>&1 >/dev/null
recipe_told() { printf 'command\\0%s\\0' "$#" >&3; printf '%s\\0' "$@" >&3; }
recipe_end() {
  for recipe_name in $RECIPE_ASKED; do
    if [ -n "${!recipe_name+set}" ]; then printf 'variable\\0%s\\0%s\\0' "$recipe_name" "${!recipe_name}" >&3; fi
  done
}
trap recipe_end EXIT
"""
_PROGRAM = re.compile(r"[A-Za-z_][\w.-]*")


def launched(stage: Stage, environment: Mapping[str, str]) -> dict[str, Any]:
    """`argv`, a list of commands, and `environment`, name → value, as the launch has them in this environment."""
    commands = [started for command in _commands(stage) for started in (command.get("launcher") or command, command)]
    programs = sorted({command["program"][0] for command in commands})
    names = sorted({*RECORDED, *stage.identity.get("env", {})})
    functions = [f'{name}() {{ recipe_told {name} "$@"; }}\n' for name in programs if _PROGRAM.fullmatch(name)]
    asking = dict(environment) | {"RECIPE_ASKED": " ".join(names)}
    answer = _ask(ASK + "".join(functions), stage, asking) if functions else []
    argv: list[list[str]] = []
    variables = {}
    for kind, values in _read(answer):
        if kind == "command":
            argv.append([relative(word, stage.root) for word in values])
        elif not PurePosixPath(values[1]).is_absolute():
            variables[values[0]] = values[1]
    return {"argv": argv, "environment": variables}


def _commands(stage: Stage) -> list[Mapping[str, Any]]:
    return [command for command in stage.identity.get("launch", ()) if isinstance(command, Mapping)]


def _ask(functions: str, stage: Stage, environment: dict[str, str]) -> list[str]:
    """What the script tells, one text after another. With `/dev/null` as the only place of programs none is found."""
    bash = shutil.which("bash", path=environment.get("PATH")) or "/bin/bash"
    command = (bash, "-c", f'{functions}PATH=/dev/null\n. "$1"\n', "bash", str(stage.script))
    try:
        done = subprocess.run(
            command,
            cwd=stage.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):  # the launch itself will say what is wrong
        return []
    return done.stdout.decode(errors="replace").split("\0")[:-1]


def _read(answer: list[str]) -> Iterator[tuple[str, list[str]]]:
    """(`command`, its words) and (`variable`, name and value)."""
    place = 0
    while place < len(answer):
        kind = answer[place]
        number = int(answer[place + 1]) if kind == "command" else 2
        begin = place + (2 if kind == "command" else 1)
        yield kind, answer[begin : begin + number]
        place = begin + number


def relative(word: str, root: Path) -> str:
    """A word without the place of the project, or of anything else on this machine.

    >>> [relative(word, Path("/home/me/p")) for word in ("/home/me/p/a/b", "/mnt/disk/x.py", "a/b", "/no_think")]
    ['a/b', '<outside the project>/x.py', 'a/b', '/no_think']
    """
    inside = word.replace(f"{root}/", "")
    path = PurePosixPath(inside)
    return f"{OUTSIDE}/{path.name}" if path.is_absolute() and len(path.parts) > 2 else inside
