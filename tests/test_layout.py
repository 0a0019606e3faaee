"""The house: imports go one way, the program starts without an engine, and the public surface is what it was.

`pytest tests/test_layout.py --renew` writes the surface anew: look at the difference, it is a decision.
"""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from compiling import ROOT, SMALL, project, recipe
from typer.main import get_command

import compiler
import runners
import schema
from compiler import cli
from schema import explain, signature, stages

PACKAGES = {"schema": schema, "compiler": compiler, "runners": runners}
MAY_IMPORT = {"schema": {"schema"}, "compiler": {"compiler", "schema"}, "runners": {"runners", "schema"}}
FILES = {name: sorted((ROOT / name).rglob("*.py")) for name in PACKAGES}
HEAVY = [
    *["accelerate", "datasets", "deepspeed", "dvc", "huggingface_hub", "modelscope", "peft", "swift", "tokenizers"],
    *["torch", "torchvision", "transformers", "trl", "tensorboard"],
    *["numpy", "pandas", "PIL", "pyarrow", "scipy", "sklearn"],
]
LONG: dict[str, str] = {}
"""Files of more than 400 lines, with the reason."""
SURFACE = ROOT / "tests" / "surface.json"


def imported(path):
    """The packages that a file imports, at its top or in a function."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield str(node.module).split(".")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package):
    assert len(FILES[package]) > 15
    others = PACKAGES.keys() - MAY_IMPORT[package] | {"tests"}
    wrong = {path: found for path in FILES[package] if (found := others & set(imported(path)))}
    assert wrong == {}


@pytest.mark.parametrize("package", ["schema", "compiler"])
def test_no_engine_is_imported(package):
    wrong = {path: found for path in FILES[package] if (found := set(HEAVY) & set(imported(path)))}
    assert wrong == {}


@pytest.mark.parametrize(("name", "package"), PACKAGES.items())
def test_packages_are_those_of_this_tree(name, package):
    assert Path(package.__file__).resolve() == ROOT / name / "__init__.py"


START = """
import sys
from compiler import cli
for arguments in {calls!r}:
    sys.argv = ["recipe", *arguments]
    try:
        cli.main()
    except SystemExit as ended:
        assert not ended.code, (arguments, ended.code)
print("HEAVY", *[name for name in {heavy!r} if name in sys.modules])
"""


def test_the_program_starts_without_an_engine(tmp_path):
    """Also for help, which loads all verbs, those of the runners too."""
    project(tmp_path, small=SMALL)
    file = "recipes/small.yaml"
    calls = [["--help"], ["validate"], ["validate", file, "--format", "json"], ["compile"], ["compile", "--check"]]
    calls += [["hash", file, "--stages"], ["show", file], ["show", file, "--stage", "train"], ["ls"]]
    calls += [["hash", file, "--explain"], ["runs"], ["runs", "--format", "json"]]
    calls += [
        ["diff", file, file],
        ["new", "other", "--from", "small"],
        ["explain", "R0101"],
        ["schema"],
        ["run", "--help"],
    ]
    code = START.format(calls=calls, heavy=HEAVY)
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1].split() == ["HEAVY"]


# The public surface


def options(verb):
    """The arguments and options of a verb, as they are written."""
    app = typer.Typer(add_completion=False)
    app.command(verb)(cli._function(verb))
    parameters = [p for p in get_command(app).params if p.name != "help"]
    return sorted(p.opts[0] if p.opts[0].startswith("--") else p.opts[0].upper() for p in parameters)


def shape(value):
    """The form of a JSON document: its names, and the kinds of its values."""
    if isinstance(value, dict):
        names = {name: shape(item) for name, item in value.items()}
        return {"NAME": next(iter(names.values()))} if names and not known_names(value) else names
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "null" if value is None else type(value).__name__


def known_names(value):
    """Whether a map's names belong to a format: those of files, stages, options, roles and packages do not."""
    varying = {"train.json", "train", "model_type", "model", "ms-swift", "OMP_NUM_THREADS", "runners.collect"}
    return not varying & value.keys()


def surface(root):
    project(root, small=SMALL.partition("variants:")[0], broken="version: 2\n")
    code, hashed, _ = recipe(root, "hash", "recipes/small.yaml", "--format", "json")
    assert code == 0
    code, found, _ = recipe(root, "validate", "recipes/broken.yaml", "--format", "json")
    assert code == 1
    (root / "recipes" / "broken.yaml").unlink()
    assert recipe(root, "compile")[0] == 0
    code, listed, _ = recipe(root, "ls", "--format", "json")
    assert code == 0
    compiled = root / "pipelines" / "small"
    return {
        "verbs": {verb: options(verb) for verb in cli.VERBS},
        "programs": sorted(cli.PROGRAMS),
        "codes": list(explain.known_codes()),
        "stage kinds": [kind.model_fields["kind"].annotation.__args__[0] for kind in stages.KINDS],
        "schema.signature": sorted(signature.__all__),
        "schema.stages": sorted(stages.__all__),
        "formats": {
            "recipe validate --format json": shape(json.loads(found)),
            "recipe hash --format json": shape(json.loads(hashed)),
            "recipe ls --format json": shape(json.loads(listed)),
            "manifest.json": shape(json.loads((compiled / "manifest.json").read_text())),
            "STAGE.json": shape(json.loads((compiled / "train.json").read_text())),
        },
    }


def test_the_surface_is_what_it_was(tmp_path, request):
    found = json.dumps(surface(tmp_path), indent=1) + "\n"
    if request.config.getoption("--renew"):
        SURFACE.write_text(found, encoding="utf-8")
    assert found == SURFACE.read_text("utf-8")


# Files


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = listed.stdout.split("\0") if listed.returncode == 0 else []
    return [path for name in names if name and (path := ROOT / name).is_file()]


def test_no_file_is_too_long():
    sources = [path for paths in FILES.values() for path in paths] + sorted((ROOT / "tests").rglob("*.py"))
    lines = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8").count("\n") for path in sources}
    assert {name for name, count in lines.items() if count > 400} == LONG.keys()


def test_no_file_names_a_place_of_this_machine():
    """Where this tree, its environment or a home folder stands."""
    places = {str(ROOT), sys.prefix, str(Path.home())}
    pattern = re.compile(
        "|".join(rf"{re.escape(place)}(?![\w.-])" for place in places if place.count("/") > 1).encode()
    )
    found = [path for path in tracked() if pattern.pattern and pattern.search(path.read_bytes())]
    assert found == []
