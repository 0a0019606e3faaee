"""Data that lies elsewhere on this machine: DVC finds it, hashes it and runs the stage that reads it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from PIL import Image

BIN = Path(sys.executable).parent
RECIPE = """\
version: 1
name: pets
datasets: {pets: {kind: image-folder, path: data/pets, prompt: Which?, split: {validation: 0.5}}}
stages: {rows: {kind: prepare, dataset: pets}}
"""


def compiled(project: Path) -> None:
    """A project with the recipe, compiled, in a DVC repository."""
    (project / "recipes").mkdir(parents=True)
    (project / "recipes/pets.yaml").write_text(RECIPE)
    for command in (["git", "init", "-q"], [BIN / "dvc", "init", "-q"], [BIN / "recipe", "compile"]):
        subprocess.run(command, cwd=project, check=True, capture_output=True)


def test_data_that_is_nowhere_is_named_with_what_to_do(tmp_path: Path) -> None:
    compiled(tmp_path / "project")
    command = [BIN / "recipe", "run", "pets"]
    run = subprocess.run(command, cwd=tmp_path / "project", capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "R0505" in run.stderr and "data/pets" in run.stderr and "machine.yaml" in run.stderr


def test_dvc_reads_data_that_the_machine_file_maps(tmp_path: Path) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "disk"
    for number, name in enumerate(("cat", "dog")):
        (elsewhere / "pets" / name).mkdir(parents=True)
        for shade in range(4):
            Image.new("RGB", (8, 8), (number * 200, shade * 20, 0)).save(elsewhere / "pets" / name / f"{shade}.png")
    compiled(project)
    (project / "machine.yaml").write_text(f"data: {{data: {json.dumps(str(elsewhere))}}}\n")
    run = subprocess.run(
        [BIN / "dvc", "repro", "pipelines/pets/dvc.yaml"], cwd=project, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    rows = (project / "outputs/pets/rows/train.jsonl").read_text()
    assert "data/pets/cat" in rows and str(tmp_path) not in rows
