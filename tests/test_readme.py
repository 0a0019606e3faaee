"""Every command of the README runs: the quick ones here, those that train in the smoke tests."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
ASKS = "needs a model; test_predict_real.py"
SLOW = {
    "make quickstart": "test_smoke.py",
    "make test": "this run",
    "dvc repro": "test_smoke.py",
    "recipe run recipes/animals-lora.yaml --variant smoke": "test_smoke.py",
    "recipe lock recipes/animals-lora.yaml": "asks hubs; test_lock_hub.py with hubs on loopback",
    "recipe compile recipes/animals-lora.yaml --locked": "needs that lock; test_lock_hub.py",
    "recipe fetch recipes/animals-lora.yaml": "a download; test_lock_hub.py with hubs on loopback",
    "recipe diff": "needs the history of a repository; test_diff.py",
    "recipe run recipes/animals-lora.yaml": "needs a GPU; its smoke variant runs the same stages",
    "recipe doctor recipes/okvqa.yaml": "ends with 1 where something is missing; test_doctor.py",
    "recipe compare recipes/okvqa.yaml": "needs results; test_compare.py",
    'python -m runners.predict --model MODEL --image cat.jpg --question "What is it?" --beams 4 --returned 4': ASKS,
    "python -m runners.predict --model MODEL --chat messages.json": ASKS,
    "python -m runners.predict.folder holiday/ --model outputs/animals-lora/train "
    '--prompt "What animal is it?" --to outputs/holiday': "needs that model; test_predict_folder_real.py",
}
"""Commands that are not run here → where they are."""


def commands() -> list[str]:
    """The lines of the README's shell blocks."""
    blocks = re.findall(
        r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [line for block in blocks for line in block.splitlines()]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what a user has: recipes and compiled pipelines."""
    for name in ("recipes", "pipelines"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("line", [line for line in commands() if line not in SLOW])
def test_command(line: str, project: Path) -> None:
    program, *arguments = shlex.split(line)
    run = subprocess.run([BIN / program, *arguments], cwd=project, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout


def test_all_commands_are_known() -> None:
    found = commands()
    assert len(found) > 10
    assert set(SLOW) <= set(found)


def test_the_excerpt_is_of_the_compiled_script() -> None:
    excerpt = re.search(
        r"^```bash\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert excerpt is not None
    script = (ROOT / "pipelines/animals-lora/train.sh").read_text(encoding="utf-8")
    lines = [line for line in excerpt[1].splitlines() if line.strip() != "…"]
    assert len(lines) > 5
    assert [line for line in lines if line not in script] == []


def test_the_readme_fits_a_page() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 220
    assert max(map(len, lines)) <= 160
