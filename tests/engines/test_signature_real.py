"""The recorded signatures and the checker against the engines' own parsers, built once for this module."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from signature_mutants import VALID, mutants, split

from runners import signatures
from schema.signature import check_argv, read_argv
from schema.signature.problem import REFUSED_BY_ENGINE

pytestmark = pytest.mark.engine

COUNT, SEED = 6000, 20261122
"""How many mutants, and where they start."""
FLOOR = 0.9995
"""Of 60,000 mutants one was judged differently: launchers take `--` before their script, and the checker does not."""


@pytest.fixture(scope="module")
def cases():
    """(signature, argv): the valid command lines, then their mutants."""
    return [*map(split, VALID), *mutants(COUNT, SEED)]


@pytest.fixture(scope="module")
def engine(cases, tmp_path_factory):
    """What one process with the engines says of all cases, and the models it knows."""
    folder = tmp_path_factory.mktemp("parsers")
    questions, answers = folder / "questions.json", folder / "answers.json"
    asked = [[signature.engine, signature.command, argv] for signature, argv in cases]
    questions.write_text(json.dumps(asked), encoding="utf-8")
    script = Path(__file__).with_name("real_parsers.py")
    command = [sys.executable, str(script), str(questions), str(answers)]
    environment = signatures.clean_environment(str(folder))
    run = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(answers.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def judged(cases, engine):
    """(signature, argv, whether the engine's parser takes it, what it reads or says)."""
    return [(*case, *answer) for case, answer in zip(cases, engine["answers"], strict=True)]


def refused(signature, argv):
    """Whether the checker says that the engine's parser refuses a command line."""
    return any(problem.kind in REFUSED_BY_ENGINE for problem in check_argv(signature, argv))


def test_recorded_signatures_are_fresh(capsys, monkeypatch, tmp_path):
    """Whatever the caller's environment says: these variables would change defaults and the order of sets."""
    hostile = {"PET_MAX_RESTARTS": "7", "PYTHONHASHSEED": "3", "USE_HF": "1", "HF_HOME": str(tmp_path), "COLUMNS": "9"}
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    assert signatures.main(["--check"]) == 0, capsys.readouterr().out


def test_the_engines_take_the_valid_command_lines(judged):
    assert [(argv, answer) for _, argv, accepted, answer in judged[: len(VALID)] if not accepted] == []


def test_the_checker_agrees_with_the_engines(judged):
    apart = [(s.command, argv, answer) for s, argv, accepted, answer in judged if accepted == refused(s, argv)]
    rate = 1 - len(apart) / len(judged)
    accepted = sum(case[2] for case in judged)
    print(*apart, sep="\n")
    print(f"{len(judged)} command lines, {accepted} accepted by the engines; agreement {rate:.2%}")
    assert len(judged) / 4 < accepted < len(judged) * 3 / 4, "mutants should be of both kinds"
    assert rate >= FLOOR, apart[:10]


def test_the_checker_reads_the_same_values(judged):
    compared = 0
    for signature, argv, accepted, values in judged:
        if not accepted or any(problem.severity == "error" for problem in check_argv(signature, argv)):
            continue
        for name, value in read_argv(signature, argv).items():
            compared += 1
            assert same(signature.options[name].type, value, values[name]), (name, argv)
    assert compared > COUNT


def same(kind, ours, real):
    """Whether two readings are equal: the engine reads JSON later, and accelerate has 1 and 0 for true and false."""
    if kind == "json" and not isinstance(ours, str):
        return ours == json.loads(real)
    if kind == "on_off_list":
        return str(tuple(ours)) == str(
            tuple(bool(part) for part in json.loads(real.replace("(", "[").replace(")", "]")))
        )
    return ours == real


def test_the_registry_is_the_one_that_an_import_gives(engine):
    assert len(engine["models"]) > 1000
    assert sorted(map(str, engine["models"])) == sorted(map(str, recorded_rows()))


def recorded_rows():
    """The committed registry in the form of the imported one."""
    from schema.signature.registry import _entry, _registry

    entries = map(_entry, _registry()["models"])
    return [[e.huggingface, e.modelscope, e.model_type, e.template, list(e.requires), e.multimodal] for e in entries]
