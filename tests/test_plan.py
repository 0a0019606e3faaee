"""`recipe plan`: actions, reasons with old and new values and lines, formats and exit codes.

What DVC has on record is made by hand here; that DVC agrees is shown in test_plan_dvc.py.
"""

import json
import subprocess
import sys
from typing import get_args

import pytest
from compiling import ROOT, SMALL, change, project, recipe
from plan_project import UP_TO_DATE, actions, finished, md5, planned, reasons

from compiler.rerun.compute import outlook
from compiler.rerun.model import ACTIONS, Action, Kind
from compiler.rerun.text import tables
from compiler.rerun.words import COUNTED, WORDS

TEXT = """\
3 stages: 1 runs, 1 runs only if what it reads changes, 1 is reused

small  recipes/small.yaml  (not compiled as it stands; judged as if it were)
  data     reuse        up to date
  train    run          learning_rate 1e-4 → 2e-4 (recipes/small.yaml:16:32)
                        gradient_accumulation_steps 16 → 8 (recipes/small.yaml:17:21)
  answers  conditional  train may make other bytes
"""


@pytest.fixture
def root(tmp_path):
    return finished(tmp_path / "p")


# Formats and exit codes


def test_text(root):
    change(root, "learning_rate: 1e-4", "learning_rate: 2e-4")
    change(root, "2e-4}", "2e-4}\n    batch: {global: 8}")
    assert recipe(root, "plan", "small") == (0, TEXT, "")


def test_a_place_to_look_at_for_each_changed_value(root):
    change(root, "learning_rate: 1e-4", "learning_rate: 2e-4")
    (reason,) = planned(root)["train"]["reasons"]
    assert reason == {
        "kind": "option",
        "what": "swift sft.learning_rate",
        "before": 0.0001,
        "after": 0.0002,
        "place": {"file": "recipes/small.yaml", "line": 16, "column": 32},
        "hint": None,
    }


def test_the_table_of_a_terminal_says_the_same(root):
    change(root, "learning_rate: 1e-4", "learning_rate: 2e-4")
    found = outlook([root / "recipes" / "small.yaml"], None, (), {})
    shown = tables(found, 100, color=False)
    assert shown.startswith("3 stages: 1 runs, 1 runs only if what it reads changes, 1 is reused\n")
    assert "train    run          learning_rate 1e-4 → 2e-4" in shown
    assert "\x1b[" not in shown and "\x1b[" in tables(found, 100, color=True)
    assert max(map(len, tables(found, 60, color=False).splitlines()[3:])) <= 60


def test_the_document_is_for_programs(root):
    ended, out, _ = recipe(root, "plan", "small", "--format", "json")
    document = json.loads(out)
    assert ended == 0
    assert set(document) == {"format_version", "summary", "diagnostics", "pipelines"}
    (pipeline,) = document["pipelines"]
    assert set(pipeline) == {"label", "file", "recipe_hash", "compiled", "stages"}
    assert set(pipeline["stages"][0]) == {"stage", "kind", "key", "action", "moved_from", "reasons"}
    assert (pipeline["compiled"], document["diagnostics"]) == (True, [])


def test_each_kind_of_reason_and_action_has_words():
    assert set(WORDS) | {"data-missing", "upstream"} == set(get_args(Kind))
    assert set(COUNTED) == set(ACTIONS) == set(get_args(Action))


def test_several_recipes_and_instances_one_after_another(root):
    change(root, "stages:\n", "variants: {long: {stages: {train: {epochs: 3}}}}\nstages:\n")
    (root / "recipes" / "other.yaml").write_text(SMALL.replace("name: small", "name: other"))
    code, out, err = recipe(root, "plan")
    assert code == 0, err
    heads = [line.split("  ")[0] for line in out.splitlines() if line and not line.startswith(" ")]
    assert heads == [out.splitlines()[0], "other", "other/long", "other/short", "small", "small/long"]
    assert list(planned(root, "small", "--variant", "long")) == ["data", "train", "answers"]
    code, _, err = recipe(root, "plan", "small", "--variant", "short")
    assert (code, err.partition(":")[0]) == (1, "error[R0208]")


def test_a_recipe_that_does_not_compile_is_a_finding_and_the_others_are_planned(root):
    (root / "recipes" / "broken.yaml").write_text(SMALL.replace("gpus: 0", "gpus: many"))
    code, out, err = recipe(root, "plan")
    assert code == 1
    assert out.startswith("3 stages: 3 are reused, 1 recipe is not planned\n")
    assert "--> recipes/broken.yaml:5:" in err
    code, out, err = recipe(root, "plan", "--format", "json")
    assert (code, err, json.loads(out)["diagnostics"][0]["severity"]) == (1, "", "error")


def test_usage(root):
    assert recipe(root, "plan", "--format", "markdown")[0] == 2
    assert recipe(root, "plan", "small", "--set", "nothing")[0] in (1, 2)


def test_planning_writes_nothing_but_its_memory(root):
    (root / "data" / "chat.jsonl").write_bytes(b"x" * (1 << 21))
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    change(root, "1e-4", "3e-4")
    planned(root)
    after = {p: p.read_bytes() for p in root.rglob("*") if p.is_file() and ".recipe" not in p.parts}
    assert {p for p in after if after[p] != before.get(p)} == {root / "recipes" / "small.yaml"}


def test_no_dvc_and_no_engine_is_loaded(root):
    program = (
        "import sys; sys.argv = ['recipe', 'plan', 'small']\n"
        "from compiler.cli import main\n"
        "try: main()\n"
        "except SystemExit as ended: assert not ended.code, ended.code\n"
        "heavy = {'dvc', 'dvc_data', 'numpy', 'torch', 'transformers', 'swift', 'rich.console', 'runners'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 stages: 3 are reused\n")


