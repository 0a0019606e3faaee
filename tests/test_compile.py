"""Compiling: the same bytes everywhere, stale files found, gone ones pruned, and what has to be refused."""

import copy
import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import pytest
import yaml
from compiling import ROOT, SMALL, change, files, plans, project, quoted, recipe, tree
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from recipe_mutants import changed

from compiler import cli
from compiler.plan import BatchArithmetic
from schema.diagnostics import RecipeError
from schema.source import parse, to_data

EXAMPLES = int(os.environ.get("RECIPE_EXAMPLES", "300"))
GOLDEN = {path.parent.name: path.read_text("utf-8") for path in (ROOT / "tests" / "golden").glob("*/recipe.yaml")}


@pytest.fixture
def root(tmp_path):
    project(tmp_path, small=SMALL)
    return tmp_path


# The same bytes

ENVIRONMENTS = [
    {},
    {"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu"},
    {"PYTHONHASHSEED": "4294967295", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "POSIX", "PYTHONIOENCODING": "latin-1", "PYTHONOPTIMIZE": "2", "HOME": "/nowhere"},
    {"OMP_NUM_THREADS": "7", "NPROC_PER_NODE": "3", "CUDA_VISIBLE_DEVICES": "5", "MAX_PIXELS": "1", "USE_HF": "1"},
    {"HF_TOKEN": "secret", "RECIPE_OUT": "x", "RECIPE_RESUME": "y", "COLUMNS": "20", "NO_COLOR": "1", "CI": "1"},
]


def test_the_same_bytes_everywhere(tmp_path):
    """Another hash seed, locale, time zone, working directory, environment and clone of this tree."""
    clone = tmp_path / "another clone"
    for package in ("schema", "compiler", "runners"):
        shutil.copytree(ROOT / package, clone / package, ignore=shutil.ignore_patterns("__pycache__"))
    runs = [(ROOT, environment, tmp_path / f"{n} project") for n, environment in enumerate(ENVIRONMENTS)]
    runs.append((clone, {"LANG": "tr_TR.UTF-8"}, tmp_path / "deep" / "er" / "project"))
    started = [started_in(*run) for run in runs]
    for process in started:
        said = process.communicate()[0]
        assert process.returncode == 0, said
    compiled_files = [tree(folder / "pipelines") for _, _, folder in runs]
    assert len(compiled_files[0]) > 100
    assert all(other == compiled_files[0] for other in compiled_files)
    everything = b"".join(compiled_files[0].values())
    assert not [word for word in (str(tmp_path), str(ROOT), "secret", "/nowhere") if word.encode() in everything]


