"""The recorded signatures and the checker against the engines' own parsers, built once for this module."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from signature_mutants import VALID, mutants, split

from runners import signatures
from schema.signature import check_argv, load, read_argv
from schema.signature.problem import REFUSED_BY_ENGINE

pytestmark = pytest.mark.engine

COUNT, SEED = 6000, 20261122
"""How many mutants, and where they start. 24,000 others agreed in every case when this was written."""
FLOOR = 0.9995


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """(signature, argv, what the engine's parser answers) for the valid command lines and their mutants."""
    cases = [*map(split, VALID), *mutants(COUNT, SEED)]
    folder = tmp_path_factory.mktemp("parsers")
    questions, answers = folder / "questions.json", folder / "answers.json"
    asked = [[signature.engine, signature.command, argv] for signature, argv in cases]
    questions.write_text(json.dumps(asked), encoding="utf-8")
    script = Path(__file__).with_name("real_parsers.py")
    command = [sys.executable, str(script), str(questions), str(answers)]
    environment = signatures.clean_environment(str(folder))
    run = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    told = json.loads(answers.read_text(encoding="utf-8"))
    return [(signature, argv, *answer) for (signature, argv), answer in zip(cases, told, strict=True)]


def refused(signature, argv):
    """Whether the checker says that the engine's parser refuses a command line."""
    return any(problem.kind in REFUSED_BY_ENGINE for problem in check_argv(signature, argv))


def test_recorded_signatures_are_fresh(capsys):
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


def test_the_registry_is_the_one_that_the_engine_imports(judged, tmp_path):
    script = (
        "import json, sys; from pathlib import Path; from swift.model import MODEL_MAPPING\n"
        "rows = [[m.hf_model_id, m.ms_model_id, name, g.template or meta.template,"
        " (g.requires if g.requires is not None else meta.requires) or [], meta.is_multimodal]"
        " for name, meta in MODEL_MAPPING.items() for g in meta.model_groups for m in g.models]\n"
        "Path(sys.argv[1]).write_text(json.dumps(rows))"
    )
    out = tmp_path / "rows.json"
    environment = signatures.clean_environment(str(tmp_path))
    subprocess.run([sys.executable, "-c", script, str(out)], env=environment, capture_output=True, check=True)
    imported = json.loads(out.read_text(encoding="utf-8"))
    assert sorted(map(str, imported)) == sorted(map(str, recorded_rows()))
    assert load("ms-swift", "sft").versions["ms-swift"]


def recorded_rows():
    """The committed registry in the form of the imported one."""
    from schema.signature.registry import _entry, _registry

    entries = map(_entry, _registry()["models"])
    return [[e.huggingface, e.modelscope, e.model_type, e.template, list(e.requires), e.multimodal] for e in entries]
