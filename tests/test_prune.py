"""A stage that is gone from a recipe is gone from DVC's record of what ran; the others stay as they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

BIN = Path(sys.executable).parent
RECIPE = """\
version: 1
name: light
datasets: {digits: {kind: digits, prompt: Digit?, split: {validation: 0.2}}}
stages:
  first: {kind: prepare, dataset: digits}
  second: {kind: prepare, dataset: digits, task: classify}
"""


def test_compiling_prunes_the_lock_of_dvc(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    recipe = tmp_path / "recipes/light.yaml"
    recipe.write_text(RECIPE)
    lock = tmp_path / "pipelines/light/dvc.lock"
    for command in (
        ["git", "init", "-q"],
        [BIN / "dvc", "init", "-q"],
        [BIN / "recipe", "compile"],
        [BIN / "dvc", "repro", "-q", "pipelines/light/dvc.yaml"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    before = yaml.safe_load(lock.read_bytes())
    assert set(before["stages"]) == {"compiled", "first", "second"}
    text = lock.read_bytes()
    subprocess.run([BIN / "recipe", "compile"], cwd=tmp_path, check=True, capture_output=True)
    assert lock.read_bytes() == text  # nothing is gone, so nothing is written

    recipe.write_text(RECIPE[: RECIPE.index("  second:")])
    subprocess.run([BIN / "recipe", "compile"], cwd=tmp_path, check=True, capture_output=True)
    after = yaml.safe_load(lock.read_bytes())
    assert after == {**before, "stages": {name: before["stages"][name] for name in ("compiled", "first")}}
    repro = [BIN / "dvc", "repro", "pipelines/light/dvc.yaml:first"]
    run = subprocess.run(repro, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "exec pipelines/light/first" not in run.stdout