def started_in(code, environment, folder):
    """A compilation of several recipes by the program of a clone, from a folder that is neither."""
    recipes = project(folder, **{name: GOLDEN[name] for name in ("every-field", "engine-args", "hardware")})
    shutil.copy(ROOT / "recipes" / "animals-lora.yaml", recipes)
    base = {"PATH": os.environ["PATH"], "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"}
    named = sorted(recipes.glob("*.yaml"))
    return subprocess.Popen(
        [sys.executable, "-m", "compiler", "compile", *named],
        cwd=folder.parent,
        env=base | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_compiling_again_changes_nothing(root):
    assert recipe(root, "compile")[0] == 0
    before = {path: (root / "pipelines" / path).stat().st_mtime_ns for path in tree(root / "pipelines")}
    code, out, _ = recipe(root, "compile", "recipes/small.yaml")
    assert code == 0
    assert out.count("unchanged") == 3
    assert before == {path: (root / "pipelines" / path).stat().st_mtime_ns for path in tree(root / "pipelines")}


# --check, --set, --out, pruning, clashes


@pytest.mark.parametrize(
    "spoil",
    [
        lambda root: change(root, "split: {validation: 0.2}", "split: {validation: 0.3}"),
        lambda root: (root / "pipelines/small/train.sh").write_text("swift sft\n"),
        lambda root: (root / "pipelines/small/dvc.yaml").unlink(),
        lambda root: (root / "pipelines/small/manifest.json").unlink(),
        lambda root: (root / "pipelines/small/short/train.json").write_bytes(b"\xff\xfe"),
        lambda root: (root / "pipelines/small/manifest.json").write_text("{"),
        lambda root: (root / "pipelines/exec.sh").write_text("exit 0\n"),
        lambda root: change(root, "  short: {stages: {train: {max_steps: 2}}}\n", ""),
    ],
    ids=["recipe", "edited", "missing", "no-manifest", "not-text", "broken-manifest", "exec", "variant"],
)
def test_check_finds_what_is_stale(root, spoil):
    assert recipe(root, "compile", "--check")[0] == 1
    recipe(root, "compile")
    assert recipe(root, "compile", "--check") == (0, "compiled files are up to date\n", "")
    spoil(root)
    before = tree(root)
    code, _, err = recipe(root, "compile", "--check")
    assert code == 1
    assert "R0405" in err
    assert tree(root) == before
    assert recipe(root, "compile")[0] == 0
    assert recipe(root, "compile", "--check")[0] == 0


def test_the_stage_compiled_refuses_an_edited_recipe(root):
    recipe(root, "compile")
    stamp = root / "outputs" / "small" / "long" / "compiled.txt"
    with mock.patch.dict(cli.PROGRAMS, {"check": ("compiler.commands.check",)}):
        assert recipe(root, "check", "pipelines/small/long")[0] == 0
        first = stamp.read_bytes()
        change(root, "epochs: 3", "epochs: 4")
        code, _, err = recipe(root, "check", "pipelines/small/long")
        assert code == 1
        assert "recipe changed, run `recipe compile recipes/small.yaml`" in err
        recipe(root, "compile")
        assert recipe(root, "check", "pipelines/small/long")[0] == 0
    assert stamp.read_bytes() == first


def test_what_is_gone_is_pruned(root):
    recipe(root, "compile")
    mine = root / "pipelines" / "small" / "notes.txt"
    mine.write_text("mine")
    (root / "pipelines" / "small" / "short" / "dvc.lock").write_text("schema: '2.0'\n")
    change(root, "  answers: {kind: predict, model: train, data: data.validation}\n", "")
    change(root, "  long: {stages: {train: {epochs: 3}}}\n", "")
    code, out, _ = recipe(root, "compile")
    assert code == 0
    assert "pipelines/small/long  removed" in out
    left = tree(root / "pipelines" / "small")
    assert not [path for path in left if "answers" in path or path.startswith("long")]
    assert {"notes.txt", "short/dvc.lock"} <= set(left)
    assert not (root / "pipelines" / "small" / "long").exists()


def test_set_is_for_looking(root):
    recipe(root, "compile")
    before = tree(root)
    code, _, err = recipe(root, "compile", "recipes/small.yaml", "--set", "stages.train.epochs=9")
    assert (code, tree(root)) == (2, before)
    assert "--out" in err
    code, _, _ = recipe(root, "compile", "recipes/small.yaml", "--set", "stages.train.epochs=9", "--out", "look")
    assert code == 0
    assert b"--num_train_epochs 9.0" in (root / "look" / "pipelines" / "small" / "train.sh").read_bytes()
    assert {path: text for path, text in tree(root).items() if not path.startswith("look/")} == before


def test_two_recipes_of_one_name(root):
    recipe(root, "compile")
    before = tree(root / "pipelines")
    (root / "recipes" / "other.yaml").write_text(SMALL.replace("epochs: 3", "epochs: 5"))
    for arguments in (["compile", "recipes/other.yaml"], ["compile", "recipes/other.yaml", "--check"]):
        code, _, err = recipe(root, *arguments)
        assert code == 1
        assert "R0406" in err
        assert tree(root / "pipelines") == before
    (root / "recipes" / "small.yaml").unlink()  # renamed, then
    assert recipe(root, "compile", "recipes/other.yaml")[0] == 0
    assert tree(root / "pipelines") != before


# What follows from hardware and batch


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(*[st.integers(1, 64)] * 4)
def test_batch_arithmetic(micro, processes, nodes, accumulation):
    total = micro * processes * nodes * accumulation
    arithmetic = BatchArithmetic(total, micro, processes, nodes)
    assert arithmetic.accumulation == accumulation
    assert list(map(int, re.findall("[0-9]+", str(arithmetic)))) == [total, micro, processes, nodes, accumulation]


def variant(root, hardware, train):
    text = SMALL.replace("hardware: {gpus: 0}", f"hardware: {json.dumps(hardware)}").partition("variants:")[0]
    text = text.replace("data: data.train}", f"data: data.train, {json.dumps(train)[1:-1]}}}")
    path = project(root, small=text) / "small.yaml"
    return plans(path)["small"].stage("train")


@pytest.mark.parametrize(
    ("hardware", "batch", "accumulation"),
    [
        ({"gpus": 0}, {"global": 6, "micro": 2}, 3),
        ({"gpus": 1}, {"global": 6, "micro": 2}, 3),
        ({"gpus": 4}, {"global": 32, "micro": 2}, 4),
        ({"gpus": 4, "nodes": 2}, {"global": 32, "micro": 2}, 2),
        ({"gpus": 4, "nodes": 2}, {"global": 32, "micro": 3}, None),
        ({"gpus": 3}, {"global": 16}, None),
    ],
)
def test_accumulation_is_derived(tmp_path, hardware, batch, accumulation):
    if accumulation is None:
        with pytest.raises(RecipeError) as refused:
            variant(tmp_path, hardware, {"batch": batch})
        assert [d.code for d in refused.value.diagnostics] == ["R0301"]
        return
    stage = variant(tmp_path, hardware, {"batch": batch})
    options = stage.launch.commands[0].options
    assert options["gradient_accumulation_steps"] == stage.batch.accumulation == accumulation
    assert options["per_device_train_batch_size"] == batch["micro"]


@pytest.mark.parametrize(
    ("hardware", "deepspeed", "env"),
    [
        ({"gpus": 0}, None, {"CUDA_VISIBLE_DEVICES": ""}),
        ({"gpus": 1}, None, {}),
        ({"gpus": 1}, "zero3", {"NPROC_PER_NODE": "1"}),
        ({"gpus": 8}, None, {"NPROC_PER_NODE": "8"}),
        ({"gpus": 8}, "zero2", {"NPROC_PER_NODE": "8"}),
        ({"gpus": 8, "nodes": 2}, "zero3", {"NPROC_PER_NODE": "8", "NNODES": "2"}),
    ],
)
def test_the_launcher_follows_from_the_hardware(tmp_path, hardware, deepspeed, env):
    stage = variant(tmp_path, hardware, {"deepspeed": deepspeed})
    launcher = ("CUDA_VISIBLE_DEVICES", "NPROC_PER_NODE", "NNODES")
    assert {name: value for name, value in stage.launch.env.items() if name in launcher} == env
    assert ("NODE_RANK" in stage.launch.required) == ("nodes" in hardware)
    options = stage.launch.commands[0].options
    assert "deepspeed" in options if deepspeed else "deepspeed" not in options
    assert list(stage.launch.files) == (["deepspeed"] if deepspeed else [])
    assert options["use_cpu"] is (hardware["gpus"] == 0)


def test_dvc_has_every_compiled_file_as_a_dependency_or_behind_one(root):
    """The identity and the generated files; the script is behind the identity."""
    for path, text in files(root / "recipes" / "small.yaml").items():
        if path.endswith("dvc.yaml"):
            folder = Path(path).parent.as_posix()
            deps = {dep for stage in yaml.safe_load(text)["stages"].values() for dep in stage["deps"]}
            assert {f"{folder}/{name}.json" for name in ("data", "data.prepare", "train", "answers")} <= deps


def test_no_recipe_makes_an_exception():
    """Mutated recipes compile, deterministically and to well-formed files, or are refused with diagnostics."""
    compiled, refused = [], []
    whole = [to_data(parse(GOLDEN[name], name)) for name in ("every-field", "engine-args", "classify", "sources")]

    @settings(max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, phases=[Phase.generate])
    @given(st.integers(0, len(whole) - 1), st.integers(0, 2**64))
    def run(number, seed):
        rng = random.Random(seed)
        data = copy.deepcopy(whole[number])
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            changed(data, rng)
        with TemporaryDirectory() as folder:
            path = project(Path(folder), fuzz=quoted(data)) / "fuzz.yaml"
            try:
                found = files(path)
            except RecipeError as error:
                assert error.diagnostics
                assert all(span.file == str(path) for d in error.diagnostics for span in d.spans)
                refused.append(seed)
                return
            compiled.append(seed)
            well_formed(found)

    run()
    assert len(compiled) > EXAMPLES // 10
    assert len(refused) > EXAMPLES // 10


def well_formed(found):
    for path, text in found.items():
        assert not Path(path).is_absolute()
        assert ".." not in Path(path).parts
        if path.endswith(".json"):
            json.loads(text)
        elif path.endswith(".yaml"):
            yaml.safe_load(text)
        else:
            shlex.split(text, comments=True)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no file names that are not UTF-8")
def test_a_name_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "recipes").mkdir()
    shutil.copy(ROOT / "recipes/quickstart.yaml", os.fsencode(tmp_path / "recipes") + b"/caf\xe9.yaml")
    run = subprocess.run(
        [Path(sys.executable).parent / "recipe", "compile"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "R0424" in run.stderr and "caf\\xe9.yaml" in run.stderr


def test_show_tells_programs_what_a_stage_is(root):
    code, shown, _ = recipe(root, "show", "small", "--format", "json")
    told = json.loads(shown)
    assert (code, told["recipe"]) == (0, "small")
    manifest = json.loads(files(root / "recipes/small.yaml")["pipelines/small/manifest.json"])
    keys = {name: stage["key"] for name, stage in manifest["stages"].items() if name in told["stages"]}
    assert {name: stage["key"] for name, stage in told["stages"].items()} == keys
    train = told["stages"]["train"]
    assert train["commands"][0].startswith("swift sft --model ")
    assert train["fields"]["kind"] == "sft"
    batch = train["batch"]
    assert batch["global_batch"] == batch["micro_batch"] * batch["processes"] * batch["nodes"] * batch["accumulation"]
    (only,) = json.loads(recipe(root, "show", "small", "--stage", "train", "--format", "json")[1])["stages"]
    assert only == "train"
