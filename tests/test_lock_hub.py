"""From a recipe to its bytes: `recipe lock` asks hubs on loopback, compiling pins, `recipe fetch` brings just that."""

import json

import pytest
from compiling import plans, project, recipe
from hub_project import FILES, alone, contents, filled, point_at
from hub_server import served

from schema.lock import read_lock

TEXT = """\
version: 1
name: ours
models: {base: {id: ours/m, type: qwen2_vl}}
datasets: {rows: {kind: hub, id: ours/d, files: ["*.jsonl"], columns: {prompt: ask, answer: reply}}}
hardware: {gpus: 1}
stages:
  data: {kind: prepare, dataset: rows}
  train: {kind: sft, model: base, data: data.train}
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    root = alone(tmp_path, monkeypatch)
    project(root, ours=TEXT)
    return root


@pytest.fixture
def hub(root, monkeypatch):
    with served(filled()) as hub:
        point_at(monkeypatch, hub.url)
        yield hub


def lock_in(root):
    return read_lock(root / "recipes/ours.lock", "ours.lock", {}).lock


def keys(root):
    return {stage.name: stage.key for stage in plans(root / "recipes/ours.yaml")["ours"].stages}


def publish(hub, name, files):
    """A new commit on a hub's default branch."""
    repo = getattr(hub, name)["model", "ours/m"]
    known = next(iter(repo.commits.values()))
    getattr(hub, name).pop(("model", "ours/m"))
    hub.add(name, "model", "ours/m", known | files)


def test_every_source_is_in_the_lock(root, hub):
    assert recipe(root, "lock")[::2] == (0, "")
    found = lock_in(root)
    model = found.models["ours/m"]
    assert model.files.keys() == FILES.keys()
    assert {name: source.requested for name, source in model.sources.items()} == {
        "modelscope": "master",
        "huggingface": "main",
    }
    assert model.sources["modelscope"].commit != model.sources["huggingface"].commit
    assert model.chat_template is not None
    assert found.datasets["ours/d"].sources.keys() == {"modelscope", "huggingface"}


def test_a_hub_with_other_bytes_is_no_source(root, hub):
    publish(hub, "huggingface", {"config.json": b'{"model_type": "other"}'})
    code, _, err = recipe(root, "lock")
    assert code == 0
    assert err == "ours/m: Hugging Face has other bytes in config.json, so it is no source\n"
    assert lock_in(root).models["ours/m"].sources.keys() == {"modelscope"}


def test_what_is_pinned_asks_nobody_and_upgrade_tells_what_moved(root, hub):
    recipe(root, "lock")
    before, asked = keys(root), len(hub.asked)
    for name in ("modelscope", "huggingface"):
        publish(hub, name, {"config.json": b'{"model_type": "newer"}'})
    assert recipe(root, "lock") == (0, "recipes/ours.lock  unchanged\n", "")
    assert recipe(root, "lock", "--check")[0] == 0
    assert len(hub.asked) == asked
    code, out, _ = recipe(root, "lock", "--upgrade", "ours/d")
    assert (code, out) == (0, "recipes/ours.lock  unchanged\n")
    code, out, _ = recipe(root, "lock", "--upgrade", "base")
    assert code == 0
    (line,) = out.splitlines()[1:]
    assert line.startswith("  ~ ours/m  ") and " → " in line and line.endswith("  (config.json)")
    after = keys(root)
    assert {name for name in after if after[name] != before[name]} == {"train"}


def test_a_hub_that_is_down_loses_no_pin(root, hub, monkeypatch):
    recipe(root, "lock")
    before = lock_in(root)
    hub.status = 404
    code, _, err = recipe(root, "lock", "--upgrade")
    assert (code, "error[R0530]" in err) == (1, True)
    assert lock_in(root) == before


def test_locked_compiled_fetched(root, hub):
    recipe(root, "lock")
    assert recipe(root, "compile", "--locked")[0] == 0
    code, _, err = recipe(root, "fetch", "ours")
    assert code == 0, err
    (model,) = (root / ".recipe/models").glob("[!.]*")
    assert model.name == f"ours--m@{lock_in(root).models['ours/m'].sha256[:12]}"
    assert contents(model) == FILES
    manifest = json.loads((root / "pipelines/ours/manifest.json").read_text())
    assert manifest["stages"]["train"]["inputs"]["model"] == f".recipe/models/{model.name}"


def test_the_lock_and_not_the_branch_is_fetched(root, hub):
    """Meanwhile the branch has moved on; the commit is still there."""
    recipe(root, "lock")
    recipe(root, "compile", "--locked")
    for name in ("modelscope", "huggingface"):
        repo = getattr(hub, name)["model", "ours/m"]
        repo.commits["f" * 40] = {"config.json": b"{}"}
        repo.refs |= dict.fromkeys(repo.refs, "f" * 40)
    assert recipe(root, "fetch", "ours")[0] == 0
    (model,) = (root / ".recipe/models").glob("[!.]*")
    assert contents(model) == FILES


def test_offline_the_store_is_enough(root, hub):
    recipe(root, "lock")
    recipe(root, "compile")
    recipe(root, "fetch", "ours")
    asked = len(hub.asked)
    assert recipe(root, "fetch", "ours", "--offline")[0] == 0
    assert len(hub.asked) == asked