# What becomes of a stage


def test_nothing_has_run(tmp_path):
    project(tmp_path, small=SMALL)
    stages = planned(tmp_path, "small", "--variant", "long")
    assert actions(stages) == dict.fromkeys(UP_TO_DATE, "run")
    assert {kind for stage in stages.values() for kind, _ in reasons(stage)} == {"never-ran"}


def test_all_has_run(root):
    assert actions(planned(root)) == UP_TO_DATE
    assert reasons(planned(root)["train"]) == [("up-to-date", "train")]


def test_what_cannot_change_a_result_runs_nothing(root):
    change(root, "kind: sft", "kind: sft # a comment\n    logging: {every: 9 steps}\n    description: more")
    assert actions(planned(root)) == UP_TO_DATE


def test_set_is_for_looking(root):
    stages = planned(root, "small", "--set", "stages.answers.max_new_tokens=9")
    assert actions(stages) == {**UP_TO_DATE, "answers": "run"}
    (reason,) = stages["answers"]["reasons"]
    assert (reason["before"], reason["after"], reason["place"]["file"]) == (64, 9, "--set")


def test_data_that_changed(root):
    (root / "data" / "chat.jsonl").write_text("{}\n{}\n")
    stages = planned(root)
    assert actions(stages) == {"data": "run", "train": "conditional", "answers": "conditional"}
    (reason,) = stages["data"]["reasons"]
    assert (reason["kind"], reason["what"], reason["before"], reason["after"]) == (
        "data",
        "data/chat.jsonl",
        md5(b"{}\n"),
        md5(b"{}\n{}\n"),
    )
    assert reason["place"] == {"file": "recipes/small.yaml", "line": 7, "column": 11}


def test_results_that_are_gone_altered_or_lost(root):
    model = root / "outputs/small/train/model/weights"
    model.unlink()
    assert reasons(planned(root)["train"])[-1] == ("restored", "train")
    model.write_text("2\n")
    stages = planned(root)
    assert actions(stages) == UP_TO_DATE
    assert reasons(stages["train"]) == [("output-changed", "outputs/small/train/model"), ("restored", "train")]
    model.write_text("1\n")
    lost = root / ".dvc/cache/files/md5" / md5(b"1\n")[:2] / md5(b"1\n")[2:]
    lost.unlink()
    stages = planned(root)
    assert actions(stages) == {"data": "reuse", "train": "run", "answers": "conditional"}
    assert reasons(stages["train"]) == [("output-uncached", "outputs/small/train/model")]
    lost.write_text("other")  # not protected: DVC looks at its bytes
    assert actions(planned(root))["train"] == "run"


def test_what_another_stage_may_bring_back_is_not_certain(root):
    (root / "data" / "chat.jsonl").write_text("{}\n{}\n")
    lost = md5(b"outputs/small/answers/predictions.jsonl\n")
    (root / ".dvc/cache/files/md5" / lost[:2] / lost[2:]).unlink()
    stages = planned(root)
    assert actions(stages)["answers"] == "conditional"
    assert "another stage" in stages["answers"]["reasons"][0]["hint"]


def test_without_a_record_of_dvc(root):
    (root / "pipelines/small/dvc.lock").unlink()
    assert reasons(planned(root)["train"]) == [("unrecorded", "train")]


def test_a_launch_that_is_not_on_record(root):
    change(root, "1e-4", "2e-4")
    assert recipe(root, "compile")[0] == 0
    assert reasons(planned(root)["train"]) == [("option", "swift sft.learning_rate")]  # the run record has it
    (root / "outputs/small/train/run.json").unlink()
    assert reasons(planned(root)["train"]) == [("launch", "train")]
    assert "what it was is not on record" in recipe(root, "plan")[1]


def test_the_committed_document_tells_what_the_launch_was(root):
    (root / "outputs/small/train/run.json").unlink()
    change(root, "1e-4", "2e-4")
    assert reasons(planned(root)["train"]) == [("option", "swift sft.learning_rate")]


def test_a_renamed_recipe_has_moved(root):
    change(root, "name: small", "name: tiny")
    stages = planned(root)
    assert actions(stages) == dict.fromkeys(UP_TO_DATE, "moved")
    assert stages["train"]["moved_from"] == "small/train"
    assert "`recipe mv small tiny`" in stages["train"]["reasons"][0]["hint"]


def test_a_twin_is_not_to_be_carried_away(root):
    change(root, "stages:\n", "variants: {long: {stages: {train: {epochs: 3}}}}\nstages:\n")
    data = planned(root, "small", "--variant", "long")["data"]
    assert (data["action"], data["moved_from"], data["reasons"][0]["hint"]) == ("moved", "small/data", None)


def test_a_renamed_stage_has_moved(root):
    change(root, "  answers:", "  said:")
    stages = planned(root)
    assert (stages["said"]["action"], stages["said"]["moved_from"]) == ("moved", "small/answers")


def test_an_option_that_is_passed_through_has_its_line(root):
    change(root, "optimizer: {", "engine: {args: {neftune_noise_alpha: 5}}\n    optimizer: {")
    (reason,) = planned(root)["train"]["reasons"]
    assert (reason["what"], reason["after"]) == ("swift sft.neftune_noise_alpha", 5.0)
    assert reason["place"] == {"file": "recipes/small.yaml", "line": 16, "column": 42}
