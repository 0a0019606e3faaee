"""Golden recipes: `golden/CASE/recipe.yaml` compiles to the files of `golden/CASE/expected`, byte for byte.

`pytest tests/test_golden.py --renew` writes them anew. They show the tables of the backends; the digests of our own
runners are left out, or every change of a runner would change them all.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from compiling import files, launched, plans, project, without_code

from compiler.render.root import EXEC
from compiler.render.script import words
from schema.load import load
from schema.pins import findings
from schema.signature import check_argv, for_program

HERE = Path(__file__).parent
ROOT = HERE.parent
BIN = Path(sys.executable).parent
CASES = sorted(path.parent for path in (HERE / "golden").glob("*/recipe.yaml"))
SHIPPED = sorted((ROOT / "recipes").glob("*.yaml"))


@pytest.fixture(scope="module")
def compiled_cases(tmp_path_factory):
    """A project that holds all cases, and case → compiled path → text."""
    root = tmp_path_factory.mktemp("golden")
    found = {}
    for case in CASES:
        recipes = project(root)
        for file in (*case.glob("*.yaml"), *case.glob("*.lock")):
            name = f"{case.name}{file.suffix}" if file.stem == "recipe" else file.name
            shutil.copy(file, recipes / name)
        with without_code():
            found[case.name] = files(recipes / f"{case.name}.yaml")
    for path, text in (item for compiled in found.values() for item in compiled.items()):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    (root / "pipelines" / "exec.sh").write_text(EXEC, encoding="utf-8")
    return root, found


def test_there_are_cases():
    assert len(CASES) >= 12
    assert len(SHIPPED) >= 2


def below(folder):
    """Path below a folder → text, of all files in it."""
    return {p.relative_to(folder).as_posix(): p.read_text("utf-8") for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case, compiled_cases, request):
    prefix = f"pipelines/{case.name}/"
    found = {path.removeprefix(prefix): text for path, text in compiled_cases[1][case.name].items()}
    expected = case / "expected"
    if request.config.getoption("--renew"):
        shutil.rmtree(expected, ignore_errors=True)
        for path, text in found.items():
            (expected / path).parent.mkdir(parents=True, exist_ok=True)
            (expected / path).write_text(text, encoding="utf-8")
    assert expected.is_dir(), "nothing is expected yet: run pytest tests/test_golden.py --renew"
    assert found == below(expected)


@pytest.mark.parametrize("recipe", SHIPPED, ids=lambda path: path.stem)
def test_shipped_recipes_are_compiled(recipe):
    """The committed pipelines say what the recipes say."""
    compiled = files(recipe)
    stale = [path for path, text in compiled.items() if read(ROOT / path) != text]
    assert stale == [], f"run: recipe compile recipes/{recipe.name}"
    left = {path for path in below(ROOT / "pipelines" / recipe.stem) if not path.endswith(("dvc.lock", ".gitignore"))}
    assert left == {path.removeprefix(f"pipelines/{recipe.stem}/") for path in compiled}


def test_shipped_locks_are_up_to_date():
    """The quickstart's is; those that pin models of a hub are written where a hub answers."""
    locks = sorted((ROOT / "recipes").glob("*.lock"))
    assert "quickstart.lock" in {path.name for path in locks}
    for path in locks:
        loaded = load(path.with_suffix(".yaml"), {})
        assert list(findings(loaded.file, loaded.instances, loaded.lock, "error")) == [], (
            f"run: recipe lock {path.stem}"
        )


def read(path):
    return path.read_text("utf-8") if path.is_file() else None


def test_the_committed_exec_is_current():
    assert read(ROOT / "pipelines" / "exec.sh") == EXEC


def test_scripts_pass_shellcheck(compiled_cases):
    root, found = compiled_cases
    scripts = [str(root / path) for compiled in found.values() for path in compiled if path.endswith(".sh")]
    scripts += [str(path) for path in (ROOT / "pipelines").rglob("*.sh")]
    assert len(scripts) > 100
    ran = subprocess.run([BIN / "shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_dvc_reads_every_pipeline(compiled_cases):
    """One graph of all of them: stages, outputs that do not overlap, plots and artifacts."""
    root, found = compiled_cases
    shutil.rmtree(root / ".git")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(root / ".site")}

    def run(*command):
        ran = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    run("git", "init", "--quiet")
    run(BIN / "dvc", "init", "--quiet")
    listed = {line.split()[0] for line in run(BIN / "dvc", "stage", "list", "--all").splitlines()}
    pipelines = [path for compiled in found.values() for path in compiled if path.endswith("dvc.yaml")]
    assert {f"{path}:compiled" for path in pipelines} <= listed
    assert run(BIN / "dvc", "dag", "--dot").count("->") > len(listed)


def test_every_option_is_one_of_the_engine(compiled_cases):
    """The words of every compiled command of an engine, held against the recorded signature."""
    root, found = compiled_cases
    checked = 0
    for case in found:
        for plan in plans(root / "recipes" / f"{case}.yaml").values():
            for command in (c for stage in plan.stages for c in stage.launch.commands if c.signature):
                for argv in launched(argv_of(command)):
                    found = for_program(argv)
                    assert [p for p in check_argv(*found) if p.severity == "error"] == []
                    checked += 1
    assert checked > 50


def argv_of(command):
    """What a shell makes of a command's words."""
    text = " ".join(words(command)).replace('${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"}', "")
    return shlex.split(text.replace('"$NODE_RANK"', "1").replace('"$MASTER_PORT"', "29500"))
