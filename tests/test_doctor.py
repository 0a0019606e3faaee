"""recipe doctor: what a machine lacks is told with what to do, and nothing else is."""

import json
import shutil
from collections import namedtuple

import pytest
from compiling import SMALL, project, recipe

from runners import compiled, doctor
from schema.signature import requirements

Usage = namedtuple("Usage", "total used free")
BIG = SMALL.replace("tiny/qwen2-vl, dtype: float32", "google/gemma-3-12b-it, hub: huggingface")
BIG = BIG.replace("{gpus: 0}", "{gpus: 2, gpu_memory: 80GiB}")
SMI = """\
#!/bin/sh
printf 'NVIDIA A, {mib}\\nNVIDIA A, {mib}\\n'
"""


@pytest.fixture
def examined(tmp_path, monkeypatch):
    """Compiles a recipe and examines this machine, in which nothing is installed but what is given: exit code, findings."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HOME", "HF_TOKEN_PATH", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(compiled, "installed", lambda package, environment=None: VERSIONS.get(package))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 100 << 30))

    def examine(text):
        project(tmp_path, small=text)
        assert recipe(tmp_path, "compile", "recipes/small.yaml")[0] == 0
        code, out, _ = recipe(tmp_path, "doctor", "recipes/small.yaml", "--format", "json")
        (findings,) = json.loads(out)["recipes"].values()
        return code, {(found["about"], found["what"]): found for found in findings}

    return examine


VERSIONS: dict[str, str] = {}


@pytest.fixture(autouse=True)
def versions():
    from schema.signature import toolchain

    VERSIONS.clear()
    VERSIONS.update(toolchain())


def lacking(findings):
    return {key for key, found in findings.items() if found["status"] == "lacks"}


def test_a_machine_that_has_everything_lacks_nothing(examined):
    code, findings = examined(SMALL)
    assert (code, lacking(findings)) == (0, set())
    assert findings["hardware", "GPU"]["found"] == "the recipe runs on the CPU"
    assert findings["package", "torch"]["status"] == "ok"


def test_a_package_of_another_version_is_told_with_both(examined):
    VERSIONS["transformers"] = "4.0.0"
    code, findings = examined(SMALL)
    assert (code, lacking(findings)) == (1, {("package", "transformers")})
    assert findings["package", "transformers"]["found"].startswith("4.0.0, wanted 5.")
    assert findings["package", "transformers"]["help"] == "run `make setup`"


def test_a_package_that_no_toolchain_of_the_recipe_holds(examined):
    text = SMALL.replace("model: base, data: data.train", "model: base, data: data.train, logging: {trackers: [wandb]}")
    _, findings = examined(text)
    assert lacking(findings) == {("package", "wandb")}
    assert findings["package", "wandb"]["found"] == "not installed, and `wandb` needs it"
    assert "install `wandb`" in findings["package", "wandb"]["help"]
    VERSIONS["wandb"] = "1.2"
    assert findings.keys() == examined(text)[1].keys() and lacking(examined(text)[1]) == set()


def nvidia_smi(tmp_path, monkeypatch, mib):
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "nvidia-smi").write_text(SMI.format(mib=mib))
    (folder / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_gpus_memory_disk_and_tokens_against_what_is_asked_for(examined, tmp_path, monkeypatch):
    nvidia_smi(tmp_path, monkeypatch, 24576)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(64 << 20, 0, 1 << 30))
    code, findings = examined(BIG)
    wanted = {("hardware", "GPU memory"), ("token", "base"), ("disk", "free")}
    assert code == 1 and lacking(findings) - {("limit", "open files")} == wanted | {("limit", "shared memory")}
    assert findings["hardware", "GPUs"]["found"] == "NVIDIA A of 24576 MiB, NVIDIA A of 24576 MiB"
    assert findings["hardware", "GPU memory"]["found"] == "24.0 GiB, wanted 80GiB"
    assert findings["model", "base"]["status"] == "note" and "22.7 GiB" in findings["model", "base"]["found"]
    assert findings["disk", "free"]["found"] == "1.0 GiB, wanted 22.7 GiB"


def test_a_gpu_tells_a_little_less_than_its_name_says(examined, tmp_path, monkeypatch):
    nvidia_smi(tmp_path, monkeypatch, 81559)
    _, findings = examined(BIG)
    assert findings["hardware", "GPU memory"]["status"] == "ok"


def test_without_gpus_that_is_said_in_plain_words(examined, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    _, findings = examined(BIG)
    assert findings["hardware", "GPU"]["found"] == "nvidia-smi tells of none, wanted 2"
    assert findings["program", "git"]["status"] == "lacks"


def test_a_token_is_found_and_never_told(examined, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_notforeyes")
    _, findings = examined(BIG)
    assert findings["token", "base"]["status"] == "ok"
    assert findings["token", "base"]["found"].endswith("in HF_TOKEN")
    assert "notforeyes" not in json.dumps(list(findings.values()))


def test_a_hub_of_which_nobody_knows_whether_it_asks_for_a_token(examined, monkeypatch):
    text = BIG.replace(", hub: huggingface", "")
    _, findings = examined(text)
    assert findings["token", "base"]["status"] == "note"
    assert "set MODELSCOPE_API_TOKEN" in findings["token", "base"]["help"]
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "notforeyes")
    _, findings = examined(text)
    assert findings["token", "base"]["found"] == "for google/gemma-3-12b-it, in MODELSCOPE_API_TOKEN"


OWN = """\
version: 1
name: small
models: {base: {id: tiny/qwen2-vl, dtype: float32}}
datasets:
  asked: {kind: jsonl, path: data/asked.jsonl, columns: {prompt: question, answer: solution}}
  hub: {kind: okvqa}
