"""The shell completes verbs, recipes, variants and stages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from schema.hardware import Hardware

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["recipe", "va"], {"validate"}),
        (["recipe", "compile", "recipes/qu"], {"recipes/quickstart.yaml"}),
        (["recipe", "compile", "qu"], {"quickstart"}),
        (["recipe", "show", "animals-lora", "--variant", ""], {"smoke", "trl", "trl-smoke"}),
        (["recipe", "run", "quickstart", "--stage", ""], {"data", "train", "answers", "scores"}),
        (["recipe", "validate", "--form"], {"--format"}),
        (["recipe", "explain", "grpo.tu"], {"grpo.tuner"}),
        (["recipe", "explain", "gr"], {"grpo"}),
        (["recipe", "explain", "stages.grpo.tu"], {"stages.grpo.tuner"}),
        (["recipe", "explain", "hardware."], {f"hardware.{name}" for name in Hardware.model_fields}),
        (["recipe", "explain", "R030"], {f"R030{n}" for n in range(1, 10)}),
    ],
)
def test_completion(words: list[str], expected: set[str]) -> None:
    environment = {
        **os.environ,
        "_RECIPE_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    program = [Path(sys.executable).parent / "recipe"]
    run = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) == expected


@pytest.mark.parametrize("shell", ["zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("recipe va", "validate"),
        ("recipe compile qu", "quickstart"),
        ("recipe run quickstart --stage ", "answers"),
    ],
)
def test_other_shells(shell: str, line: str, expected: str) -> None:
    environment = {
        **os.environ,
        "_RECIPE_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": line.rpartition(" ")[2],
    }
    program = [Path(sys.executable).parent / "recipe"]
    run = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert expected in run.stdout
