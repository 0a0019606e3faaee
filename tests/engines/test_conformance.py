"""Every compiled ms-swift command of every shipped recipe is taken by ms-swift itself.

The scripts are run as they are, with programs in front of the search path that write down what they are called with.
Then ms-swift builds its arguments from each call, in a project where a model is a configuration without weights.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from compiling import launched
from signature_mutants import BROKEN_EARLY, BROKEN_LATE, VALID, split

from runners.signatures import clean_environment
from schema.signature import arguments, check_argv, check_rules, for_program, load, read_argv
from schema.toolchain import DEFAULT

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parent.parent.parent
PROGRAMS = ("swift", "python", "accelerate", "torchrun", "deepspeed", "vllm")
WRITES_ITSELF_DOWN = """#!{python}
import json, os, sys
with open(os.environ["CALLS"], "a", encoding="utf-8") as calls:
    print(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]), file=calls)
"""


@dataclass(frozen=True)
class Call:
    """A command line, and the script that holds it."""

    script: str
    argv: list[str]
    toolchain: str = DEFAULT


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the compiled pipelines in a project of its own."""
    root = tmp_path_factory.mktemp("project")
    if (ROOT / "pipelines").is_dir():
        shutil.copytree(ROOT / "pipelines", root / "pipelines")
    programs = root / "programs"
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).write_text(WRITES_ITSELF_DOWN.format(python=sys.executable), encoding="utf-8")
        (programs / name).chmod(0o755)
    return root


@pytest.fixture(scope="module")
def calls(project):
    """What the scripts of all shipped recipes call, with nothing to resume and with a checkpoint."""
    scripts = sorted(path for path in project.glob("pipelines/*/**/*.sh"))
    return [call for script in scripts for resume in ("", "checkpoint-3") for call in run(project, script, resume)]


def run(project, script, resume):
    """The calls of one script."""
    written = project / "calls.jsonl"
    written.write_text("", encoding="utf-8")
    environment = {
        "PATH": f"{project / 'programs'}{os.pathsep}{os.environ['PATH']}",
        "CALLS": str(written),
        "RECIPE_OUT": str(project / "recipe-out"),
        "RECIPE_RESUME": resume and str(project / resume),
        **dict.fromkeys(("NODE_RANK", "MASTER_ADDR", "MASTER_PORT"), "1"),
    }
    ended = subprocess.run(
        ["bash", str(script)], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    name = script.relative_to(project).as_posix()
    lines = written.read_text(encoding="utf-8").splitlines()
    assert lines, f"{name} calls nothing: {ended.stderr}"
    stage = json.loads((script.parent / "manifest.json").read_bytes())["stages"].get(script.stem, {})
    toolchain = stage.get("toolchain", {}).get("name", DEFAULT)
    return [Call(name, json.loads(line), toolchain) for line in lines]


@pytest.fixture(scope="module")
def judged(project, calls):
    """(call, what ms-swift says of it), for the calls of scripts and for some that stand in the checker's tests."""
    given = [*calls, *by_hand(), *wrong(), *late()]
    swift = [call for call in given if call.argv[0] == "swift" and call.toolchain == DEFAULT]
    for call in swift:
        prepare(project, call.argv)
    return asked(project, swift, sys.executable)


def asked(project, swift, python):
    """(call, whether ms-swift takes it, its error), by the engine of an interpreter."""
    questions, answers = project / "questions.json", project / "answers.json"
    questions.write_text(json.dumps([[call.argv[1], call.argv[2:]] for call in swift]), encoding="utf-8")
    script = Path(__file__).with_name("real_arguments.py")
    command = [python, str(script), str(questions), str(answers)]
    environment = clean_environment(str(project))
    ended = subprocess.run(command, env=environment, cwd=project, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    told = json.loads(answers.read_text(encoding="utf-8"))
    return [(call, accepted, error) for call, (accepted, error) in zip(swift, told, strict=True)]


def by_hand():
    """Commands as recipes make them, for a checkout without compiled pipelines."""
    ours = (split(command) for command in VALID if command.startswith("swift"))
    return [Call("by hand", [*signature.program, *argv]) for signature, argv in ours]


def wrong():
    """Commands that ms-swift must not take, so that its silence means something."""
    return [broken("refused", {"learning_rte": 1e-4}), *(broken("refused", options) for options, _ in BROKEN_EARLY)]


def late():
    """Commands that break a rule which ms-swift does not know yet when it builds its arguments."""
    return [broken("late", options) for options, _ in BROKEN_LATE]


def broken(name, options):
    """A small command with some options more."""
    sft = load("ms-swift", "sft")
    small = {"model": ".recipe/models/small", "model_type": "qwen2_vl", "template": "qwen2_vl", "dataset": "d.jsonl"}
    argv = ["swift", "sft"]
    for option, value in {
        **small,
        "torch_dtype": "bfloat16",
        "check_model": False,
        "report_to": "none",
        **options,
    }.items():
        argv += arguments(sft, option, value) if sft.find(option) else [f"--{option}", str(value)]
    return Call(name, argv)


def prepare(project, argv, toolchain=DEFAULT, config=None):
    """Put a model without weights, an adapter and an empty plugin where a command line names them."""
    signature, rest = for_program(argv, toolchain)
    given = read_argv(signature, rest) if not check_argv(signature, rest) else {}
    for name in ("model", "ref_model", "resume_from_checkpoint"):
        if given.get(name):
            model_without_weights(project / given[name], config or QWEN2_VL)
    for path in given.get("external_plugins", []):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text("", encoding="utf-8")
    for path in [*given.get("adapters", []), *given.get("ref_adapters", [])]:
        (project / path).mkdir(parents=True, exist_ok=True)
        (project / path / "adapter_config.json").write_text("{}", encoding="utf-8")
    deepspeed = given.get("deepspeed")
    if str(deepspeed).endswith(".json") and not (project / deepspeed).exists():
        (project / deepspeed).parent.mkdir(parents=True, exist_ok=True)
        (project / deepspeed).write_text('{"zero_optimization": {"stage": 3}}', encoding="utf-8")


QWEN2_VL = {
    "architectures": ["Qwen2VLForConditionalGeneration"],
    "model_type": "qwen2_vl",
    "torch_dtype": "float32",
    "max_position_embeddings": 2048,
    "hidden_size": 32,
    "num_hidden_layers": 2,
}


def model_without_weights(folder, config):
    """A configuration, which is all that arguments are built from."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def test_compiled_scripts_were_found(calls):
    recipes = {path.stem for path in (ROOT / "recipes").glob("*.yaml") if not path.stem.startswith("distill-")}
    assert {call.script.split("/")[1] for call in calls if call.argv[0] == "swift"} == recipes


def test_the_checker_takes_every_compiled_command(calls):
    each = [(call, argv) for call in calls for argv in launched(call.argv)]
    for call, argv in each:
        found = for_program(argv, "vllm" if argv[0] == "vllm" else call.toolchain)
        if found is None:
            assert argv[0] == "python", call
            continue
        assert check_argv(*found) == [], call.script
        assert check_rules(found[0], read_argv(*found)) == [], call.script


def test_ms_swift_takes_every_compiled_command(judged):
    right = [(call.script, error) for call, accepted, error in judged if call.script != "refused" and not accepted]
    assert judged
    assert right == []


def test_ms_swift_refuses_what_breaks_a_rule(judged):
    taken = [call.argv for call, accepted, _ in judged if call.script == "refused" and accepted]
    assert sum(call.script == "refused" for call, _, _ in judged) == len(BROKEN_EARLY) + 1
    assert taken == []