hardware: {gpus: 0}
stages:
  data: {kind: prepare, dataset: asked, task: solve}
  more: {kind: prepare, dataset: hub}
  train:
    {kind: grpo, model: base, data: data.train, tuner: {kind: full}, batch: {global: 8, micro: 8},
    rewards: [{kind: path, path: rewards.own.reward}]}
"""


def test_data_and_files_that_are_not_here(examined, tmp_path):
    """Nobody should learn after the download of a model that the data is missing."""
    code, findings = examined(OWN)
    mine = {("data", "data/asked.jsonl"), ("file", "rewards/own.py")}
    assert (code, lacking(findings)) == (1, mine)
    assert findings["data", "data/asked.jsonl"]["help"].endswith("`data: {data/asked.jsonl: /WHERE}`")
    assert findings["data", "OmniData/OK-VQA"] | {"help": ""} == {
        "about": "data", "what": "OmniData/OK-VQA", "status": "note", "found": "is not fetched yet", "help": "",
    }  # fmt: skip
    (tmp_path / "rewards").mkdir()
    (tmp_path / "rewards/own.py").write_text("def reward(answer, solution):\n    return 0.0\n")
    (tmp_path / "machine.yaml").write_text("data: {data: elsewhere}\n")
    _, findings = examined(OWN)
    assert lacking(findings) == mine - {("file", "rewards/own.py")}
    assert (
        findings["data", "data/asked.jsonl"]["found"] == "machine.yaml says elsewhere/asked.jsonl, which does not exist"
    )
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/asked.jsonl").touch()
    code, findings = examined(OWN)
    assert (code, lacking(findings)) == (0, set())
    assert findings["data", "data/asked.jsonl"]["found"] == "lies at elsewhere/asked.jsonl"


def test_a_variant_is_fetched_by_its_name(tmp_path, examined):
    examined(SMALL + "  large: {models: {base: {id: Qwen/Qwen2-VL-7B-Instruct}}}\n")
    _, out, _ = recipe(tmp_path, "doctor", "recipes/small.yaml", "--variant", "large")
    assert "`recipe fetch recipes/small.yaml --variant large`, or the first run does it" in out


def test_the_environment_of_a_toolchain_and_what_it_takes(examined):
    text = SMALL.replace("name: small", "name: small\ntoolchain: vllm")
    code, findings = examined(text)
    assert code == 1
    assert findings["toolchain", "vllm"]["status"] == "note"
    assert findings["hardware", "vllm"]["found"] == "vLLM's wheels hold kernels for GPUs only"
    assert findings["disk", "free"]["found"] == "100.0 GiB, wanted 8.0 GiB"
    assert requirements("vllm")


def test_people_get_a_table(tmp_path, examined):
    examined(SMALL)
    code, out, _ = recipe(tmp_path, "doctor", "recipes/small.yaml")
    assert code == 0
    assert "lacking: nothing" in out
    (packages,) = (line for line in out.splitlines() if "packages" in line)
    assert "torch 2" in packages and "transformers 5" in packages


def test_what_lacks_stands_first(tmp_path, examined, monkeypatch):
    examined(BIG)
    _, out, _ = recipe(tmp_path, "doctor", "recipes/small.yaml")
    words = [line.partition("  ")[0] for line in out.splitlines()[2:]]
    told = [word for word in words if word in ("lacks", "to do", "ok")]
    assert told == sorted(told, key=["lacks", "to do", "ok"].index)
    assert set(told) == {"lacks", "to do", "ok"}


def test_sizes_are_read_in_both_kinds_of_units():
    assert doctor.bytes_of("80GB") == 80 * 10**9
    assert doctor.bytes_of("1.5 MiB") == 3 << 19
