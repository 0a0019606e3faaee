"""What exec checks before it runs a stage, what it gives to a launch, and what it leaves behind."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from exec_project import KEY, Project, make, write_pipeline

RECORD = {
    "action",
    "argv",
    "components",
    "elapsed",
    "ended",
    "environment",
    "exit",
    "files",
    "format_version",
    "git",
    "identity",
    "inputs",
    "intent",
    "key",
    "log",
    "machine",
    "other_versions",
    "outputs",
    "own",
    "packages",
    "recipe_hash",
    "resumed_from",
    "stage",
    "started",
    "trainer",
}
WRITES = """\
mkdir -p "$RECIPE_OUT/result/model"
cp data/animals.txt "$RECIPE_OUT/result/model/a.txt"
echo 1 > "$RECIPE_OUT/result/metrics.json"
"""


def project_with(folder: Path, script: str, **fields: object) -> Project:
    """A project whose stage runs `script`."""
    project = make(folder)
    write_pipeline(project, f"set -eu\n{script}", **fields)  # type: ignore[arg-type]
    return project


# ---- before the launch


def _edit(project: Project) -> None:
    (project.root / "pipelines/demo/train.sh").write_text("echo another\n")


def _delete(project: Project) -> None:
    (project.root / "pipelines/demo/train.json").unlink()


def _mix(project: Project) -> None:
    """As after a compilation that was killed before the manifest was written."""
    manifest = project.root / "pipelines/demo/manifest.json"
    before = manifest.read_text()
    write_pipeline(project, "echo new\n", identity={"launch": ["new"]})
    manifest.write_text(before)


def _other_format(project: Project) -> None:
    (project.root / "pipelines/demo/manifest.json").write_text('{"format_version": 2}')


def _no_stages(project: Project) -> None:
    (project.root / "pipelines/demo/manifest.json").write_text('{"format_version": 1, "stages": {"train": {}}}')


def _no_json(project: Project) -> None:
    (project.root / "pipelines/demo/manifest.json").write_text("<<<<<<< HEAD\n")


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (_edit, ["train.sh was changed"]),
        (_delete, ["train.json is missing"]),
        (_mix, ["train.sh was changed", "train.json was changed"]),
        (_other_format, ["manifest.json is not a manifest of format 1"]),
        (_no_stages, ["manifest.json is not a manifest of format 1"]),
        (_no_json, ["manifest.json is not a manifest of format 1"]),
    ],
)
def test_compiled_files_must_be_whole(tmp_path: Path, harm: Callable[[Project], None], named: list[str]) -> None:
    project = make(tmp_path)
    harm(project)
    done = project.run()
    assert done.returncode == 1
    assert "R0501" in done.stderr
    assert "recipe compile" in done.stderr
    assert all(name in done.stderr for name in named), done.stderr
    assert project.starts == []


@pytest.mark.parametrize(
    "target", ["pipelines/demo/trian", "pipelines/other/train", "recipes/demo.yaml", "pipelines/demo/train.sh", "."]
)
def test_target_must_be_a_compiled_stage(tmp_path: Path, target: str) -> None:
    project = make(tmp_path)
    done = subprocess.run(
        (sys.executable, "-m", "runners.exec", target), cwd=project.root, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "R0502" in done.stderr, done.stderr


def test_usage(tmp_path: Path) -> None:
    done = subprocess.run((sys.executable, "-m", "runners.exec"), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "usage: recipe exec" in done.stderr


def test_other_versions_are_named_and_may_be_allowed(tmp_path: Path) -> None:
    installed = __import__("importlib.metadata").metadata.version("psutil")
    toolchain = {"psutil": f"{installed}+cu128", "pytest": "0.0.1", "no-such-package": "1.0", "python": "3"}
    project = project_with(tmp_path, WRITES, identity={"toolchain": toolchain})
    done = project.run()
    assert done.returncode == 1
    assert "R0503" in done.stderr
    assert "pytest: wanted 0.0.1, installed" in done.stderr
    assert "no-such-package: wanted 1.0, installed not at all" in done.stderr
    assert "psutil" not in done.stderr
    (project.root / "machine.yaml").write_text("allow_other_versions: true\n")
    done = project.run()
    assert done.returncode == 0, done.stderr
    assert "pytest: wanted 0.0.1" in done.stderr
    assert [text.partition(":")[0] for text in project.record["other_versions"]] == ["pytest", "no-such-package"]
    assert project.record["packages"]["no-such-package"] is None


def test_a_package_of_another_licence_is_not_installed_by_setup(tmp_path: Path) -> None:
    toolchain = {"ultralytics": "0.0.1", "no-such-package": "1.0"}
    done = project_with(tmp_path, WRITES, identity={"toolchain": toolchain}).run()
    assert done.returncode == 1
    help = " ".join(done.stderr.split())
    assert "`make setup`; `pip install ultralytics==0.0.1`, if its licence AGPL-3.0 suits you" in help


def test_our_runners_must_be_those_compiled_with(tmp_path: Path) -> None:
    source = Path(__file__).parent.parent / "runners/watcher.py"
    right = hashlib.sha256(source.read_bytes()).hexdigest()
    code = {"runners.watcher": right, "schema.digests": "0" * 64, "runners.gone": right}
    done = project_with(tmp_path, WRITES, identity={"code": code}).run()
    assert done.returncode == 1
    assert "R0501" in done.stderr
    assert "when schema.digests, runners.gone had other code" in done.stderr


def test_machine_file_is_checked(tmp_path: Path) -> None:
    project = project_with(tmp_path, WRITES)
    (project.root / "machine.yaml").write_text("gpu: [0]\n")
    done = project.run()
    assert done.returncode == 1
    assert "1 | gpu: [0]" in done.stderr


def test_missing_input_is_named_with_what_makes_it(tmp_path: Path) -> None:
    inputs = {"data": "outputs/demo/data", "model": ".recipe/models/base", "pictures": "data/pictures"}
    done = project_with(tmp_path, WRITES, inputs=inputs).run()
    assert done.returncode == 1
    for path, help in zip(inputs.values(), ("recipe run", "recipe fetch", "machine.yaml"), strict=True):
        assert f"reads {path}, which is not there" in done.stderr
        assert help in done.stderr


def test_a_file_without_rows_is_named_before_anything_starts(tmp_path: Path) -> None:
    """An engine would leave an empty result, and the stage would look done."""
    project = project_with(tmp_path, WRITES, inputs={"data": "data/rows.jsonl", "classes": "data/classes.json"})
    for name in ("rows.jsonl", "classes.json"):
        (project.root / "data" / name).touch()
    done = project.run()
    assert done.returncode == 1
    assert "R0573" in done.stderr and "reads data/rows.jsonl, which has no rows" in done.stderr
    (project.root / "data/rows.jsonl").write_text("{}\n")
    assert project.run().returncode == 0


# ---- what a launch gets


def test_environment_of_a_launch(tmp_path: Path) -> None:
    """No token, no ambient setting of an engine; our own interpreter first; what the machine file says."""
    script = 'env > "$RECIPE_OUT/environment"; cp "$RECIPE_OUT/environment" data/seen\n' + WRITES
    project = project_with(tmp_path, script)
    (project.root / "machine.yaml").write_text('gpus: [2, 3]\nenv: {NCCL_P2P_DISABLE: "1"}\n')
    project.environment |= {
        "HF_TOKEN": "secret",
        "MODELSCOPE_API_TOKEN": "secret",
        "MAX_PIXELS": "7",
        "NPROC_PER_NODE": "8",
        "OMP_NUM_THREADS": "77",
        "PYTHONDONTWRITEBYTECODE": "1",
        "WANDB_API_KEY": "kept",
        "RECIPE_RESUME": "/elsewhere",
    }
    done = project.run()
    assert done.returncode == 0, done.stderr
    seen = dict(line.split("=", 1) for line in (project.root / "data/seen").read_text().splitlines() if "=" in line)
    assert not set(seen) & {
        "HF_TOKEN",
        "MODELSCOPE_API_TOKEN",
        "MAX_PIXELS",
        "NPROC_PER_NODE",
        "PYTHONDONTWRITEBYTECODE",
    }
    assert seen["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    assert seen["RECIPE_OUT"] == f".recipe/checkpoints/{KEY}"
    assert (seen["RECIPE_RESUME"], seen["PYTHONHASHSEED"]) == ("", "0")
    assert (seen["CUDA_VISIBLE_DEVICES"], seen["NCCL_P2P_DISABLE"], seen["WANDB_API_KEY"]) == ("2,3", "1", "kept")
    assert int(seen["OMP_NUM_THREADS"]) == project.record["machine"]["threads"] != 77
    project.environment["RECIPE_GPUS"] = "5"
    assert project.run().returncode == 0
    assert "CUDA_VISIBLE_DEVICES=5\n" in (project.root / "data/seen").read_text()


LOGS_IN = "from modelscope_hub.config import HubConfig; HubConfig().save_token('ms_logged_in')"
ASKS_FOR_TOKENS = """
import json, pathlib, huggingface_hub
from huggingface_hub.constants import HF_HUB_DISABLE_XET
from modelscope_hub.config import HubConfig
found = [huggingface_hub.get_token(), HubConfig().token, HF_HUB_DISABLE_XET]
pathlib.Path("data/seen").write_text(json.dumps(found))
"""


def test_an_engine_finds_no_token_of_a_login(tmp_path: Path) -> None:
    """Asked of the clients of both hubs, in a home where a person has logged in with them."""
    project = project_with(tmp_path, f"python ask.py\n{WRITES}")
    (project.root / "ask.py").write_text(ASKS_FOR_TOKENS)
    token = tmp_path / "home/.cache/huggingface/token"
    token.parent.mkdir(parents=True)
    token.write_text("hf_logged_in")
    project.environment["HOME"] = str(tmp_path / "home")
    for text in (LOGS_IN, ASKS_FOR_TOKENS):
        subprocess.run([sys.executable, "-c", text], cwd=project.root, env=project.environment, check=True)
    seen = project.root / "data/seen"
    assert json.loads(seen.read_text()) == ["hf_logged_in", "ms_logged_in", False]
    done = project.run()
    assert done.returncode == 0, done.stderr
    assert json.loads(seen.read_text()) == [None, None, True]


def test_machine_file_may_set_threads_and_the_script_has_the_last_word(tmp_path: Path) -> None:
    script = "echo $OMP_NUM_THREADS > data/seen\nexport PYTHONHASHSEED=5\n" + WRITES
    project = project_with(tmp_path, script)
    (project.root / "machine.yaml").write_text('env: {OMP_NUM_THREADS: "3"}\n')
    assert project.run().returncode == 0
    assert (project.root / "data/seen").read_text() == "3\n"
    assert project.record["machine"]["threads"] == 3


def test_output_goes_to_the_log_and_to_the_terminal(tmp_path: Path) -> None:
    project = project_with(tmp_path, "echo to stdout; echo to stderr >&2\n" + WRITES)
    done = project.run()
    assert done.stdout == "to stdout\nto stderr\n"
    assert (project.root / project.record["log"]).read_text() == "to stdout\nto stderr\n"
    project.environment["RECIPE_QUIET"] = "1"
    quiet = project.run()
    assert (quiet.stdout, quiet.stderr) == ("", "")
    assert (project.root / project.record["log"]).read_text() == "to stdout\nto stderr\n", "the log of this run alone"


# ---- what it leaves


def test_record(tmp_path: Path) -> None:
    project = project_with(tmp_path, WRITES)
    for command in (("init", "-q"), ("add", "pipelines"), ("commit", "-qm", "x")):
        subprocess.run(("git", "-c", "user.name=a", "-c", "user.email=a@b", *command), cwd=project.root, check=True)
    assert project.run().returncode == 0
    record = project.record
    assert set(record) == RECORD
    assert (record["stage"], record["key"], record["log"]) == ("demo/train", KEY, ".recipe/logs/demo/train.log")
    assert record["git"]["dirty"] is False
    assert len(record["git"]["commit"]) == 40
    content = (project.root / "data/animals.txt").read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    file = {"kind": "file", "sha256": sha256, "size": len(content), "files": 1}
    assert record["inputs"] == {"data": {"path": "data/animals.txt", **file}}
    assert record["outputs"]["model"]["kind"] == "tree"
    assert str(tmp_path) not in json.dumps(record)
    first = record["action"]
    (project.root / "pipelines/demo/train.sh").write_text("dirty")
    write_pipeline(project, "set -eu\n" + WRITES, identity={"launch": ["x"]})
    assert project.run().returncode == 0
    assert project.record["git"]["dirty"] is True
    assert project.record["action"] != first


def test_record_of_an_earlier_run_is_gone_when_the_next_fails(tmp_path: Path) -> None:
    project = project_with(tmp_path, WRITES)
    assert project.run().returncode == 0
    write_pipeline(project, "exit 3\n")
    assert project.run().returncode == 1
    assert not (project.out / "run.json").exists()
    assert (project.out / "model/a.txt").exists()


def test_what_a_trainer_tracks_is_kept_with_the_log(tmp_path: Path) -> None:
    script = 'mkdir -p "$RECIPE_OUT/checkpoints/runs"; echo x > "$RECIPE_OUT/checkpoints/runs/events"\n' + WRITES
    project = project_with(tmp_path, script)
    for _ in range(2):
        assert project.run().returncode == 0
        assert (project.root / ".recipe/logs/demo/train.runs/events").exists()
    assert not project.work.exists()


# ---- the action: whose checkpoints they are


@pytest.mark.parametrize("change", ["input", "identity", "force", "nothing"])
def test_checkpoints_of_another_action_are_thrown_away(tmp_path: Path, change: str) -> None:
    project = make(tmp_path, options="--fail_at 5 --fail_with died")
    assert project.run().returncode == 1
    assert sorted(path.name for path in (project.work / "checkpoints").glob("checkpoint-*")) == [
        "checkpoint-2",
        "checkpoint-4",
    ]
    script = (project.root / "pipelines/demo/train.sh").read_text().replace("--fail_at 5 --fail_with died", "")
    write_pipeline(project, script, identity={"launch": ["new"]} if change == "identity" else None)
    if change == "input":
        (project.root / "data/animals.txt").write_text("other\n")
    done = project.run(*(["--force"] if change == "force" else []))
    assert done.returncode == 0, done.stderr
    assert project.starts == ["start", "checkpoint-4" if change == "nothing" else "start"]
    assert ("unfinished work on other inputs was thrown away" in done.stderr) == (change in ("input", "identity"))
    log = (project.root / ".recipe/logs/demo/train.log").read_text()
    assert ("died" in log) == (change == "nothing"), "a log holds the launches of one training"


def test_a_failure_that_left_nothing_is_not_told_as_lost_work(tmp_path: Path) -> None:
    project = project_with(tmp_path, "exit 3\n")
    assert project.run().returncode == 1
    (project.root / "data/animals.txt").write_text("other\n")
    assert "thrown away" not in project.run().stderr


def test_without_checkpoints_a_stage_starts_over(tmp_path: Path) -> None:
    project = make(tmp_path, options="--fail_at 5", checkpoints=None)
    assert project.run().returncode == 1
    assert project.run().returncode == 1
    assert project.starts == ["start", "start"]


def test_an_input_that_is_touched_is_not_another_one(tmp_path: Path) -> None:
    project = make(tmp_path, options="--fail_at 5")
    project.run()
    os.utime(project.root / "data/animals.txt", (1, 1))
    project.run()
    assert project.starts == ["start", "checkpoint-4"]


@pytest.mark.parametrize("what", ["input", "compiled"])
def test_a_change_during_the_run(tmp_path: Path, what: str) -> None:
    change = "echo new > data/animals.txt" if what == "input" else "echo '{}' > pipelines/demo/train.json"
    project = project_with(tmp_path, WRITES + change)
    done = project.run()
    assert done.returncode == 1
    assert "R0511" in done.stderr
    assert not project.out.joinpath("model").exists()
    assert not project.work.exists()
