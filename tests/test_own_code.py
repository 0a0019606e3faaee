"""Rewards of the project's own are judged without being run: what is certain is told, what is not is left alone."""

import ast
import inspect

import pytest
from compiling import project, recipe

from schema import own_code
from schema.diagnostics import RecipeError

RECIPE = """\
version: 1
name: small
models: {base: {id: tiny/llava1.5-hf, dtype: float32}}
datasets: {shapes: {kind: shapes, classes: [red, blue], split: {validation: 0.2}}}
hardware: {gpus: 0}
stages:
  data: {kind: prepare, dataset: shapes, task: solve}
  train: {kind: grpo, model: base, data: data.train, rewards: [{kind: file, file: rewards/own.py}]}
"""


def said(text, name="f", parameters=None):
    tree = own_code.parse(text.encode(), "own.py")
    return [(d.code, d.help) for d in own_code.unfit(tree, "own.py", name, parameters or {})]


OTHER = "change the function or its `parameters`"


@pytest.mark.parametrize(
    ("text", "parameters", "help"),
    [
        ("", {}, "its functions: none"),
        ("def g(answer, solution): ...", {}, "write `function: g`"),
        ("def ff(answer, solution): ...", {}, "write `function: ff`"),
        ("def fa(x): ...\ndef fan(x): ...", {}, "its functions: `fa`, `fan`"),
        ("class A:\n    def f(self, answer): ...", {}, "its functions: none"),
        ("def g():\n    f = 1\n    def f(): ...", {}, "write `function: g`"),
        ("def f(answer): ...", {}, OTHER),
        ("def f(): ...", {}, OTHER),
        ("def f(answer, solution): ...", {"word": "x"}, OTHER),
        ("def f(answer, solution, word): ...", {}, OTHER),
        ("def f(answer, solution, *, word): ...", {}, OTHER),
        ("def f(*, answer, solution): ...", {}, OTHER),
        ("def f(answer, solution, word, /): ...", {"word": 1}, OTHER),
        ("def f(answer, solution): ...", {"solution": 1}, OTHER),
        ("def f(completions, solution): ...", {"word": 1}, OTHER),
        ("if x:\n    def f(answer): ...", {}, OTHER),
    ],
)
def test_what_cannot_be_called(text, parameters, help):
    assert said(text, parameters=parameters) == [("R0551", help)]


@pytest.mark.parametrize(
    "text",
    [
        "def f(answer, solution): ...",
        "def f(answer, solution, **more): ...",
        "def f(*both): ...",
        "def f(completions, solution): ...",
        "def f(completions, **columns): ...",
        "f = g",
        "f, g = h",
        "for f in g: ...",
        "(f := g)",
        "import f",
        "from g import h as f",
        "from g import *",
        "class f: ...",
        "globals()['f'] = 1",
        "exec('f = 1')",
        "import sys\nsetattr(sys.modules[__name__], 'f', 1)",
        "def __getattr__(name): ...",
        "def g():\n    global f\n    f = 1",
        "try:\n    from g import f\nexcept ImportError:\n    def f(answer): ...",
        "def f(answer): ...\nf = g(f)",
        "@g\ndef f(answer): ...",
        "match g:\n    case {'a': f}: ...",
        "with g() as f: ...",
    ],
)
def test_what_may_be_right(text):
    assert said(text) == []


@pytest.mark.parametrize(
    "takes", ["a, b", "a, /, b=1, *c, d, e=2, **f", "*, a", "", "a=1, b=2, /", "*completions", "completions, *, word=1"]
)
def test_a_signature_is_that_of_the_function(takes):
    found: dict = {}
    exec(f"def f({takes}): ...", found)
    written = own_code.signature(ast.parse(f"def f({takes}): ...").body[0].args)
    real = inspect.signature(found["f"])
    assert [(p.name, p.kind, p.default is p.empty) for p in written.parameters.values()] == [
        (p.name, p.kind, p.default is p.empty) for p in real.parameters.values()
    ]


@pytest.mark.parametrize("content", [b"def f(:", b"x = '\xff'", b"\0", b"(" * 5000])
def test_what_is_no_python(content):
    with pytest.raises(RecipeError) as found:
        own_code.parse(content, "own.py")
    assert [d.code for d in found.value.diagnostics] == ["R0550"]


def test_a_byte_order_mark_is_python():
    assert own_code.parse(b"\xef\xbb\xbfx = 1", "own.py").body


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "warning[R0575]: rewards/own.py is not in the project"),
        ("def reward(answer):\n    return 1\n", "error[R0551]"),
        ("def reward(answer:\n", "error[R0550]: line 1 of "),
        ("from rewards import beside\n\n\ndef reward(answer, solution):\n    return 1\n", "error[R0554]: line 1 of "),
        ("raise SystemExit\n\n\ndef reward(answer, solution):\n    return 1\n", None),
    ],
)
def test_commands_tell_before_anything_runs(tmp_path, text, told):
    project(tmp_path, small=RECIPE)
    (tmp_path / "rewards").mkdir()
    (tmp_path / "rewards/__init__.py").touch()
    if text is not None:
        (tmp_path / "rewards/own.py").write_text(text, encoding="utf-8")
    for command in ("validate", "compile"):
        code, _, err = recipe(tmp_path, command, "recipes/small.yaml")
        assert code == (1 if told and told.startswith("error") else 0)
        assert told is None or told in err
    assert (tmp_path / "pipelines/small/train.json").exists() == (code == 0)
