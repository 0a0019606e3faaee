"""The light installation compiles; a verb that needs more says what to install, without a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENGINES = ("accelerate", "deepspeed", "dvc", "modelscope", "numpy", "PIL", "psutil", "sklearn", "swift", "torch")


def recipe(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `recipe` where nothing that trains is installed."""
    missing = "; ".join(f"sys.modules[{name!r}] = None" for name in ENGINES)
    program = f"import sys; {missing}; sys.argv[0] = 'recipe'; from compiler.cli import main; main()"
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("validate",),
        ("compile", "--check"),
        ("show", "quickstart"),
        ("hash", "quickstart"),
        ("ls",),
        ("explain", "R0301"),
        ("migrate", "--check"),
        ("plan", "quickstart"),
        ("lock", "quickstart", "--check"),
    ],
)
def test_what_compiles_needs_no_engine(arguments: tuple[str, ...]) -> None:
    run = recipe(*arguments)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("arguments", [("fetch", "quickstart"), ("exec", "pipelines/quickstart/data")])
def test_what_runs_says_what_to_install(arguments: tuple[str, ...]) -> None:
    run = recipe(*arguments)
    assert run.returncode in (1, 2)
    assert "make setup" in run.stderr
    assert "Traceback" not in run.stderr
