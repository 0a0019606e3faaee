"""Rewards on their way to an engine: the project's own functions, the check before a run, and the plugin."""

import json
import subprocess
import sys
import types

import pytest

from runners.rewards import plugin
from runners.rewards.load import scores
from schema.diagnostics import RecipeError

EACH = "def polite(answer, solution, word='please'):\n    return float(word in answer)\n"
BATCH = (
    "def together(completions, solution, weight=1, **columns):\n"
    "    return [weight * float(a == s) for a, s in zip(completions, solution)]\n"
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(project, text, name="rewards/own.py"):
    file = project / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return name


def own(function, **parameters):
    return {"name": function, "file": 0, "function": function, "parameters": parameters}


def data(project, *solutions):
    lines = [json.dumps({"messages": [{"role": "user", "content": "?"}], "solution": each}) for each in solutions]
    (project / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "rows.jsonl"


def codes(found):
    return [(d.code, d.spans[0].line if d.spans else 0) for d in found.value.diagnostics]


def test_a_function_of_one_answer(project):
    judge = scores(own("polite", word="thanks"), [write(project, EACH)])
    assert judge(["many thanks", "please"], {"solution": ["", ""]}) == [1.0, 0.0]


def test_a_function_of_all_answers_gets_columns_and_parameters(project):
    judge = scores(own("together", weight=3), [write(project, BATCH)])
    assert judge(["a", "b"], {"solution": ["a", "a"], "images": [[], []]}) == [3.0, 0.0]


def test_a_function_of_all_answers_without_more_columns_gets_those_that_it_names(project):
    text = "def f(completions, solution, word='a'):\n    return [float(s == word) for s in solution]\n"
    judge = scores(own("f", word="b"), [write(project, text)])
    columns = {"solution": ["a", "b"], "images": [[], []], "word": ["a", "a"], "trainer_state": None}
    assert judge(["x", "y"], columns) == [0.0, 1.0]


def test_answers_may_be_messages(project):
    judge = scores(own("polite"), [write(project, EACH)])
    assert judge([[{"role": "assistant", "content": "please"}]], {"solution": [""]}) == [1.0]


@pytest.mark.parametrize(
    ("text", "function", "parameters", "code", "line"),
    [
        ("x = 1\ndef f(:\n", "f", {}, "R0550", 2),
        ("import nowhere_at_all\n", "f", {}, "R0550", 1),
        ("raise ValueError('no')\n", "f", {}, "R0550", 1),
        ("def g(answer, solution):\n    return 0\n", "f", {}, "R0551", 1),
        ("f = 3\n", "f", {}, "R0551", 1),
        ("def f(answer):\n    return 0\n", "f", {}, "R0551", 1),
        ("def f(answer, solution):\n    return 0\n", "f", {"word": "x"}, "R0551", 1),
        ("def f(answer, solution, word):\n    return 0\n", "f", {}, "R0551", 1),
        ("\n\nimport beside\n", "f", {}, "R0554", 3),
        ("def f(answer, solution):\n    from .beside import x\n", "f", {}, "R0554", 2),
        ("from folder.deep import x\n", "f", {}, "R0554", 1),
    ],
)
def test_a_file_that_cannot_be_used(project, text, function, parameters, code, line):
    write(project, "x = 1\n", "rewards/beside.py")
    write(project, "x = 1\n", "rewards/__init__.py")
    write(project, "", "folder/__init__.py")
    with pytest.raises(RecipeError) as found:
        scores(own(function, **parameters), [write(project, text)])
    assert codes(found) == [(code, line)]


@pytest.mark.parametrize("given", ["None", "'1'", "float('nan')", "float('inf')", "1 / 0", "[]"])
def test_a_reward_that_gives_no_number(project, given):
    file = write(project, f"def f(answer, solution):\n    return {given}\n")
    with pytest.raises(RecipeError) as found:
        plugin.check({"rewards": [own("f")]}, [file], [project / data(project, "1")])
    assert [code for code, _ in codes(found)] == ["R0552"]


def test_a_function_that_forgets_an_answer(project):
    judge = scores(own("f"), [write(project, "def f(completions, **columns):\n    return completions[1:]\n")])
    with pytest.raises(ValueError, match="gave 1 numbers for 2 answers"):
        judge(["1", "2"], {"solution": ["", ""]})


def test_solutions_that_a_reward_cannot_use_are_told_with_their_rows(project):
    numeric = {"name": "numeric", "kind": "numeric", "parameters": {}}
    rows = project / data(project, "1", "one", "2", *["many"] * 9)
    with pytest.raises(RecipeError) as found:
        plugin.check({"rewards": [numeric]}, [], [rows])
    assert codes(found) == [("R0553", line) for line in (2, 4, 5, 6, 7)] + [("R0553", 0)]
    assert found.value.diagnostics[-1].message == "10 of 12 rows are so"


CONFIG = {
    "rewards": [
        {"name": "exact", "kind": "exact", "parameters": {"ignore_case": True}},
        {"name": "label-f1", "kind": "label-f1", "parameters": {}},
        own("polite"),
    ]
}


def test_the_plugin_registers_every_reward_under_its_name(project, monkeypatch):
    engine = types.ModuleType("swift.rewards")
    engine.ORM, engine.orms = type("ORM", (), {"__init__": lambda self, args=None: None}), {}
    monkeypatch.setitem(sys.modules, "swift", types.ModuleType("swift"))
    monkeypatch.setitem(sys.modules, "swift.rewards", engine)
    (project / "config.json").write_text(json.dumps(CONFIG))
    rows = data(project, "please")
    arguments = ["--config", "config.json", "--data", rows, "--files", write(project, EACH), "--to", "out/plugin.py"]
    assert plugin.main(arguments) == 0
    text = (project / "out/plugin.py").read_text()
    assert str(project) not in text
    exec(compile(text, "plugin.py", "exec"), {})
    assert list(engine.orms) == ["exact", "label-f1", "polite"]
    made = {name: kind(args=None) for name, kind in engine.orms.items()}
    assert [type(judge).__name__ for judge in made.values()] == list(made)
    given = {name: judge(["please", "x"], solution=["PLEASE", "y"]) for name, judge in made.items()}
    assert given == {"exact": [1.0, 0.0], "label-f1": [1.0, 0.0], "polite": [1.0, 0.0]}


def test_a_mistake_ends_the_command_with_its_place(project):
    (project / "config.json").write_text(json.dumps({"rewards": [own("polite")]}))
    file = write(project, "def polite(answer:\n")
    command = [sys.executable, "-m", "runners.rewards.plugin", "--config", "config.json", "--data", data(project, "1")]
    ran = subprocess.run([*command, "--files", file, "--to", "p.py"], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "error[R0550]" in ran.stderr and f"line 1 of {file}" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (project / "p.py").exists()
