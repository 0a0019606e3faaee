"""A stage that is gone from a recipe is gone from DVC's record of what ran; the others stay as they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

from compiler.write import prune_lock

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


def test_what_stays_is_as_dvc_wrote_it(tmp_path: Path) -> None:
    """DVC writes YAML 1.2, in which `yes` is a text; a digest that looks like a number keeps its quotes."""
    head, gone = "schema: '2.0'\nstages:\n", "  gone:\n    cmd: 'true'\n"
    stays = "  stays:\n    cmd: 'true'\n    deps:\n    - path: yes\n      md5: '1e5'\n    - path: data/中文.txt\n"
    (tmp_path / "dvc.lock").write_text(head + gone + stays)
    assert prune_lock(tmp_path, ["stays"]) == ["gone"]
    assert (tmp_path / "dvc.lock").read_text() == head + stays
    assert prune_lock(tmp_path, []) == ["stays"]
    assert (tmp_path / "dvc.lock").read_text() == "schema: '2.0'\nstages: {}\n"
    (tmp_path / "dvc.lock").write_text("<<<<<<< ours\n")
    assert prune_lock(tmp_path, []) == []
