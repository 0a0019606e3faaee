"""A compiled script has its trainer watched, and no identity says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from compiling import plans, project, recipe

from compiler.passes.identity import identity
from compiler.plan import Plan
from compiler.render import render
from compiler.render.root import PLUGIN, WATCH
from compiler.render.script import PLAN
from runners.watch import report, swift

RECIPE = """\
version: 1
name: small
models: {base: {id: tiny/qwen2-vl, dtype: float32}}
datasets: {digits: {kind: digits, split: {validation: 0.2}}}
hardware: {gpus: 0}
stages:
  data: {kind: prepare, dataset: digits}
  train: {kind: sft, model: base, data: data.train, engine: {args: ARGS}}
"""


def plan_of(folder: Path, args: str) -> Plan:
    return plans(project(folder, small=RECIPE.replace("ARGS", args)) / "small.yaml")["small"]


def test_a_script_watches_and_its_identity_does_not_say_so(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "{}")
    files = render(plan)
    assert files["train.sh"].count(f"  --external_plugins {PLUGIN} \\\n  --callbacks recipe\n") == 1
    assert "export RECIPE_PLAN=pipelines/small/train.json\n" in files["train.sh"]
    assert "watch" not in files["train.json"] and "RECIPE_PLAN" not in files["train.json"]
    assert "RECIPE_PLAN" not in files["data.sh"]


@pytest.mark.parametrize(
    ("args", "plugins", "callbacks"),
    [
        ("{external_plugins: [a.py, b.py]}", f"a.py b.py {PLUGIN}", "recipe"),
        ("{external-plugins: a.py, callbacks: [lisa]}", f"a.py {PLUGIN}", "lisa recipe"),
        ("{callbacks: perf_log}", PLUGIN, "perf_log recipe"),
    ],
)
def test_options_that_are_passed_too(tmp_path: Path, args: str, plugins: str, callbacks: str) -> None:
    plan = plan_of(tmp_path, args)
    script = render(plan)["train.sh"].replace("external-plugins", "external_plugins")
    assert script.count("--external_plugins") == script.count("--callbacks") == 1
    assert f"--external_plugins {plugins} \\\n" in script or f"--external_plugins {plugins}\n" in script
    assert f"--callbacks {callbacks} \\\n" in script or f"--callbacks {callbacks}\n" in script
    options = identity(plan).stage("train").identity["launch"][0]["options"]
    assert "recipe" not in options.get("callbacks", [])
    assert PLUGIN not in options.get("external_plugins", [])


def test_what_watches_is_checked_against_the_signature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from compiler.backends import ms_swift

    monkeypatch.setattr(ms_swift, "WATCH", {"external_plugin": ("x.py",)})
    project(tmp_path, small=RECIPE.replace("ARGS", "{}"))
    code, _, err = recipe(tmp_path, "compile", "recipes/small.yaml")
    assert code == 1
    assert "R0401" in err and "external_plugin" in err


def test_the_file_that_is_imported_is_compiled_and_checked(tmp_path: Path) -> None:
    project(tmp_path, small=RECIPE.replace("ARGS", "{}"))
    assert recipe(tmp_path, "compile", "recipes/small.yaml")[0] == 0
    assert (tmp_path / PLUGIN).read_text() == WATCH
    (tmp_path / PLUGIN).write_text("")
    code, _, err = recipe(tmp_path, "compile", "--check", "recipes/small.yaml")
    assert code == 1
    assert f"{PLUGIN} is stale" in err


def test_names_of_exec_and_compiler_agree(tmp_path: Path) -> None:
    assert PLAN == report.PLAN
    assert f"from {swift.__name__} import register" in WATCH
    (watched,) = (c for c in plan_of(tmp_path, "{}").stage("train").launch.commands if c.watch)
    assert watched.program == swift.PROGRAMS[0]
    assert watched.watch["callbacks"] == (swift.NAME,)
