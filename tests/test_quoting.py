"""Whatever a recipe says reaches a program as the same bytes: through YAML, the compiler, bash and argv."""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from compiling import files, plans, project, quoted
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.plan import Command, InputPath, Launch, OutputPath, ResumedModel, ResumePath
from compiler.render import render
from compiler.render.script import script
from schema.diagnostics import RecipeError

HOSTILE = [
    " ",
    "a b  c",
    "it's",
    "''",
    '"',
    "\"quoted\" 'both'",
    "$(touch broken)",
    "`touch broken`",
    "$HOME",
    "${HOME}",
    "${HOME",
    "${x:-${y}}",
    "}",
    "{a,b}",
    "\\",
    "\\\\",
    "a\\",
    "\\n",
    "\\$x",
    "line\nline",
    "\n",
    "ends\n",
    "crlf\r\n",
    "tab\t",
    "-",
    "--",
    "-x",
    "--model",
    "--model=x",
    "%s %d %%",
    "!!",
    "!$",
    "#no comment",
    "*",
    "?[a-z]*",
    "~",
    "~root",
    "a;b&c|d>e<f",
    "(a)",
    "ünï",
    "日本語",
    "😀👨‍👩‍👧",
    "e\u0301",
    "\u202eabc",
    "\x01\x1b[31m",
    "\x7f",
    "a=b",
    "null",
    "true",
    "1e5",
    "<b@c>",
]
PROGRAM = '#!/bin/sh\nprintf \'%s\\0\' "$#" "$@" "${0##*/}" "${GIVEN-}" >> "$ARGV_LOG"\n'


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """Runs a script with `swift` and `python` that only write down what they are given."""
    folder = tmp_path_factory.mktemp("shell")
    (folder / "bin").mkdir()
    for name in ("swift", "python"):
        program = folder / "bin" / name
        program.write_text(PROGRAM)
        program.chmod(0o755)
    log = folder / "argv"

    def run(text, resume=None):
        """The commands that a script starts: (program, arguments, $GIVEN)."""
        log.write_bytes(b"")
        (folder / "script.sh").write_text(text, encoding="utf-8")
        environment = {"PATH": f"{folder / 'bin'}:{os.defpath}", "ARGV_LOG": str(log), "RECIPE_OUT": "out put"}
        environment |= {"LC_ALL": "C.UTF-8", "HOME": "/nowhere"} | ({} if resume is None else {"RECIPE_RESUME": resume})
        ran = subprocess.run(
            ["bash", "script.sh"], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
        assert not (folder / "broken").exists()
        return list(commands(log.read_bytes().split(b"\0")[:-1]))

    return run


def commands(words):
    while words:
        count = int(words[0])
        *arguments, program, given_ = (word.decode() for word in words[1 : count + 3])
        yield program, arguments, given_
        words = words[count + 3 :]


def options(arguments):
    """Option → values, of arguments that begin with options."""
    found, name = {}, None
    for word in arguments:
        if word.startswith("--") and (name is None or found[name] or "=" in word):
            name, _, value = word[2:].partition("=")
            found[name] = [value] if "=" in word else []
        elif name:
            found[name].append(word)
    return found


# From a recipe

RECIPE = {
    "version": 1,
    "name": "hostile",
    "models": {"base": {"id": "our/model", "type": "qwen2_vl", "template": "qwen2_vl"}},
    "datasets": {"rows": {"kind": "csv", "split": {"validation": 0.5}}},
    "stages": {
        "data": {"kind": "prepare", "dataset": "rows"},
        "train": {"kind": "sft", "model": "base", "data": "data.train", "tuner": {"kind": "full"}},
        "lora": {"kind": "sft", "model": "base", "data": "data.train"},
    },
}


def recipe_with(text):
    """A recipe that says a text wherever it can say any."""
    recipe = json.loads(json.dumps(RECIPE))
    recipe["description"] = text
    recipe["datasets"]["rows"] |= {"prompt": text, "system": text, "path": path_of(text), "columns": {"answer": text}}
    recipe["models"]["base"]["path"] = path_of(text)
    for stage in ("train", "lora"):
        recipe["stages"][stage]["description"] = text
        recipe["stages"][stage]["logging"] = {"project": text, "trackers": ["swanlab"]}
        passed = {"system": text, "response_prefix": text, "lr_scheduler_kwargs": {text: [text, {"a": text}]}}
        if not text.startswith("-"):  # that cannot be said in a list, and is an error
            passed["new_special_tokens"] = ["first", text]
        recipe["stages"][stage]["engine"] = {"args": passed}
    return recipe


def path_of(text):
    """A path that a recipe may say: below the project, without a backslash."""
    return text.replace("\\", "").strip("/") or "models"


@pytest.mark.parametrize("text", HOSTILE, ids=repr)
def test_from_a_recipe(text, shell, tmp_path):
    path = project(tmp_path) / "hostile.yaml"
    path.write_text(quoted(recipe_with(text)), encoding="utf-8")
    compiled = files(path)
    config = json.loads(compiled["pipelines/hostile/data.prepare.json"])
    assert (config["prompt"], config["system"]) == (text, text)
    assert (config["dataset"]["path"], config["dataset"]["columns"]["answer"]) == (path_of(text), text)
    for stage in ("train", "lora"):
        said = compiled[f"pipelines/hostile/{stage}.sh"]
        for resume in (None, f"check {text} point"):
            train, collect = shell(said, resume)
            given_ = options(train[1][1:])
            assert given_["system"] == given_["response_prefix"] == given_["project"] == [text]
            assert json.loads(given_["lr_scheduler_kwargs"][0]) == {text: [text, {"a": text}]}
            assert given_.get("new_special_tokens", ["first", text]) == ["first", text]
            assert given_["model"] == [resume if resume and stage == "train" else path_of(text)]
            assert given_.get("resume_from_checkpoint") == ([resume] if resume else None)
            assert given_["output_dir"] == ["out put/checkpoints"]
            assert collect[0] == "python"
    assert (
        path_of(text) in yaml.safe_load(compiled["pipelines/hostile/dvc.yaml"])["stages"]["data"]["deps"]
        or "${" in text
    )


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800"], ids=ascii)
def test_what_no_command_line_can_say_is_refused(text, tmp_path):
    path = project(tmp_path) / "hostile.yaml"
    path.write_text(json.dumps(recipe_with(text)))
    with pytest.raises(RecipeError):
        files(path)


# The renderer alone

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
PIECES = st.lists(
    st.sampled_from([*HOSTILE, "'", '"', "$", "`", "\\", "}", "{", "!", "\n", "-"]) | TEXT, max_size=4
).map("".join)


@cache
def a_plan():
    with TemporaryDirectory() as folder:
        path = project(Path(folder)) / "hostile.yaml"
        path.write_text(json.dumps(recipe_with("x")))
        return plans(path)["hostile"]


def launched(plan, *commands, env=None):
    """A stage's script, with other commands."""
    stage = replace(plan.stages[0], launch=Launch(commands, env or {}))
    return script(plan, stage)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.lists(PIECES, min_size=1, max_size=8), st.none() | PIECES.filter(bool))
def test_every_text_survives(shell, texts, resume):
    text, plan = texts[0], a_plan()
    path = InputPath("model", text or "x", "#5")
    swift = Command(
        ("swift", text),
        {
            "one": text,
            "many": ("first", *texts),
            "path": path,
            "model": ResumedModel(InputPath("model", text or "x")),
            "out": OutputPath("a"),
            "resume": ResumePath(),
            "yes": True,
            "small": 1e-07,
        },
    )
    ran = shell(launched(plan, swift, swift, env={"GIVEN": text, "PLACE": path}), resume)
    model = resume or text or "x"
    one = [f"--one={text}"] if text.startswith("-") else ["--one", text]
    place = [f"--path={path.path}#5"] if text.startswith("-") else ["--path", f"{path.path}#5"]
    chosen = [f"--model={model}"] if text.startswith("-") else ["--model", model]
    expected = [text, *one, "--many", "first", *texts, *place, *chosen, "--out", "out put/a"]
    expected += (["--resume", resume] if resume else []) + ["--yes", "true", "--small", "1e-07"]
    assert ran == [("swift", expected, text)] * 2


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(PIECES)
def test_a_file_name_stays_in_its_comment(shell, name):
    plan = a_plan()
    text = script(replace(plan, file=f"recipes/{name}.yaml"), replace(plan.stages[0], launch=Launch(())))
    assert shell(text) == []
    assert next(line for line in text.splitlines() if not line.startswith("#")) == "set -euo pipefail"


@pytest.mark.parametrize("name", ["a b", "it's", "new\nline", "$(x)", "${x}", "ü😀"])
def test_recipes_with_odd_file_names(name, tmp_path):
    """Also in the manifest, and as what DVC watches."""
    path = project(tmp_path) / f"{name}.yaml"
    path.write_text(json.dumps(recipe_with("x")))
    (plan,) = plans(path).values()
    compiled = render(plan)
    assert json.loads(compiled["manifest.json"])["recipe"]["file"] == f"recipes/{name}.yaml"
    watched = yaml.safe_load(compiled["dvc.yaml"])["stages"]["compiled"]["deps"]
    assert f"recipes/{name}.yaml".replace("${", "\\${") in watched
    assert shlex.split(compiled["data.sh"].splitlines()[3]) == ["set", "-euo", "pipefail"]


def test_scripts_with_hostile_texts_pass_shellcheck(tmp_path):
    """What can be seen, that is: shellcheck does not read control characters."""
    for number, text in enumerate(HOSTILE):
        path = project(tmp_path) / "hostile.yaml"
        path.write_text(quoted(recipe_with(text)), encoding="utf-8")
        for name, compiled in files(path).items():
            if name.endswith(("train.sh", "lora.sh")):
                (tmp_path / f"{number}-{Path(name).name}").write_text(compiled, encoding="utf-8")
    shellcheck = Path(sys.executable).parent / "shellcheck"
    ran = subprocess.run([shellcheck, *tmp_path.glob("*.sh")], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
